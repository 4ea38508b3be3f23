# Two commands do everything on a fresh machine: `make demo` and `make test`. Both install what they need into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest

.PHONY: install demo test lint types layers unit docs bench oldest clean help

help:  ## Show this list.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)) and "Python 3.11 or 3.12 is needed: make PYTHON=python3.12 ...")'
	@echo 'Making the environment $(VENV); this takes a minute or two.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@

install: $(VENV)/.installed  ## Make the environment .venv with the package and its development tools.

demo: install  ## Replay real sample logs and a simulated fleet; print graph and accuracy. Needs no broker, JVM or root.
	$(BIN)/python tools/demo.py --out demo

test: lint types layers unit  ## Pass all checks and tests.

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

layers: install
	$(BIN)/lint-imports

unit: install
	$(BIN)/python -m pytest -n auto

docs: install  ## Write the generated reference pages anew.
	$(BIN)/python tools/reference.py

bench: install  ## Measure speed against other engines on the same input.
	$(BIN)/python benchmarks/replay.py --growth
	$(BIN)/python benchmarks/text.py

oldest: pyproject.toml  ## Pass the tests of the core on the oldest supported libraries.
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --editable . 'pyarrow==16.1.0' 'numpy==2.1.3' pytest hypothesis
	$(OLDEST)/bin/python -m pytest -q tests/core tests/golden -p no:cacheprovider

clean:  ## Remove the environments and what demo and tests wrote.
	rm -rf $(VENV) $(OLDEST) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
