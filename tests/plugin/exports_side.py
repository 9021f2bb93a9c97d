"""Exports campaigns in every format and reads the files with the formats' own packages; prints what they say as JSON.

Usage: `exports_side.py OUT CAMPAIGN...`, under the Python of an environment that has all three packages.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from every_eval_ever.validate import main as validate_records
from harbor.utils.trajectory_validator import TrajectoryValidator
from inspect_ai.analysis import evals_df, messages_df, samples_df
from inspect_ai.log import read_eval_log

from pytest_agentcore.cli.__main__ import main


def said(words: list[str]) -> tuple[int, str]:
    """Exit code and output of one command of ours."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return code, out.getvalue() + err.getvalue()


def inspect(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*.eval")
    log = read_eval_log(path.as_posix())
    again = read_eval_log(path.as_posix(), resolve_attachments="full")
    frames = {"samples": samples_df(str(folder)), "messages": messages_df(str(folder)), "evals": evals_df(str(folder))}
    return {
        "log": log.model_dump(mode="json", exclude={"samples"}),
        "whole": [sample.model_dump(mode="json") for sample in again.samples or []],
        **{name: json.loads(frame.to_json(orient="records")) for name, frame in frames.items()},
    }


def eee(folder: Path) -> dict[str, Any]:
    out, before = io.StringIO(), Path.cwd()
    os.chdir(folder)  # records are addressed from where `data` lies
    with contextlib.redirect_stdout(out):
        code = validate_records(["data/*/*/*/*", "--format", "json"])
    os.chdir(before)
    return {"code": code, "reports": json.loads(out.getvalue())}


def atif(folder: Path) -> dict[str, Any]:
    validator = TrajectoryValidator()
    return {path.name: [] if validator.validate(path) else validator.errors for path in sorted(folder.iterdir())}


def run(out: Path, campaigns: list[Path]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for campaign in campaigns:
        mine = found.setdefault(campaign.name, {})
        for name, read in (("inspect", inspect), ("eee", eee), ("atif", atif)):
            folder = out / name / campaign.name
            code, text = said(["export", str(campaign), "--to", name, "-o", str(folder)])
            mine[name] = {"code": code, "said": text, "read": read(folder) if code == 0 else None}
    return found


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), [Path(word) for word in sys.argv[2:]])))
