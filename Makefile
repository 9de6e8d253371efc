# One way to run everything. Each target sets up what it needs; CI calls `make check`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TESTS ?=

.PHONY: help setup demo test check lint types format clean bench
help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "trainrun needs Python 3.11 or newer; say make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up .venv (once; a minute or two) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

setup: $(READY)  ## .venv with trainrun and all that tests need

demo: $(READY)  ## train configs/digits.yaml and say how to go on
	@$(BIN)/trainrun fit configs/digits.yaml
	@echo
	@echo "From now on:"
	@echo "  source .venv/bin/activate        then: trainrun --help"
	@echo "  trainrun show last               the run you just made"
	@echo "  trainrun init your.csv           a config for a table of your own"

test: $(READY)  ## every test that needs no special machine
	@$(BIN)/pytest -n 2 $(TESTS)

lint: $(READY)
	@$(BIN)/ruff check src tests
	@$(BIN)/ruff format --check src tests

types: $(READY)
	@$(BIN)/mypy

format: $(READY)  ## lay the code out and mend what the linter can
	@$(BIN)/ruff check --fix src tests
	@$(BIN)/ruff format src tests

benchmarks/.venv/.ready: pyproject.toml constraints.txt
	@echo "Setting up benchmarks/.venv with the peers (once; some minutes, 2 GB) ..."
	@$(PYTHON) -m venv benchmarks/.venv
	@benchmarks/.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

bench: benchmarks/.venv/.ready  ## time trainrun beside its peers: benchmarks/README.md
	@benchmarks/.venv/bin/python -m benchmarks $(BENCH)

check: lint types test  ## what CI runs

clean:  ## remove the environment and caches (never runs/)
	rm -rf .venv build src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
