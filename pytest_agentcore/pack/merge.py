"""Joins campaigns that are parts of one experiment: shards of other machines, further runs, trials of other tasks."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, product
from pathlib import Path

from pytest_agentcore.errors import UsageError
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign, make_places
from pytest_agentcore.pack.identity import differences, remarks, summarise
from pytest_agentcore.pack.manifest import Manifest, PlannedTrial
from pytest_agentcore.pack.predictions import PREDICTIONS
from pytest_agentcore.pack.read import Campaign, read_every_result
from pytest_agentcore.pack.record import CampaignRecord
from pytest_agentcore.pack.transcript import set_aside
from pytest_agentcore.pack.validate import examine
from pytest_agentcore.trial.result import TrialKey, TrialResult

MISSING = "merged without shard"
"""Begins the warning that names shards which nobody gave."""


def merge(parts: Sequence[Campaign], target: Path) -> Campaign:
    """Write a new campaign that holds every trial of the parts; the parts stay as they are.

    Where one part scored a trial and another did not, the score counts; the other attempts are kept beside it.

    Raises:
        UsageError: the parts do not belong together, one of them was changed or is being written, or the target is
            there already; nothing is written then.
    """
    chosen = _choose(parts)
    for part in parts:
        if part.folder.lock.is_file():
            lock_campaign(part.folder).close()  # refuses one that is being written
        if problems := examine(part.folder).problems:
            more = f"; and {len(problems) - 1} more, see agentcore validate" if len(problems) > 1 else ""
            raise UsageError(f"{part.folder.path}: {problems[0]}{more}")
    folder = CampaignFolder(target.absolute())
    try:
        if folder.path.exists() and any(folder.path.iterdir()):
            raise UsageError(f"{target}: is there already; name a folder that is new or empty")
        make_places(folder)
    except OSError as error:
        raise UsageError(f"{target}: cannot be made: {error.strerror or error}") from error
    # Attempts are named by UUIDs: nothing is in the way of anything.
    for part, kind in product(parts, ("transcripts", "attempts", "workspaces")):
        for path in filter(Path.is_file, (part.folder.path / "data" / kind).glob("[!.]*")):
            place = folder.path / "data" / kind / path.name
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, place)

    manifest = merged_manifest(parts, folder.id)
    # The same in all parts, of which none lacks it: they are sound. One that was killed may have begun without.
    filed = [part.folder.path / PREDICTIONS for part in parts] if manifest.predictions else []
    record = CampaignRecord(folder, manifest, kept={f.name: f.read_bytes() for f in filed if f.is_file()})
    # Every line once; those about the attempts that count come last, in their order.
    lines = dict.fromkeys(result for part in parts for result in read_every_result(part.folder))
    for result in sorted(lines, key=lambda result: chosen[result.key] == result.attempt):
        if record.refuse(result):  # a recheck's line: another verdict on the attempt whose score stands
            record.judge_again(result)
        else:
            record.add(result)
    set_aside(folder, [path for path in folder.transcripts.glob("*.jsonl") if path.stem not in chosen.values()])
    return record.close()


def merged_manifest(parts: Sequence[Campaign], name: str) -> Manifest:
    """The first part's manifest, with the plans of all."""
    manifests = sorted((part.manifest for part in parts), key=lambda manifest: manifest.started)
    first, *others = manifests
    ends = [manifest.finished for manifest in manifests]
    statuses = [manifest.exit_status for manifest in manifests]
    warnings = [*first.warnings]
    for other in others:
        warnings += other.warnings
        if moved := remarks(first, other):
            differs = f"where not all was as in {first.campaign} ({summarise(moved)})"
            warnings.append(f"merged from {other.campaign}, {differs}")
    # Predictions count where all parts filed the same file, and are shown as the part lets that can show the least.
    predictions = [manifest.predictions for manifest in manifests]
    is_one = len({facts["digest"] if facts else None for facts in predictions}) == 1
    uncommitted = (facts for facts in predictions if facts and not facts["committed"])
    tools = {str(tool["name"]): tool for manifest in manifests for tool in manifest.tools}
    merged = [p.manifest.merged or (p.manifest.process_run(p.folder.id, len(p.results)),) for p in parts]
    rechecked = (recheck for manifest in manifests for recheck in manifest.rechecked)
    # What shards that are not here would have given was planned too, and has no score.
    shards = [manifest.shard for manifest in manifests if manifest.shard]
    mine = dict.fromkeys(trial for manifest in manifests for trial in manifest.planned)
    planned = mine | dict.fromkeys(trial for shard in shards for trial in shard.others)
    if planned != mine:
        here = {str(shard) for shard in shards}
        every = dict.fromkeys(f"{n}/{shard.of}" for shard in shards for n in range(1, shard.of + 1))
        warnings.append(f"{MISSING} {', '.join(name for name in every if name not in here)}")
    elif {*planned} <= {PlannedTrial(task=r.task, run=r.run) for part in parts for r in part.results}:
        warnings = [warning for warning in warnings if not warning.startswith(MISSING)]
    return replace(
        first,
        campaign=name,
        runs=max(manifest.runs for manifest in manifests),
        planned=tuple(planned),
        shard=None,
        tools=tuple(tools.values()),
        warnings=tuple(dict.fromkeys(warnings)),
        parallel=max(manifest.parallel for manifest in manifests),
        predictions=next(uncommitted, predictions[0]) if is_one else None,
        finished=max(filter(None, ends)) if all(ends) else None,
        exit_status=max(status for status in statuses if status is not None) if None not in statuses else None,
        group="",
        scope=(),
        session="",
        resumed=tuple(run for manifest in manifests for run in manifest.resumed),
        merged=tuple(chain.from_iterable(merged)),
        rechecked=tuple(sorted(rechecked, key=lambda recheck: recheck.at)),
    )


def _choose(parts: Sequence[Campaign]) -> dict[TrialKey, str]:
    """The attempt that counts, of each trial.

    Raises:
        UsageError: the parts do not belong together.
    """
    first = parts[0]
    chosen: dict[TrialKey, tuple[Campaign, TrialResult]] = {}
    for part in parts:
        if not part.manifest.counts:
            raise UsageError(f"{part.folder.path}: is a selection of trials to look at; such a campaign is not merged")
        if part is not first and part.folder.path == first.folder.path:
            raise UsageError(f"{part.folder.path}: was named twice")
        if found := differences(first.manifest, part.manifest):
            raise UsageError(
                f"{part.folder.path}: does not belong to {first.folder.path}, it is another experiment "
                f"(that one → this one): {'; '.join(found)}"
            )
        for result in part.results:
            before = chosen.get(result.key)
            if before and before[1].scored and result.scored and before[1].attempt != result.attempt:
                raise UsageError(
                    f"{result.key} is scored in {before[0].folder.path} and in {part.folder.path}: a trial has one "
                    "score; merge campaigns of other tasks or runs"
                )
            if before is None or not before[1].scored:
                chosen[result.key] = part, result
    return {key: result.attempt for key, (_, result) in chosen.items()}
