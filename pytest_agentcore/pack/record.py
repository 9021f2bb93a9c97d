"""The record of one campaign while it runs: what the controller holds, one per model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from io import BufferedWriter
from pathlib import Path
from typing import Any

from pytest_agentcore.pack.csv import write_tables
from pytest_agentcore.pack.digests import MANIFEST, Seals, put
from pytest_agentcore.pack.folder import CampaignFolder, lock_campaign, make_first_free, make_places, sync_folder
from pytest_agentcore.pack.identity import remarks, summarise
from pytest_agentcore.pack.jsonl import append, drop_torn_line, open_to_append
from pytest_agentcore.pack.manifest import Manifest, manifest_bytes, name_for, utc
from pytest_agentcore.pack.read import Campaign, in_order, read_results
from pytest_agentcore.pack.resume import Choice, leftovers
from pytest_agentcore.pack.transcript import set_aside
from pytest_agentcore.trial.result import TrialKey, TrialResult


class CampaignRecord:
    """Folder, lock, manifest, result lines and CSVs. Only the controller has one; workers write transcripts."""

    def __init__(
        self,
        folder: CampaignFolder,
        manifest: Manifest,
        lock: BufferedWriter | None = None,
        kept: Mapping[str, bytes] | None = None,
    ) -> None:
        """Take the lock unless it is held already, and write the manifest.

        Args:
            folder: of the campaign.
            manifest: as it is now.
            lock: where it is held already.
            kept: further files for the pack, by name; they are there before the manifest.

        Raises:
            UsageError: another process holds the campaign.
            RecordError: the disk does not take it.
        """
        self._lock = lock or lock_campaign(folder)
        self.folder, self.manifest = folder, replace(manifest, campaign=folder.id)
        self.attempts: Mapping[TrialKey, int] = Counter()
        """How many attempts each trial had before this process, whatever became of them."""
        make_places(folder)  # somebody may have removed what was empty or derived
        drop_torn_line(folder.results)
        self.seals, self._lines = Seals(folder), open_to_append(folder.results)
        sync_folder(folder.results.parent)
        self._campaign: Campaign | None = None
        # read here, so that whoever opens a record need not be trusted with what it holds
        self._results = {result.key: result for result in read_results(folder)}
        put(folder, kept or {}, self.seals)
        self._write_manifest()

    @classmethod
    def begin(cls, results: Path, manifest: Manifest, kept: Mapping[str, bytes] | None = None) -> CampaignRecord:
        """Make a new campaign in the results folder, named from the manifest; `kept` are further files for it.

        Raises:
            UsageError: the results folder cannot be used.
        """
        return cls(CampaignFolder(make_first_free(results, name_for(manifest))), manifest, kept=kept)

    @classmethod
    def go_on(cls, choice: Choice, manifest: Manifest) -> CampaignRecord:
        """Continue a campaign that was chosen, where its last writer left off.

        Args:
            choice: with a campaign, and the lock on it.
            manifest: of the campaign that this command would have started.

        Raises:
            UsageError: a transcript is damaged.
        """
        assert choice.earlier is not None
        earlier, folder = choice.earlier, choice.earlier.folder
        attempts, verdicts, replaced = leftovers(earlier)
        # It stays the campaign that it was; what differs in the process that continues it is said.
        old, new, recorded = earlier.manifest, manifest, len(earlier.results) + len(verdicts)
        moved = remarks(old, new)
        said = [f"resumed where not all is as it was ({summarise(moved)})"] if moved else []
        goes_on = replace(
            old,
            runs=max(old.runs, new.runs),
            parallel=max(old.parallel, new.parallel),
            shard=old.shard if str(old.shard) == str(new.shard) else None,
            warnings=tuple(dict.fromkeys([*old.warnings, *new.warnings, *said])),
            resumed=(*old.resumed, new.process_run(old.campaign, recorded)),
            finished=None,
            exit_status=None,
        )
        record = cls(folder, goes_on, choice.lock)
        for verdict in verdicts:
            record.add(verdict)
        set_aside(folder, replaced)
        record.seals.attempts()
        for place in (folder.path, folder.verification, folder.workspaces):
            for draft in (path for path in place.glob(".*") if path.suffix in (".draft", ".part") and path.is_file()):
                draft.unlink(missing_ok=True)
        record.attempts = attempts
        return record

    @property
    def campaign(self) -> Campaign:
        """The campaign as it is now, as if it had been read from its folder; one value until something changes."""
        if self._campaign is None:
            results = in_order(self._results.values())
            self._campaign = Campaign(folder=self.folder, manifest=self.manifest, results=tuple(results))
        return self._campaign

    def add(self, result: TrialResult) -> None:
        """Keep one result, which is on the disk when this returns; nothing where it is scored or recorded already."""
        if self.refuse(result):
            return
        replaced = self._results.get(result.key)
        self._write(result)
        if replaced and replaced.attempt != result.attempt:
            set_aside(self.folder, [self.folder.transcript(replaced.attempt)])

    def refuse(self, result: TrialResult) -> TrialResult | None:
        """Give back what is recorded already, if that stands; the attempt behind another score goes to the replaced.

        A trial is scored once, whoever brings a second score: otherwise the better of two would count.
        """
        first = self._results.get(result.key)
        if not first or not (first.scored or first.attempt == result.attempt):
            return None
        if first.attempt != result.attempt:
            set_aside(self.folder, [self.folder.transcript(result.attempt)])
        return first

    def judge_again(self, result: TrialResult) -> None:
        """Keep another verdict on the attempt that counts, as a recheck finds it; the line before stays.

        Raises:
            ValueError: the verdict is on another attempt, which was never the trial's.
        """
        if result.key not in self._results or self._results[result.key].attempt != result.attempt:
            raise ValueError(f"{result.key}: {result.attempt} is not the attempt that was judged before")
        self._write(result)

    def _write(self, result: TrialResult) -> None:
        """Write a line. Its digests go first, so that none is without."""
        self._results[result.key] = result
        self._campaign = None
        self.seals.result(result)
        with self.seals.kept():
            append(self._lines, result.to_json(), sync=True)

    def revise(self, **changes: Any) -> None:
        """Change fields of the manifest."""
        self.manifest, self._campaign = replace(self.manifest, **changes), None
        self._write_manifest()

    def finish(self, *, exit_status: int, finished: datetime) -> Campaign:
        """Write tables and manifest for the last time and let go of the folder; what reports are made of.

        Raises:
            RecordError: the disk does not take them; the folder is let go all the same.
        """
        before = self.campaign
        self.manifest = replace(self.manifest, exit_status=exit_status, finished=utc(finished))
        self._campaign = replace(before, manifest=self.manifest)
        if "figures" in vars(before):  # a gate has computed them, and `cached_property` looks there
            vars(self._campaign)["figures"] = before.figures
        return self.close()

    def close(self) -> Campaign:
        """Write tables and manifest as they are, and let go of the folder.

        Raises:
            RecordError: the disk does not take them; the folder is let go all the same.
        """
        campaign = self.campaign
        try:
            # Only now: pandas costs what twenty trials of a small suite take, and `agentcore report` makes the tables
            # of a campaign that was killed.
            write_tables(campaign, self.folder, self.seals)
            self.seals.attempts()
            self._write_manifest()
            self.seals.close(end=True)
        finally:
            self.abandon()
        return campaign

    def _write_manifest(self) -> None:
        put(self.folder, {MANIFEST: manifest_bytes(self.manifest)}, self.seals, sync=True)

    def abandon(self) -> None:
        """Let go of the folder and write nothing more, as the end of the process does."""
        self._lines.close()
        self.seals.close()
        self._lock.close()
