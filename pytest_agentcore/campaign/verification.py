"""Writes the verification CSVs.

The standard library's writer is used: half a second to import pandas would be a fifth of what a whole campaign of
thirty scripted trials may take. A test reads the files back with pandas.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from pytest_agentcore.campaign.folder import CampaignFolder
from pytest_agentcore.campaign.manifest import Manifest
from pytest_agentcore.campaign.seals import Seals, put
from pytest_agentcore.campaign.store import in_order
from pytest_agentcore.campaign.tables import TABLES, Cell, Table
from pytest_agentcore.trial import TrialResult
from pytest_agentcore.untrusted import for_csv


def write_verification(
    folder: CampaignFolder, manifest: Manifest, results: Sequence[TrialResult], seals: Seals | None = None
) -> None:
    """Write every table anew; each file is replaced whole, so a reader at any moment sees a consistent one."""
    ordered = in_order(results)
    put(folder, {name_of(table.name): to_csv(table, manifest, ordered) for table in TABLES}, seals)


def name_of(table: str) -> str:
    """Of a table's file inside the pack."""
    return f"verification/{table}.csv"


def to_csv(table: Table, manifest: Manifest, results: Sequence[TrialResult]) -> bytes:
    r"""UTF-8, comma, `\n`, a header line; `true` and `false`; undefined is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_cell(row[column]) for column in table.columns] for row in table.rows(manifest, results))
    return text.getvalue().encode("utf-8")


def _cell(value: Cell) -> Cell:
    if isinstance(value, bool):
        return "true" if value else "false"
    return for_csv(value) if isinstance(value, str) else value
