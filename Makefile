# `make repro` and `make test` do everything, from nothing. `make setup` is what both begin with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/lock.sha256

export OMP_WAIT_POLICY ?= PASSIVE
export PATH := $(CURDIR)/$(BIN):$(PATH)

JOBS ?= 2

.PHONY: setup repro test lint types unit bench verify docs clean

setup: $(STAMP)

# made again when the lock's content differs from what was installed, not when its date does
$(STAMP): requirements.lock pyproject.toml
	@if [ -x $(BIN)/augflow ] && sha256sum --status --check $(STAMP) 2>/dev/null; then touch $(STAMP); else \
	  $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "augflow needs Python 3.11 to 3.13, this is %d.%d: give another with make PYTHON=..." % v)' && \
	  $(PYTHON) -m venv --clear $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . && \
	  sha256sum requirements.lock > $(STAMP); fi

# stages that do not wait for each other run side by side; a plain `dvc repro` makes the same, one
# stage after the other
repro: setup
	$(BIN)/augflow repro --jobs $(JOBS)

test: setup lint types unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

bench: setup
	$(BIN)/python -m benchmarks.bench --sizes 64,128,256 --tasks train,first,more,sweep,transfer

verify: setup
	$(BIN)/augflow verify --level 1

# pages and search work from the disk: open site/index.html
docs: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.lock
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .augflow site .mypy_cache .pytest_cache .ruff_cache .hypothesis
