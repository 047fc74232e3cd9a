# `make repro` and `make test` need Python 3.11 or 3.12, git and make, and set up all else.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Nothing phones home.
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help setup doctor repro grid ui test lint check format bench report

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

setup: $(BIN)/.ready ## Create the environment (.venv) from requirements.lock

$(BIN)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
	  { echo "capnet needs Python 3.11 or 3.12; name one: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@test -d .venv || $(PYTHON) -m venv .venv
	@echo "Installing the locked environment into .venv (a few minutes, about 5 GB)"
	$(BIN)/python -m pip install --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

doctor: setup ## Say what works on this machine, and what to do about the rest
	$(BIN)/python -m pipeline.doctor

repro report: export ACCELERATE_LOG_LEVEL := error
repro: setup ## Rebuild all results that are out of date, and log them to MLflow
	$(BIN)/dvc repro
	$(BIN)/python -m pipeline.track --best-effort

grid: setup ## Train all cells that are out of date at once, one per GPU
	$(BIN)/python -m pipeline.grid

ui: setup ## Open the MLflow comparison of all runs
	$(BIN)/python -m pipeline.track --ui

test: export OMP_NUM_THREADS := 1
test: setup ## Run all tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: setup ## Check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

check: lint ## Lint, and the tests that take seconds
	$(BIN)/python -m pytest -q -m "not slow and not distributed and not browser"

format: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## Measure ranking, drawing, loading and training, as ratios within one run
	$(BIN)/python -m bench.ranking --size cuhk03 market --rerank
	$(BIN)/python -m bench.ranking --size cuhk03 market msmt17 500k --kind people --repeats 1
	$(BIN)/python -m bench.generator
	$(BIN)/python -m bench.loading
	$(BIN)/python -m bench.training

report: setup ## Rebuild the report alone
	$(BIN)/dvc repro report
