# One way to run everything. Each target sets up what it needs; CI calls `make check`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DEV := .venv/.ready-dev
CODE := src tests benchmarks configs
TESTS ?=
# What a process takes from outside must not change a result: the order of sets, the time zone, the locale.
ELSEWHERE := PYTHONHASHSEED=3 TZ=America/St_Johns LC_ALL=C
SHARE := $(addprefix tests/test_,$(addsuffix .py,data_* config_* runs_* treatment notes))
FAULTS ?= full
# Text of the mutants to try; none: all. --all-tests: run the whole suite on each, not only the tests it names.
MUTANTS ?=

.PHONY: help setup demo test browser slurm ray machines faults mutants docs check lint types format clean bench
help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "trainrun needs Python 3.11 or newer; say make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up .venv (once; a minute or two) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@$(BIN)/python -m compileall -q src  # else each start compiles, where PYTHONDONTWRITEBYTECODE is set
	@touch $@

$(DEV): $(READY)
	@echo "Adding what the tests need ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(DEV)  ## .venv with trainrun and all that tests need

demo: $(READY)  ## train configs/digits.yaml and say how to go on
	@$(BIN)/trainrun fit configs/digits.yaml
	@echo
	@echo "From now on:"
	@echo "  source .venv/bin/activate        then: trainrun --help"
	@echo "  trainrun show last               the run you just made"
	@echo "  trainrun init your.csv           a config for a table of your own"

test: $(DEV)  ## every test that needs no special machine, and a share of them in another environment
	@$(BIN)/pytest -n 2 $(TESTS)
	@test -n "$(TESTS)" || { echo "Again with $(ELSEWHERE):"; $(ELSEWHERE) $(BIN)/pytest -n 2 $(SHARE); }

browser: $(DEV)  ## the pages of reports in a real Chromium, which must be installed
	@$(BIN)/pytest -m browser tests/test_browser.py

slurm: $(DEV)  ## docs/batch.md and --on slurm on a real Slurm, and GNU parallel; both must be installed
	@$(BIN)/pytest -m slurm tests/test_slurm.py tests/test_machines_slurm.py

machines: $(DEV)  ## --on slurm, each disturbance at ten random moments (half an hour); Slurm must be installed
	@MACHINES=10 $(BIN)/pytest -m slurm tests/test_machines_slurm.py

.venv/.ready-ray: $(DEV)
	@echo "Adding Ray ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	@touch $@

# Without RAY: each way of dying, alone and in a cluster (a quarter of an hour); RAY=share: a minute of them.
ray: .venv/.ready-ray  ## `--on ray` on a real Ray: kill what it is made of (RAY=share: a minute)
	@$(BIN)/pytest -m ray tests/test_machines_ray.py $(if $(filter share,$(RAY)),-k "this_machine or a_worker")

faults: $(DEV)  ## kill the command, fill its disk, damage its files (an hour; FAULTS=share: minutes); root, strace
	@TMPDIR=$$(test -d /dev/shm && echo /dev/shm || echo /tmp) FAULTS=$(FAULTS) $(BIN)/pytest -m faults -n 2 tests/faults

mutants: $(DEV)  ## turn lines wrong, one at a time, and count how many the tests notice (half an hour)
	@$(BIN)/python tests/mutants.py $(MUTANTS)

lint: $(DEV)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)

types: $(DEV)
	@$(BIN)/mypy

format: $(DEV)  ## format the code and apply automatic fixes of the linter
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

benchmarks/.venv/.ready: pyproject.toml constraints.txt
	@echo "Setting up benchmarks/.venv with the peers (once; some minutes, 2 GB) ..."
	@$(PYTHON) -m venv benchmarks/.venv
	@benchmarks/.venv/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

bench: benchmarks/.venv/.ready  ## time trainrun beside its peers: benchmarks/README.md
	@benchmarks/.venv/bin/python -m compileall -q src  # as `pip install` does it for what it copies
	@benchmarks/.venv/bin/python -m benchmarks $(BENCH)

.venv/.ready-docs: $(DEV)
	@echo "Adding what the site needs ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

docs: .venv/.ready-docs  ## the site, in build/docs: docs/, each command's help, the public docstrings; links are checked
	@$(BIN)/sphinx-build -W --keep-going -q docs build/docs
	@echo build/docs/index.html

check: lint types test  ## what CI runs

clean:  ## remove the environments and caches (never runs/)
	rm -rf .venv benchmarks/.venv build src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
