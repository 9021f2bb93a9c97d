"""The script that measures rows on a GPU runs to its end where there is none, and where nothing must be built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from backends.llama.tiny_models import write_model

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "on_gpu.sh"


@pytest.mark.needs("llama_cpp")
def test_the_script_runs_to_its_end(tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (environment / "ready-off").touch()  # as if it was built
    told = {"AGENTCORE_GPU": "off", "AGENTCORE_VENV": str(environment), "AGENTCORE_ROWS": "2"}
    words = ["bash", str(SCRIPT), str(write_model(tmp_path / "tiny.gguf", "llama"))]
    done = subprocess.run(words, env=os.environ | told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| tiny | CPU | 2 | 5 of 5 |" in done.stdout
    assert "| 2 | 2 | native |" in done.stdout
    assert "(cut off)" not in done.stdout
