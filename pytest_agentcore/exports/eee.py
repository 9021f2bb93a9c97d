"""A campaign as a record of Every Eval Ever: a JSON file of scores, and beside it a line per scored trial.

https://evalevalai.com/projects/every-eval-ever
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_agentcore.errors import UsageError
from pytest_agentcore.exports.base import Format, Told
from pytest_agentcore.exports.conversation import Message, campaign_facts, conversation, counts, rates, trial_facts
from pytest_agentcore.pack.figures import EVERY, Figures
from pytest_agentcore.pack.read import Campaign
from pytest_agentcore.pack.transcript import read_transcript
from pytest_agentcore.stats.intervals import CONFIDENCE
from pytest_agentcore.trial.fold import Event
from pytest_agentcore.trial.result import TrialResult
from pytest_agentcore.untrusted import encodable

UNSTATED = "unstated"
"""Stands where the format must have a name and nobody gave one."""


def files(campaign: Campaign, told: Told) -> Mapping[str, Callable[[Path], None]]:
    """The rows of the trials, then the scores, where the datastore of the format has them.

    Raises:
        UsageError: the campaign has no score, or the model's id cannot name a folder.
    """
    from every_eval_ever.helpers.io import datastore_repo_file_path  # noqa: PLC0415 - an extra
    from every_eval_ever.schema import get_schema_version  # noqa: PLC0415

    if not campaign.manifest.counts or not campaign.figures.overall.rates.scored:
        why = "no trial was scored" if campaign.manifest.counts else "its trials were picked by how they had ended"
        raise UsageError(f"{campaign.folder.id}: {why}, and a record of Every Eval Ever is about a score")
    record = Record(campaign, told, get_schema_version())
    try:
        suite = campaign.manifest.suite.name
        scores = datastore_repo_file_path(suite, record.model_id, None, f"{record.uuid}.json")
    except ValueError as error:
        raise UsageError(f"--model-id {record.model_id}: {error}; OWNER/NAME is wanted") from error
    record.rows_file = f"{scores.removesuffix('.json')}_samples.jsonl"
    return {record.rows_file: record.write_rows, scores: record.write_scores}


class Record:
    """One campaign as the format has it; its rows are written first, since the scores hold their digest."""

    def __init__(self, campaign: Campaign, told: Told, schema: str) -> None:
        self.campaign, self.told = campaign, told
        manifest = campaign.manifest
        known = (told.model_id, manifest.entry.get("repo"), manifest.entry.get("model"), manifest.model)
        named = str(next(filter(None, known)))
        self.model_id = named if "/" in named else f"{UNSTATED}/{named}"
        # the same for every export of a campaign: a second one is not another evaluation
        digest = hashlib.sha256(f"{campaign.folder.id}/{manifest.started}/{self.model_id}".encode()).digest()
        self.uuid = uuid.UUID(bytes=digest[:16], version=4)
        self.at = int(datetime.fromisoformat(manifest.finished or manifest.started).timestamp())
        name = f"{manifest.suite.name}/{self.model_id}/{self.at}"
        self.identity = {"schema_version": schema, "evaluation_id": name}
        self.rows_file = ""
        self._rows, self._digest = 0, hashlib.sha256()

    def write_rows(self, path: Path) -> None:
        """Write a line per scored trial."""
        from every_eval_ever.instance_level_types import InstanceLevelEvaluationLog  # noqa: PLC0415

        with path.open("wb") as file:
            for result in self.campaign.results:
                if result.scored:
                    events = read_transcript(self.campaign.folder.transcript(result.attempt))
                    made = InstanceLevelEvaluationLog.model_validate(encodable(self.row(result, events)))
                    # ASCII: the package's reader takes U+2028 and its like for the end of a line
                    line = json.dumps(made.model_dump(mode="json", exclude_none=True), allow_nan=False).encode() + b"\n"
                    file.write(line)
                    self._rows += 1
                    self._digest.update(line)

    def write_scores(self, path: Path) -> None:
        """Write everything that is about the campaign as a whole."""
        from every_eval_ever.eval_types import EvaluationLog  # noqa: PLC0415

        made = EvaluationLog.model_validate(encodable(self.scores())).model_dump(mode="json", exclude_none=True)
        path.write_text(json.dumps(made, indent=2, allow_nan=False) + "\n", encoding="ascii")

    def row(self, result: TrialResult, events: Sequence[Event]) -> dict[str, Any]:
        """One scored trial."""
        prompt = str(events[0]["prompt"]) if events else ""
        return {
            **self.identity,
            "model_id": self.model_id,
            **self._named(result.task),
            "sample_id": f"{result.task}:{result.run}",
            "sample_hash": hashlib.sha256(encodable(prompt).encode()).hexdigest(),
            "interaction_type": "agentic",
            "input": {"raw": prompt, "reference": []},
            "messages": [_message(number, message) for number, message in enumerate(conversation(events))],
            "answer_attribution": [],
            "evaluation": {
                "score": float(result.passed is True),
                "is_correct": result.passed is True,
                "num_turns": result.turns or None,
                "tool_calls_count": result.tool_calls,
            },
            "token_usage": {
                "input_tokens": result.prompt_tokens,
                "input_tokens_cache_read": result.cached_tokens,
                "output_tokens": result.reply_tokens,
                "total_tokens": result.prompt_tokens + result.reply_tokens,
            },
            "performance": {"latency_ms": result.seconds * 1000, "generation_time_ms": result.model_seconds * 1000},
            "metadata": _texts(trial_facts(result, events)),
        }

    def scores(self) -> dict[str, Any]:
        """The rates with their intervals, the model, and how it was asked."""
        manifest, backend, figures = self.campaign.manifest, self.campaign.manifest.backend, self.campaign.figures
        here = backend.get("llama_cpp_python")
        return {
            **self.identity,
            "evaluation_timestamp": manifest.started,
            "retrieved_timestamp": str(self.at),
            "source_metadata": {
                "source_name": "pytest-agentcore",
                "source_type": "evaluation_run",
                "source_organization_name": self.told.organization or UNSTATED,
                "evaluator_relationship": "other",
            },
            "eval_library": {
                "name": "pytest-agentcore",
                "version": manifest.harness,
                "additional_details": _texts(campaign_facts(self.campaign)),
            },
            "model_info": {
                "name": str(manifest.entry.get("title") or manifest.model),
                "id": self.model_id,
                "inference_platform": backend.get("endpoint"),
                "inference_engine": {"name": "llama-cpp-python", "version": here} if here else None,
                "additional_details": {
                    "deployment_type": "self_deployed" if here else "unknown",
                    "model_availability": "open_weights" if here else "unknown",
                    **_texts({name: backend.get(name) for name in ("file", "quant", "parameters", "sha256", "device")}),
                },
            },
            "evaluation_results": [
                self._result(each) for each in (figures.overall, *figures.tasks) if each.rates.scored
            ],
            "detailed_evaluation_results": {
                "format": "jsonl",
                "file_path": self.rows_file,
                "hash_algorithm": "sha256",
                "checksum": self._digest.hexdigest(),
                "total_rows": self._rows,
            },
        }

    def _result(self, figures: Figures) -> dict[str, Any]:
        """The pass rate of one task, or of all of them."""
        manifest, is_whole = self.campaign.manifest, figures.task == EVERY
        interval = self.campaign.figures.same_tasks if is_whole else figures.wilson
        sums = ("prompt_tokens", "cached_tokens", "reply_tokens", "total_seconds", "model_seconds", "cost")
        details = {**counts(figures), **{name: getattr(figures.effort, name) for name in sums}}
        effective = "Wilson, at the effective sample size of trials stratified by task"
        interval_said = interval and {
            "lower": interval.low,
            "upper": interval.high,
            "confidence_level": CONFIDENCE,
            "method": effective if is_whole else "Wilson, over distinct trials",
        }
        return {
            **self._named(figures.task),
            "source_data": {
                "dataset_name": manifest.suite.name,
                "source_type": "other",
                "additional_details": {"version": manifest.suite.version, "digest": manifest.suite.digest},
            },
            "evaluation_timestamp": manifest.started,
            "metric_config": {
                "evaluation_description": "trials that the checker passed, out of those that it judged",
                **dict.fromkeys(("metric_id", "metric_name", "metric_kind"), "pass_rate"),
                "metric_unit": "proportion",
                "lower_is_better": False,
                "score_type": "continuous",
                "min_score": 0.0,
                "max_score": 1.0,
            },
            "score_details": {
                "score": figures.rates.effective,
                "details": _texts(details | (rates(self.campaign) if is_whole else {})),
                "uncertainty": {"confidence_interval": interval_said, "num_samples": figures.distinct.n},
            },
            "generation_config": self._asked(),
        }

    def _asked(self) -> dict[str, Any]:
        """How replies were sampled, and what the agent had."""
        manifest = self.campaign.manifest
        tools = [
            {"name": tool["name"], "description": tool["description"], "parameters": _texts(tool["parameters"])}
            for tool in manifest.tools
        ]
        sampled = {name: manifest.sampling.get(name) for name in ("temperature", "top_p", "top_k")}
        return {
            "generation_args": {
                **sampled,
                "max_tokens": manifest.budget["reply_tokens"],
                "agentic_eval_config": {"available_tools": tools},
                "eval_limits": {"time_limit": int(manifest.budget["seconds"])},
                "sandbox": {"type": manifest.sandbox["name"]},
            }
        }

    def _named(self, task: str) -> dict[str, str]:
        suite = self.campaign.manifest.suite.name
        name = suite if task == EVERY else f"{suite}/{task}"
        return {"evaluation_name": name, "evaluation_result_id": f"{name}#pass_rate"}


def _message(number: int, message: Message) -> dict[str, Any]:
    calls = [{**call, "arguments": {k: json.dumps(v) for k, v in call["arguments"].items()}} for call in message.calls]
    return {
        "turn_idx": number,
        "role": message.role,
        "content": message.content,
        "reasoning_trace": message.reasoning or None,
        "tool_calls": calls or None,
        "tool_call_id": [message.answers] if message.answers else None,
    }


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as the texts that the format wants: JSON, unless it is one already; what is not known is left out."""
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items() if v is not None}


FORMAT = Format(
    package="every_eval_ever",
    python=(3, 12),
    asks=True,
    files=files,
    opened_with="cd {out} && every_eval_ever validate 'data/*/*/*/*'",
)
