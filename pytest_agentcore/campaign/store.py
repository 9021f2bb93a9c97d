"""Result lines: one JSON line per trial, on the disk before the next trial is reported, and the digests beside them."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_agentcore.campaign.digests import digest_line, manifest_line
from pytest_agentcore.campaign.folder import CampaignFolder, sync_folder
from pytest_agentcore.campaign.jsonl import append, drop_torn_line, open_to_append, read_lines
from pytest_agentcore.errors import UsageError
from pytest_agentcore.trial import TrialKey, TrialResult, check_types


class Store:
    """Appends to `data/results.jsonl` and `data/digests.jsonl`. Belongs to the controller alone."""

    def __init__(self, folder: CampaignFolder) -> None:
        self._folder = folder
        for path in (folder.results, folder.digests):
            drop_torn_line(path)
        self._results, self._digests = open_to_append(folder.results), open_to_append(folder.digests)
        sync_folder(folder.results.parent)

    def add(self, result: TrialResult) -> None:
        """Write one line and wait until the disk has it; its digests go first, so that no line is without."""
        append(self._digests, digest_line(self._folder, result), sync=True)
        append(self._results, result.to_json(), sync=True)

    def seal_manifest(self, content: bytes) -> None:
        """Write down the digest of a manifest that is about to be put in its place."""
        append(self._digests, manifest_line(content), sync=True)

    def close(self) -> None:
        """No result comes after this; may be called twice."""
        self._results.close()
        self._digests.close()


def read_results(folder: CampaignFolder) -> list[TrialResult]:
    """One result per trial, by task and run; of several lines about one trial the last counts.

    Raises:
        UsageError: a line other than a torn last one is damaged; names file and line.
    """
    found: dict[TrialKey, TrialResult] = {}
    for number, line in enumerate(read_lines(folder.results), 1):
        try:
            check_types(TrialResult, line)
            result = TrialResult.from_json(line)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{folder.results}: line {number}: {error}") from error
        found[result.key] = result
    return in_order(found.values())


def in_order(results: Iterable[TrialResult]) -> list[TrialResult]:
    """By task, then by run."""
    return sorted(results, key=lambda result: (result.task, result.run))
