"""A session from its first item to its exit code: every hook of pytest in which it acts, in the order of time.

The parts do not know each other's turns. What must come before what is said here, where it is done.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from _pytest.junitxml import xml_key

import pytest_agentcore
from pytest_agentcore.analysis.gate import UNDECIDED
from pytest_agentcore.catalogue.resolve import secrets_of
from pytest_agentcore.checking.trial import Trial
from pytest_agentcore.checks.ask import compared, require_assertions
from pytest_agentcore.console import commands_stopped, is_runner
from pytest_agentcore.errors import AgentcoreError, NoWorkers, RecordError, UsageError, is_foreign
from pytest_agentcore.format import joined
from pytest_agentcore.pack.manifest import PlannedTrial
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.reports.github import Place, annotate, write_summary
from pytest_agentcore.session.experiment import (
    AT_START,
    IN_MAIN,
    WHERE_HOOKS_ARE_KNOWN,
    Experiment,
    implemented,
)
from pytest_agentcore.session.failures import Failure
from pytest_agentcore.session.gates import Breaker, Gates, passed_over
from pytest_agentcore.session.items import arrange, check_declared, key_of, parametrize, refuse_empty, task_of
from pytest_agentcore.session.parallel import Executor
from pytest_agentcore.session.recording import PlanLine, Recording
from pytest_agentcore.session.terminal import Screen, outcome_word, shown
from pytest_agentcore.session.trials import COUNTED, FINISHED, Models, Trials
from pytest_agentcore.session.usage import record_errors, usage_errors
from pytest_agentcore.session.verdicts import (
    RECORDED,
    RESULT,
    SPAN,
    asked_by,
    call_checker,
    follow,
    hide_harness,
    hide_secrets,
    judge,
    report_recorded,
    suite_properties,
)
from pytest_agentcore.tasks.suite import shipped_suites
from pytest_agentcore.trial.result import TrialKey, TrialResult

AGAIN = (
    "{asker} ran finished trials again: each kept its first result, and no model was asked; --runs=N makes more trials"
)
ASKED = "agentcore_asked"
"""Attribute of a report: the campaign's label, and who asked for a trial that was over."""
NEWS = "agentcore_news"
"""Attribute of a report: what the process that runs trials tells the one that records, as `Recording` takes it."""

ENDING = pytest.StashKey[pytest.ExitCode]()
"""On the item for which a worker ends the session: the exit code that the main process is to return."""
ENDED = "agentcore_ended"
"""Attribute of its report with the same."""


@dataclass(frozen=True, slots=True)
class Controller:
    """The parts that only the main process has: it records, shows and gates, which workers of pytest-xdist do not."""

    recording: Recording
    screen: Screen
    gates: Gates


