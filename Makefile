# Needs Python 3.11 or newer, make and git; everything else goes into .venv.
#
#   make demo    the tour: a service, a fitted law, plans, a front
#   make test    everything checked: lint, types, layers, contract, the whole suite with branch coverage
#   make bench   benchmarks side by side with peers, results in benchmarks/results/
#   make calibrate  the planner's hardware constants fitted anew to measurements (../shared, or APPORTION_SHARED), and
#                   those of intervals beyond the runs to public tables of runs
#   make serve   the service on loopback
#   make lint    the checks without the suite
#   make format  what `make lint` wants of the formatting
#   make figures the pictures and tables in docs/ that are made from the project itself

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

# The first Python that is new enough; `make PYTHON=… ` to choose another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
DISTRIBUTIONS := pyproject.toml clients/pyproject.toml constraints.txt

# Small dense algebra in several processes: one thread each is faster than all fighting over the cores.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
export PYTHONUNBUFFERED := 1

TEST_PROCESSES ?= 2
PYTEST_ARGS ?=

.PHONY: demo test lint bench calibrate serve format figures stubs-fresh setup clean

setup: $(VENV)/.ready-for-tests

demo: $(VENV)/.ready
	$(BIN)/apportion demo

serve: $(VENV)/.ready
	$(BIN)/apportion serve

test: $(VENV)/.ready-for-tests lint
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest --numprocesses=$(TEST_PROCESSES) --cov --cov-branch --cov-report=term $(PYTEST_ARGS)

lint: $(VENV)/.ready-for-tests stubs-fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet . || { echo "lint: run 'make format'"; exit 1; }
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/buf lint

# The committed stubs are those that the protos give.
stubs-fresh: $(VENV)/.ready-for-tests
	fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	./proto/generate "$$fresh"; \
	diff --recursive --exclude=__pycache__ --exclude=__init__.py "$$fresh/apportion/v1" clients/apportion/v1 \
	|| { echo "lint: clients/apportion/v1 is stale, run ./proto/generate"; exit 1; }

format: $(VENV)/.ready-for-tests
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

# Every script here that runs by itself; calibrating writes the planner's constants and so is asked for by name.
bench: $(VENV)/.ready-for-tests
	mkdir -p benchmarks/results
	failed=0; for script in $$(grep -l '^if __name__' benchmarks/*.py | grep -v -e /calibrate_ -e _figures); do \
	  name=$$(basename "$$script" .py); echo "== $$name"; \
	  $(BIN)/python "$$script" 2>&1 | tee "benchmarks/results/$$name.txt" || { echo "== $$name failed"; failed=1; }; \
	done; exit $$failed

calibrate: $(VENV)/.ready-for-tests
	$(BIN)/python benchmarks/calibrate_hardware.py --data "$${APPORTION_SHARED:-../shared}/data/hardware"
	$(BIN)/python benchmarks/calibrate_extrapolation.py --write

figures: $(VENV)/.ready-for-tests
	$(BIN)/python docs/make_laws.py
	$(BIN)/python docs/make_figures.py
	$(BIN)/python benchmarks/hardware_figures.py

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "make: needs Python 3.11 or newer with its venv module (PYTHON=… to name it)"; exit 1; fi
	$(PYTHON) -m venv $(VENV)

# Both distributions, editable, at the versions of constraints.txt.
$(VENV)/.ready: $(DISTRIBUTIONS) | $(BIN)/python
	@echo "setting up $(VENV): about 740 MB, a minute or two"
	$(PIP) --editable './clients[charts]' --editable .
	touch $@

$(VENV)/.ready-for-tests: $(VENV)/.ready
	$(PIP) --editable './clients[all]' --editable '.[runs,test,dev]'
	touch $@

clean:
	rm -rf build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
