"""What our side imports on top of pytest; run by benchmarks/harness_http.py. Prints JSON: seconds and CPU seconds."""

from __future__ import annotations

import gc
import json
import time

import pytest  # noqa: F401 - is there already

began, cpu_before = time.perf_counter(), time.process_time()
gc.disable()

import openai  # noqa: E402, F401

import pytest_agentcore.backends.openai.backend  # noqa: E402
import pytest_agentcore.session.activate  # noqa: E402
import pytest_agentcore.tools.toolbox  # noqa: E402, F401

print(json.dumps([time.perf_counter() - began, time.process_time() - cpu_before]))
