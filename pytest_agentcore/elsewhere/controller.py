"""The session's side of workers: a `Models` whose model is open elsewhere, on whatever workers there are.

What a session asks of models is answered here; `crew` knows the workers, and `race` runs a trial on them.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from pytest_agentcore.backends.base import Backend, Say
from pytest_agentcore.catalogue.entry import LLAMA
from pytest_agentcore.elsewhere.base import Engine, Take
from pytest_agentcore.elsewhere.crew import Crew, Header, Work
from pytest_agentcore.elsewhere.order import SENT, describe_setup, zip_suite
from pytest_agentcore.elsewhere.race import Race
from pytest_agentcore.format import count, joined
from pytest_agentcore.runner import Begin, Finished, Job, Try
from pytest_agentcore.session.experiment import Experiment
from pytest_agentcore.session.parallel import OnTurn
from pytest_agentcore.session.trials import PREFLIGHT, Models
from pytest_agentcore.setup import Setup

SHOWN = 8
"""Workers at most of which the live line shows each."""
IN_FLIGHT = 512
"""Trials that are out at the same time at most: each has a thread here that waits for it."""


class Elsewhere(Models):
    """Runs jobs on workers, with the models that these have; this process loads none."""

    def __init__(self, experiment: Experiment, connect: Callable[[Take], Engine], say: Say) -> None:
        """Connect to nobody yet."""
        super().__init__(experiment, say)
        self._connect, self._address = connect, str(experiment.settings.on)
        self._crew = Crew(self._address)
        self._is_met = False
        self._work: dict[str, dict[str, Work]] = {}
        """By label and worker: what it has done."""
        self._met: dict[str, dict[str, Header]] = {}
        """Likewise: what it is."""

    def at_once(self, label: str) -> int:
        """How many trials the workers that are there run at the same time."""
        return max(1, sum(self._room(label, threads) for threads in self._crew.there().values()))

    def _room(self, label: str, threads: int) -> int:
        """As many as decode together, or as were asked for of each worker; never more than it has threads."""
        setup = self._setups[label]
        return min(threads, setup.rows or self._experiment.settings.parallel or 1)

    def fetch(self, labels: Iterable[str], say: Callable[[str], None]) -> None:
        """Wait for the first workers, and ask them for the files of in-process models: their digests, and what fits.

        Raises:
            UsageError: no worker came, or none has the file.
        """
        self._crew.meet(self._connect, partial(self._say, "waiting for a worker", None))
        if not self._is_met:
            self._is_met = True
            say(f"agentcore: trials run on the workers at {self._address}")
        self._experiment.fit = self._fit
        for label in labels:
            setup = self._setups[label]
            if setup.entry.backend == LLAMA:
                found = self._fits(setup)[0]["sha256"]
                self._setups[label] = replace(setup, entry=replace(setup.entry, sha256=setup.entry.sha256 or found))

    def _fit(self, setup: Setup, trials: int) -> tuple[int, str]:
        """Take as many rows as fit on the smallest worker: replies depend on how many there are."""
        fits = self._fits(setup, trials)
        least = min(fits, key=lambda one: int(one["rows"]))
        of = f", the fewest of {len(fits)} workers" if len(fits) > 1 else ""
        return int(least["rows"]), f"{least['why']}{of}"

    def _fits(self, setup: Setup, trials: int = 10**6) -> list[Header]:
        return self._crew.ask({"do": "fit", "setup": describe_setup(setup), "trials": trials})

    def check(self, labels: Iterable[str], *, scripts: bool = False) -> None:
        """Look at nothing here: keys and scripts are the workers' to look for."""

    def open(self, label: str) -> Backend | None:
        """Show the model to every worker, and return once the first has it open.

        Raises:
            UsageError: none of them can run its trials; says why for each.
        """
        setup, settings = self._setups[label], self._experiment.settings
        mine = {one.label: describe_setup(one) for one in self._setups.values() if one.same_model(setup)}
        shown = {
            "suite": self._experiment.suite.digest,
            "settings": {name: settings.values[name] for name in SENT},
            "sandbox": self._experiment.sandbox.name,
            "tasks": sorted(self.tasks),
            "setups": mine,
        }
        content = zip_suite(self._experiment.suite, [self._setups[name] for name in mine])
        digest = hashlib.sha256(json.dumps(shown, sort_keys=True).encode() + content).hexdigest()

        def wait(workers: int) -> None:
            self._say(f"{setup.slug}: opening it on {count(workers, 'worker')}", None)

        def take(worker: str, answer: Header) -> None:
            there = self._crew.there()
            for each in mine:
                facts = {name: answer["backend"][name] for name in ("batching",) if name in answer["backend"]}
                facts |= {**answer["here"], "device": answer["backend"].get("device")}
                met = self._met.setdefault(each, {})
                # one that was started anew in another's place has another name
                others = [one for name, one in met.items() if name in there and name != worker]
                beside = sum(facts.items() <= one.items() for one in others)
                met[worker] = {**facts, "worker": worker, "beside": beside}
                self._work.setdefault(each, {}).setdefault(worker, Work(_before=answer["counts"]))
                self.workers[each] = [*self._met[each].values()]
                made = {PREFLIGHT: answer["preflight"]} if answer["preflight"] else {}
                self.described.setdefault(each, {**answer["backend"], **made})

        self._crew.show({"of": digest, **shown}, content, partial(self._room, label), take, wait)
        return None

    def tries(self, job: Job, cancel: threading.Event, on_turn: OnTurn) -> Try:
        """Give the way in which an attempt at a trial is made: on whatever worker has a place."""
        label, tell = job.key.model, partial(on_turn, job.key)
        load, work, spans = self._setups[label].load, self._work[label], self._experiment.spans

        def attempt(begin: Begin) -> Finished:
            with closing(Race(self._crew, job, begin, work, spans, cancel=cancel, on_turn=tell, load=load)) as race:
                return race.run(self._experiment.folders[label])

        return attempt

    def close(self) -> None:
        """Let go of the workers, and add up what they have done."""
        self._crew.close()
        for label, work in self._work.items():
            done = {worker: one.to_json() for worker, one in work.items()}
            self.workers[label] = [{**facts, **done[worker]} for worker, facts in self._met[label].items()]
            for each in done.values():
                self.counted[label].update(each["counts"])
        self._work.clear()

    def news(self) -> Sequence[str]:
        """Say which workers were left out since somebody last asked, and why."""
        return self._crew.news()

    def crew(self) -> str:
        """Say how many workers run trials now."""
        return self._crew.size()

    def done(self) -> str:
        """Say how many trials each has brought back, where they are few, and how fast all write."""
        every = [one.to_json() for work in tuple(self._work.values()) for one in work.values()]
        tokens, seconds = (sum(one[name] for one in every) for name in ("reply_tokens", "seconds"))
        each = " + ".join(str(one["trials"]) for one in every) if len(every) <= SHOWN else ""
        speed = f"{tokens / seconds * len(every):.3g} tokens a second" if tokens and seconds else ""
        return joined([f"{each} trials" if each else "", speed])
