"""Commands about models before a campaign: their entries and files, and whether their tool calls get through."""

from __future__ import annotations

import argparse
import shutil
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_agentcore.catalogue.registry import open_registry, project_above
from pytest_agentcore.catalogue.resolve import fetch, resolve
from pytest_agentcore.cli.arguments import gibibytes, positive, tell, write_lines
from pytest_agentcore.errors import UsageError

if TYPE_CHECKING:
    from pytest_agentcore.options import Option

ASKING = ("tool-calls", "engine", "sampling", "base-url", "api-key-env", "models-file", "trial-timeout")
"""Options of a campaign that decide how a model is asked; `preflight` spells them without `agentcore-`."""
LINES = 40
"""Lines that are shown of a check's prompt, and of its reply."""


def add_models(parser: argparse.ArgumentParser) -> None:
    """Add the name to show, and where else to look for entries."""
    from pytest_agentcore.backends.llama.fit import MAX_DEFAULT_CTX

    parser.description = (
        "List the models that --model knows by name: what memory they take, whether they fit here and what is missing. "
        "Entries of --models-file and of [tool.agentcore.models] in the nearest pyproject.toml replace shipped ones. "
        "With a NAME (or hf:REPO[:QUANT], ollama:NAME, a path): all that is known of it, and where its file is."
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one model; without it all are listed")
    parser.add_argument("--models-file", type=Path, metavar="FILE", help="TOML file of further models")
    parser.add_argument("--fetch", action="store_true", help="put the model's file on this machine")
    parser.add_argument("--fits", action="store_true", help="only those that fit here with that context")
    parser.add_argument("--tier", metavar="TIER", help="only those of this tier, such as Local or API")
    parser.add_argument(
        "--context", type=positive, default=MAX_DEFAULT_CTX, metavar="TOKENS", help="of one conversation (%(default)s)"
    )
    parser.add_argument("--memory", type=gibibytes, metavar="GIB", help="what is free, instead of what is free here")


def run_models(options: argparse.Namespace) -> None:
    """List models or show one; what cannot be found or fetched is a usage error."""
    from pytest_agentcore.cli.listing import Room, chosen, entry_lines, facts_of, look, table_lines
    from pytest_agentcore.format import bytes_of

    if options.name and (options.fits or options.tier):
        raise UsageError(f"{options.name}: --fits and --tier choose among all models; leave them out, or the name")
    if options.fetch and not options.name:
        raise UsageError("--fetch: name the model whose file is wanted")
    registry, width = open_registry(project_above(Path.cwd()), options.models_file), shutil.get_terminal_size().columns
    room = Room(options.memory, f"{bytes_of(options.memory)} are free as given") if options.memory else Room.here()
    if options.name is None:
        all_of_them = (look(entry, options.context, room) for entry in registry.values())
        models = list(chosen(all_of_them, options.tier or "", fits=options.fits))
        lines = table_lines(models, options.context, room, width)
        tell(options, lines, context=options.context, free_bytes=room.free, models=map(facts_of, models))
        return
    entry = registry[options.name] if options.name in registry and not options.fetch else None
    entry = entry or resolve(options.name, registry=registry)
    if options.fetch:
        entry = fetch(entry, partial(print, file=sys.stderr) if options.json else lambda line: write_lines([line]))
    one = look(entry, options.context, room)
    tell(options, entry_lines(one, room, width), free_bytes=room.free, model=facts_of(one))


def add_preflight(parser: argparse.ArgumentParser) -> None:
    """Add the model, and the options of a campaign that decide how it is asked."""
    from pytest_agentcore.options import OPTIONS

    parser.description = (
        "Five checks before a campaign: a structured call, an exchange with a tool's result, a call without text, a "
        "nested argument, the refusal of an unknown tool. The exit code is 1 when calls do not get through; a model "
        "that merely does not call is reported and is no failure."
    )
    parser.add_argument("model", metavar="MODEL", help="as for pytest --model")
    for option in OPTIONS:
        if option.name in ASKING:
            option.add(parser.add_argument, f"--{option.name}")


def run_preflight(options: argparse.Namespace) -> int:
    """Return 1 when something between model and harness is broken, else 0."""
    from pytest_agentcore.checks.preflight import preflight
    from pytest_agentcore.plugin import pytest_agentcore_backends
    from pytest_agentcore.setup import check_files, settle, settle_models
    from pytest_agentcore.untrusted import clip_middle

    def given(option: Option[Any]) -> Any:
        return [options.model] if option.name == "model" else getattr(options, option.dest, None)

    settings, backends = settle(given), pytest_agentcore_backends()
    file = Path(settings.models_file).expanduser() if settings.models_file else None
    asked = []
    for setup in settle_models(settings, backends, open_registry(project_above(Path.cwd()), file)):
        if not setup.has_plumbing:
            said = "no model writes its replies, so there is nothing to examine; name one with a file or an address"
            raise UsageError(f"{setup.entry.name}: {said}")
        entry = fetch(setup.entry, lambda line: tell(options, [line])) if setup.entry.is_to_fetch else setup.entry
        check_files([setup])
        with closing(backends[entry.backend](entry, setup.engine)) as backend:
            found = preflight(backend, setup)
        asked.append({"model": setup.slug, **found.to_json()})
        tell(options, [f"{setup.slug} · policy {found.policy} · preflight {found.verdict}"])
        for number, check in enumerate(found.checks, 1):
            tell(options, ["", f"{number} {check.name}: {check.finding}, {check.says}"])
            for label, text in (("sent", check.sent), ("came", check.came)):
                first, *rest = clip_middle(text, LINES)
                tell(options, [f"  {label:<5} {first}", *(f"  {'':<5} {line}" for line in rest)])
    code = int(not all(each["passed"] for each in asked))
    tell(options, [], models=asked, exit_code=code)
    return code


def add_worker(parser: argparse.ArgumentParser) -> None:
    """Add the scheduler's address, and what of this machine the worker takes."""
    from pytest_agentcore.elsewhere.base import AT_ONCE

    parser.description = (
        "Run trials for `pytest --agentcore-on dask://HOST:PORT` until the scheduler is gone: with the model files, "
        "the sandbox and the endpoints' keys of this machine. One worker has one model open at a time: start one for "
        "each GPU. It needs the same version of pytest-agentcore and Python as the session."
    )
    parser.add_argument(
        "address", metavar="dask://HOST:PORT", help="of the Dask scheduler (`dask scheduler` starts one)"
    )
    parser.add_argument("--gpu", metavar="N", help="use this GPU alone (sets CUDA_VISIBLE_DEVICES)")
    parser.add_argument(
        "--parallel", type=positive, default=AT_ONCE, metavar="N", help="trials at once at most (default: %(default)s)"
    )
    parser.add_argument("--name", metavar="NAME", help="how the scheduler calls it")


def run_worker(options: argparse.Namespace) -> int:
    """Return 0 once the scheduler is gone or the worker was asked to end."""
    from pytest_agentcore.checks.ask import require_assertions
    from pytest_agentcore.sandbox.open import open_sandbox
    from pytest_agentcore.sandbox.workspace import sweep

    require_assertions()
    try:
        from pytest_agentcore.elsewhere.dask import serve
    except ModuleNotFoundError as error:
        raise UsageError(f"there is no {error.name} here; `pip install 'pytest-agentcore[dask]'` brings it") from error
    sweep()
    sandbox = open_sandbox(None, may_fall_back=True)
    write_lines([f"agentcore worker · {options.address} · sandbox {sandbox.name}"])
    return serve(options.address, threads=options.parallel, gpu=options.gpu, name=options.name)