class CampaignSession:
    """The plugin object, registered once a model is given."""

    def __init__(
        self,
        config: pytest.Config,
        experiment: Experiment,
        models: Models,
        executor: Executor,
        controller: Controller | None,
    ) -> None:
        self.config, self.controller = config, controller
        self._experiment, self._models, self._trials = experiment, models, Trials(experiment, models, executor)
        self._secrets = secrets_of(setup.entry for setup in experiment.setups.values())
        self._breaker = Breaker(experiment.settings.max_infra_errors, executor.cancel)
        self._collected: Sequence[pytest.Item] = ()
        self._plan: list[PlanLine] = []
        self._at_start, self._uncalled = implemented(config, AT_START), list[str]()
        """Who implements hooks of the start; sentences about implementations that nobody is going to call."""
        self._ended: int | None = None
        """The exit code for which a worker has ended the session."""
        self._session: pytest.Session | None = None
        """Once it is over."""
        self._asked: dict[TrialKey, pytest.Item] = {}
        """The test by which each trial was asked for last."""
        self._shown: set[tuple[str, object]] = set()
        """Tests, by node id and worker, whose verdict others were shown since their last teardown."""
        self._stopped: dict[TrialKey, BaseException] = {}
        """What stopped a trial from outside."""
        self._again = ""
        """Who asked once more for the scored trial at hand; nothing where an earlier process had scored it."""
        self._compared = ""
        """The comparison by which an assertion failed last."""
        self._places: dict[TrialKey, Place] = {}
        """Where the checkers of failed trials are."""
        self._pid, self._told = os.getpid(), -1
        """How many models and workers the last news was about; before the first news not even none."""

    # Collection: every task becomes an item per campaign and run.

    def pytest_plugin_registered(self) -> None:
        """Ask a conftest for its tools: pytest loads one that lies beside the tasks only when it collects there."""
        try:
            self._experiment.registered.ask()
        except UsageError as error:
            raise pytest.Collector.CollectError(str(error)) from error

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Parametrize tasks by campaign and run."""
        parametrize(self._experiment, metafunc)

    @pytest.hookimpl(tryfirst=True)  # before pytest, which names modules by where they lie
    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
        """Name the modules of a suite that is installed by the suite: nobody types where its package lies."""
        home, package = self._experiment.suite.path.resolve(), Path(pytest_agentcore.__file__).parent
        own = home.is_relative_to(self.config.rootpath) and not home.is_relative_to(package)
        if own or home not in shipped_suites().values() or not module_path.is_relative_to(home):
            return None
        nodeid = f"{home.name}/{module_path.relative_to(home).as_posix()}"
        return pytest.Module.from_parent(parent, path=module_path, nodeid=nodeid)

    @pytest.hookimpl(wrapper=True)  # to see whether pytest makes an item of it
    def pytest_pycollect_makeitem(
        self, collector: pytest.Module | pytest.Class, name: str, obj: object
    ) -> Generator[None, object, object]:
        """Check a task's declaration."""
        made = yield
        check_declared(self._experiment, collector, name, obj, made)
        return made

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Take secrets out of what pytest says of a module that cannot be collected."""
        report = yield
        hide_secrets(report, self.config, self._secrets)
        return report

    @pytest.hookimpl(trylast=True)  # whatever others sort: trials of a model stay together, or it is loaded twice
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Pick and order the trials."""
        arrange(self._experiment, self.config, items)

    @pytest.hookimpl(trylast=True)  # below pytest's line on what was collected
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take what is left after deselection as the plan; a gate that cannot hold over it is refused now."""
        keyed = ((key_of(item), task_of(item)) for item in session.items)
        self._plan = [(key.model, key.task, key.run, task.tools) for key, task in keyed if key and task]
        self._collected = session.items
        late = [one for one in implemented(self.config, AT_START) if one not in self._at_start]
        why = f"models are looked up before pytest loads that file; {WHERE_HOOKS_ARE_KNOWN}"
        self._uncalled = [f"{one} is not called: {why}" for one in late]
        self._trials.plan(session.items)
        if self.controller and not session.testsfailed and not runs_nothing(self.config):
            refuse_empty(self._experiment.settings.shard, self._plan)
            self.controller.gates.refuse([line[1] for line in self._plan])

    # Trials: each runs when its test asks for the fixture, and is judged when its checker has spoken.

    @pytest.hookimpl(tryfirst=True)  # before pytest's own loop, which is the last to be asked
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Load the first model, then open the campaigns: what the model cannot do is said before anything is written.

        Under pytest-xdist the main process has no plan, and has opened them before the workers began.
        """
        broken = session.testsfailed and not session.config.option.continue_on_collection_errors
        if self.controller is None or broken or runs_nothing(session.config):
            return
        self.controller.screen.warn(self._uncalled)
        recording, models = self.controller.recording, self._models
        if self._plan and not recording.records:  # a plugin may go through all tests once more
            with usage_errors():
                with shown(session.config) as say:
                    models.fetch(dict.fromkeys(line[0] for line in self._plan), say)
                recording.choose((line[0] for line in self._plan), self._plan)
                left = (line[0] for line in self._plan if TrialKey(*line[:3]) not in self._experiment.recorded)
                to_run = tuple(dict.fromkeys(left))
                models.check(to_run)
                self.controller.screen.at_once = lambda: max(map(models.at_once, to_run), default=1)
                self.controller.screen.crew, self.controller.screen.done = models.crew, models.done
                try:
                    for first in to_run[:1]:
                        models.open(first)
                finally:
                    self.controller.screen.erase()
                with record_errors():
                    recording.open()
                    recording.plan(self._plan, self._specs(), self._experiment.other_shards)
                    recording.describe(models.described)
                    recording.meet(models.workers)
        self.controller.screen.show_header()
        self.controller.screen.warn(models.news())

    @pytest.hookimpl(tryfirst=True)  # before fixtures are set up, of which one runs the trial
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Notice a trial that is asked for again, and pass over what belongs to a campaign that was ended.

        Once it has a score it is never run again, whoever asks; after an infrastructure error another attempt is made.
        """
        key = key_of(item)
        if key is None or runs_nothing(item.config):
            return
        before = item.stash.get(FINISHED, None)
        if before and before.attempt.verdict:
            del item.stash[FINISHED]
        again = self._experiment.claim(key) or key in self._asked
        is_over = key in self._experiment.recorded
        self._again = asked_by(cast("pytest.Function", item), self._asked.get(key)) if again and is_over else ""
        if not is_over:
            self._breaker.pass_over(key.model)
        self._asked[key] = item

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        """Note when the thread method of pytest-timeout is going to end this worker."""
        if settings.method == "thread":
            self._experiment.limit(item.nodeid, settings.timeout)

    def trial(self, item: pytest.Item) -> Trial:
        """Give the `trial` fixture its value: the finished trial, or None where no checker is going to look at it.

        A model that cannot be loaded after all ends the session: every trial would fail.
        """
        key = key_of(item)
        if key in self._experiment.recorded or runs_nothing(item.config):
            return cast("Trial", None)
        assert key is not None
        if finished := item.stash.get(FINISHED, None):  # somebody sets the test up once more before it is judged
            return finished.open()
        if key in self._stopped:
            raise self._stopped[key]
        try:
            require_assertions()  # a worker may run another Python than the main process
            with record_errors() if self.controller else nullcontext():
                return self._trials.ask(key, item)
        except BaseException as error:
            # who runs it again, without the limit that stopped it before it had begun, does not run it either
            if is_foreign(error):
                self._stopped[key] = error
            if isinstance(error, NoWorkers):
                pytest.exit(str(error), returncode=UNDECIDED)
            if not isinstance(error, UsageError | RecordError):
                raise
            if self.controller is None:  # xdist takes a worker that exits for a broken one, but listens to this
                item.session.shouldstop = str(error)
                is_usage = isinstance(error, UsageError)
                item.stash[ENDING] = pytest.ExitCode.USAGE_ERROR if is_usage else pytest.ExitCode.INTERNAL_ERROR
                pytest.fail(str(error), pytrace=False)
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)

    @pytest.hookimpl(tryfirst=True)  # before the checker, whose output under `-s` stands alone
    def pytest_runtest_call(self) -> None:
        """Take the live line away: the trial is over."""
        if self.controller:
            self.controller.screen.erase()

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Call the checker in pytest's place."""
        key, is_shown = key_of(pyfuncitem), pyfuncitem.config.getoption("capture", "") in ("no", "tee-sys")
        with commands_stopped(sys.stdout) if key and is_shown else nullcontext():  # it may print what a model wrote
            return call_checker(pyfuncitem, self._experiment.recorded.get(key) if key else None)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # whoever else explains comparisons
    def pytest_assertrepr_compare(
        self, op: str, left: object, right: object
    ) -> Generator[None, list[list[str]], list[list[str]]]:
        """Keep what a checker compared as it is recorded, and leave to others what is shown."""
        self._compared = compared(op, left, right)
        try:
            return (yield)
        except AssertionError:  # pytest asks the terminal for its colours, and under `-p no:terminal` there is none
            return []

    @pytest.hookimpl(wrapper=True)  # pytest makes the report, and what it makes is changed
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge the trial; the report carries the verdict, and what the main process cannot know."""
        key, finished = key_of(item), item.stash.get(FINISHED, None)
        # an option of the terminal's plugin
        if finished and call.excinfo and not item.config.getoption("fulltrace", False):
            hide_harness(call.excinfo.value, finished.job.task.module)
        report = yield
        if ENDING in item.stash:
            setattr(report, ENDED, int(item.stash[ENDING]))
        if key:
            self._judge(report, call, item, key)
        # The plan goes along once, and what models said of themselves whenever one was opened.
        described, is_first, met = self._models.described, self._told < 0, dict(self._models.workers)
        told = len(described) + sum(map(len, met.values()))
        if self._plan and told != self._told:
            self._told = told
            # exactly plain types: xdist's serializer knows no subclass of str
            news = {"workers": met, "models": described, "specs": self._specs() if is_first else ()}
            others = [(trial.task, trial.run) for trial in self._experiment.other_shards]
            plan = {"plan": self._plan, "others": others} if is_first else {"plan": (), "others": ()}
            hooks = {"hooks": implemented(self.config, IN_MAIN), "uncalled": self._uncalled} if is_first else {}
            setattr(report, NEWS, plan | hooks | json.loads(json.dumps(news, default=dict)))
        hide_secrets(report, item.config, self._secrets)
        return report

    def _judge(self, report: pytest.TestReport, call: pytest.CallInfo[None], item: pytest.Item, key: TrialKey) -> None:
        """Judge the trial in the phase that decides; one that is over already gets what was recorded."""
        finished, recorded = item.stash.get(FINISHED, None), self._experiment.recorded.get(key)
        if finished and not finished.attempt.verdict:
            if result := judge(report, call, item, self._secrets, self._compared):
                self._experiment.settle(key, result)
                self._breaker.count(key.model, result)
                setattr(report, SPAN, self._experiment.spans.of(key))
                if self.controller and os.getpid() == self._pid:  # a plugin may fork for each test
                    self.controller.screen.erase()
                    self._take(result)
        elif recorded:
            report_recorded(report, recorded, item, self._again)
            if self._again:
                setattr(report, ASKED, (key.model, self._again))
        elif finished:
            report.duration = 0.0  # junit's time is the trial's
        if report.when == "teardown":
            self._experiment.release()

    def _specs(self) -> list[dict[str, Any]]:
        """Describe every tool that the plan's tasks name."""
        used = {name for line in self._plan for name in line[3]}
        return [asdict(tool.spec) for name, tool in self._experiment.tools.items() if name in used]

    # Reports: recorded before they are shown.

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: no letter stands for what is not on the disk
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Record what a worker's report carries, and let others show what is on the record."""
        data, from_worker, controller = getattr(report, RESULT, None), hasattr(report, "node"), self.controller
        if controller:
            self._ended = getattr(report, ENDED, self._ended)
            controller.screen.erase()  # before pytest writes its letter
            if news := getattr(report, NEWS, None):
                with record_errors():
                    others = [PlannedTrial(task=task, run=run) for task, run in news["others"]]
                    controller.recording.plan([tuple(line) for line in news["plan"]], news["specs"], others)
                    controller.recording.describe(news["models"])
                    controller.screen.warn(controller.recording.meet(news["workers"]))
                controller.screen.warn(self._never_called(news))
            if data is not None:
                self._put_on_record(report, TrialResult.from_json(data))
            if asked := getattr(report, ASKED, None):
                label, sentence = asked[0], AGAIN.format(asker=asked[1])
                with record_errors():
                    controller.recording.warn(label, sentence)
                controller.screen.warn([sentence])
            controller.screen.warn(self._models.news())
            controller.screen.count(report)
            controller.gates.count(report)
        with self._one_testcase(report):
            yield
        # nobody but workers brings the live line back, once the first of their trials is recorded
        if controller and from_worker and any(one.campaign.results for one in controller.recording.records.values()):
            controller.screen.on_turn(None, 0)

    def _never_called(self, news: Mapping[str, Any]) -> Iterator[str]:
        """Say which hooks of the process that collected are called nowhere, here included."""
        yield from news.get("uncalled", ())
        here = implemented(self.config, IN_MAIN)
        for one in news.get("hooks", ()):
            if one not in here:
                why = "under pytest-xdist the main process calls it, which does not know that file"
                yield f"{one} is not called: {why}; {WHERE_HOOKS_ARE_KNOWN}"

    @contextmanager
    def _one_testcase(self, report: pytest.TestReport) -> Iterator[None]:
        """Keep junit from showing an attempt whose verdict a plugin keeps back to run the test again: it would pass."""
        junit, test = self.config.stash.get(xml_key, None), (report.nodeid, getattr(report, "node", None))
        if report.outcome in ("passed", "failed", "skipped") and (report.when == "call" or not report.passed):
            self._shown.add(test)
        is_kept_back = report.when == "teardown" and "agentcore" in report.keywords and test not in self._shown
        case = junit.node_reporter(report) if junit and is_kept_back else None
        yield
        if junit and case:
            junit.node_reporters_ordered.remove(case)
        if report.when == "teardown":
            self._shown.discard(test)

    def _put_on_record(self, report: pytest.TestReport, result: TrialResult) -> None:
        """Record the result that came with a report, if it is news, and let the report say what the record says."""
        assert self.controller is not None
        key = TrialKey(self._experiment.label_of(result), result.task, result.run)
        if span := getattr(report, SPAN, None):
            self._experiment.spans.take(key, *span)
        counts = self._take(result)
        self._experiment.remember(key, counts)
        if follow(report, counts):
            setattr(report, RECORDED, True)
            vars(report).setdefault(ASKED, (key.model, "a plugin"))
        if report.failed and not counts.passed:
            failure = Failure.of(report, counts, self._experiment.folders[key.model], self.config)
            report.longrepr, self._places[key] = cast("Any", failure), failure.place

    def _take(self, result: TrialResult) -> TrialResult:
        """Record a result, then tell others of it; a trial that has a score already keeps that, which is returned.

        Whatever another's hook does, the line is on the disk.
        """
        assert self.controller is not None
        if first := self.controller.recording.refuse(result):
            return first
        folder = self._experiment.folders[self._experiment.label_of(result)].path
        with self._heard(f"pytest_agentcore_trial_finished broke for {result.key}"):
            self.config.hook.pytest_agentcore_trial_finished(result=result, folder=folder, config=self.config)
        return result

    @contextmanager
    def _heard(self, what: str) -> Iterator[None]:
        """Keep what somebody's hook raises, to be said at the end: the trials that follow are to be run."""
        try:
            yield
        except AgentcoreError:
            raise
        except (Exception, SystemExit) as error:  # somebody else's
            if is_foreign(error):
                raise
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{last.filename}, line {last.lineno}"
            self._models.broken.append(f"{what}: {type(error).__name__}: {error} ({where})")

    @pytest.hookimpl(tryfirst=True)  # before others are told
    def pytest_agentcore_trial_finished(self, result: TrialResult) -> None:
        """Write the result line: the plugin's own use of its hook."""
        if self.controller:
            with record_errors():
                self.controller.recording.add(result)

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Say a trial's outcome in our letters and words."""
        return outcome_word(report)

    def pytest_keyboard_interrupt(self) -> None:
        """Record what is known of an interrupted trial, which never gets a report."""
        for item in self._collected if self.controller else ():
            finished = item.stash.get(FINISHED, None)
            if finished and finished.attempt.verdict is None:
                # a full disk may be what has ended the session: the trial runs again
                with suppress(RecordError, pytest.exit.Exception):
                    self._take(finished.interrupt())
                finished.close()

    # The end: exit code, then the record, then reports.

    @pytest.hookimpl(wrapper=True, trylast=True)  # innermost: before and right after every other plugin's own
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Gate, close the campaigns with the exit status that pytest is going to return, and write the reports.

        All of it is done before the terminal's summary, which pytest's reporter writes in a wrapper further out.
        """
        if self._ended and session.exitstatus == pytest.ExitCode.INTERRUPTED:  # all that xdist knows of it
            session.exitstatus = self._ended
        has_summary = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)  # there may be none else
        self._trials.abandon()  # nobody is going to ask for what is left
        if self.controller:
            self.controller.screen.erase()  # also where an interrupt ended the trial
            self.controller.recording.note_overlaps()
            if not runs_nothing(session.config):
                self.controller.gates.decide(session, self.controller.recording.campaigns)
                self._describe_to_junit()
        self._session = session
        yield
        self._models.close()
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[COUNTED] = {label: dict(each) for label, each in self._models.counted.items()}
        if self.controller:
            self._count_broken(session)
            self.controller.recording.close(int(session.exitstatus), self._models.counted, self._models.workers)
            self._end_campaigns(session)
            if has_summary:
                self.controller.screen.fold()

    def _describe_to_junit(self) -> None:
        """Give junit's XML what is known of the campaigns and gates, before it is written in its own turn."""
        assert self.controller is not None
        for junit in self.config.pluginmanager.get_plugins():
            if hasattr(type(junit), "add_global_property"):  # what its fixture `record_testsuite_property` calls
                described = suite_properties(self.controller.recording.campaigns)
                gate = joined(verdict.title for verdict in self.controller.gates.verdicts)
                for name, value in [*described, *([("gate", gate)] if gate else [])]:
                    junit.add_global_property(name, value)

    def _end_campaigns(self, session: pytest.Session) -> None:
        """Write what groups of campaigns say together, and tell everybody of each campaign, ourselves first."""
        assert self.controller is not None
        there = [one for one in self.controller.recording.campaigns.values() if one.folder.manifest.is_file()]
        self.controller.screen.write_groups(there)
        for campaign in there:
            with self._heard(f"pytest_agentcore_campaign_finished broke for {campaign.folder.id}"):
                self.config.hook.pytest_agentcore_campaign_finished(campaign=campaign, config=self.config)
        self._count_broken(session)

    @pytest.hookimpl(tryfirst=True)  # before others are told
    def pytest_agentcore_campaign_finished(self, campaign: Campaign) -> None:
        """Write the campaign's reports: the plugin's own use of its hook."""
        if self.controller:
            self.controller.screen.write_reports(campaign, self.controller.gates.baseline)

    def _count_broken(self, session: pytest.Session) -> None:
        """Take care that a session in which a hook or a backend broke is neither a success nor a model's failure."""
        if self._models.broken and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = UNDECIDED

    @pytest.hookimpl(tryfirst=True)  # behind pytest's failures, which stand in a wrapper, and before who counts reports
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was passed over, and how each campaign ended."""
        if self.controller:
            self.controller.screen.unfold()
        for line in passed_over(terminalreporter.stats.get("skipped", ())):
            terminalreporter.write_line(line, yellow=True)
        if self.controller:
            broken = [*self.controller.recording.lost, *self._models.broken]
            self.controller.screen.summarise(terminalreporter, broken)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: behind all that anybody prints
    def pytest_unconfigure(self) -> Generator[None]:
        """Let a gate speak last, with the exit code as it stands."""
        yield
        if self.controller and self._session and not runs_nothing(self.config):
            gates, code = self.controller.gates, int(self._session.exitstatus)
            last = gates.conclude(code)
            self.controller.screen.conclude(gates.verdicts, last, code)
            if is_runner():
                there = {key: one for key, one in self.controller.recording.campaigns.items() if one.manifest.planned}
                self.controller.screen.write_plain(
                    [
                        write_summary(there, gates.verdicts, last),
                        *annotate(there, gates.verdicts, self._places, passed=code == pytest.ExitCode.OK),
                    ]
                )


def runs_nothing(config: pytest.Config) -> bool:
    """Tell whether pytest only shows what it would do: nothing is loaded and nothing written then."""
    return any(config.getoption(name, False) for name in ("collectonly", "setuponly", "setupplan"))
