"""Result lines: one JSON line per trial, on the disk before the next trial is reported, and the digests beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_agentcore.campaign.folder import CampaignFolder, sync_folder
from pytest_agentcore.campaign.jsonl import append, drop_torn_line, open_to_append, read_lines
from pytest_agentcore.campaign.seals import Seals
from pytest_agentcore.errors import UsageError
from pytest_agentcore.trial import TrialResult, check_types


class Store:
    """Appends to `data/results.jsonl` and `data/digests.jsonl`. Belongs to the controller alone."""

    def __init__(self, folder: CampaignFolder) -> None:
        drop_torn_line(folder.results)
        self.seals, self._results = Seals(folder), open_to_append(folder.results)
        sync_folder(folder.results.parent)

    def add(self, result: TrialResult) -> None:
        """Write one line and wait until the disk has it; its digests go first, so that no line is without."""
        self.seals.result(result)
        with self.seals.kept():
            append(self._results, result.to_json(), sync=True)

    def close(self, *, end: bool = False) -> None:
        """No result comes after this; may be called twice. With `end` nothing was left undone."""
        self._results.close()
        self.seals.close(end=end)


def read_results(folder: CampaignFolder) -> list[TrialResult]:
    """One result per trial, by task and run; of several lines about one trial the last counts.

    Raises:
        UsageError: a line other than a torn last one is damaged; names file and line.
    """
    return in_order({result.key: result for result in read_every_result(folder)}.values())


def read_every_result(folder: CampaignFolder) -> Iterator[TrialResult]:
    """Every line in the order of the file, also those that a later one about the same trial replaced.

    Raises:
        UsageError: a line other than a torn last one is damaged; names file and line.
    """
    for number, line in enumerate(read_lines(folder.results), 1):
        try:
            check_types(TrialResult, line)
            yield TrialResult.from_json(line)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{folder.results}: line {number}: {error}") from error


def in_order(results: Iterable[TrialResult]) -> list[TrialResult]:
    """By task, then by run."""
    return sorted(results, key=lambda result: (result.task, result.run))
