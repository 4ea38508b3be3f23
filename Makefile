# Three commands do everything on a fresh machine: `make demo`, `make test` and `make cluster`. They install what they need
# into .venv, and what needs Flink into .venv-flink.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
VENV_FLINK ?= .venv-flink
FLINK_BIN := $(VENV_FLINK)/bin
CLUSTER ?= .cluster
PYTHON_FITS = $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)) and "Python 3.11 or 3.12 is needed: make PYTHON=python3.12 ...")'

.PHONY: install install-flink demo cluster cluster-stop test lint types layers unit streaming hooks docs figures dist bench oldest test-3.12 thorough clean help

help:  ## Show this list.
	@grep -hE '^[a-z0-9.-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON_FITS)
	@echo 'Making the environment $(VENV); this takes a minute or two.'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	@touch $@

install: $(VENV)/.installed  ## Make the environment .venv with the package and its development tools.

# Flink holds pyarrow and numpy at old versions, so what needs it has an environment of its own.
$(VENV_FLINK)/.installed: pyproject.toml constraints-flink.txt
	@$(PYTHON_FITS)
	@echo 'Making the environment $(VENV_FLINK), with Flink, Kafka and a Java runtime; this takes a few minutes and 1.3 GB.'
	$(PYTHON) -m venv $(VENV_FLINK)
	$(FLINK_BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints-flink.txt --editable '.[cluster-test]'
	@touch $@

install-flink: $(VENV_FLINK)/.installed  ## Make the environment .venv-flink, which has Flink and Kafka.

demo: install  ## Replay real sample logs and a simulated fleet; print graph and accuracy. Needs no broker, JVM or root.
	$(BIN)/python tools/demo.py --out demo

cluster: install-flink  ## Start a real Kafka broker and a Flink cluster on loopback, and say where they are. Needs no Docker, JVM or root.
	$(FLINK_BIN)/python tools/cluster.py start $(CLUSTER)

cluster-stop: install-flink  ## Stop what `make cluster` started, and only that.
	$(FLINK_BIN)/python tools/cluster.py stop $(CLUSTER)

test: lint types layers unit streaming  ## Pass all checks and tests.

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: install
	$(BIN)/mypy

layers: install
	$(BIN)/lint-imports

unit: install
	$(BIN)/python -m pytest -n auto

# Many servers start and few run for long: Java's second compiler would cost more than it gains. Two processes take
# modules of tests from one list, each with servers of its own (5 GB): tests wait for servers as often as for a core.
streaming: export JAVA_TOOL_OPTIONS := -XX:TieredStopAtLevel=1
streaming: install-flink  ## Pass the tests against a real broker and a real Flink cluster.
	$(FLINK_BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/live

hooks: install  ## Let git check each commit: lint, format, types, spelling.
	$(BIN)/pre-commit install

docs: install figures  ## Write the generated pages, the README's picture and the outputs that pages show anew.
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/outputs.py

figures: install  ## Draw the README's picture anew, from a run of the demo's fleet.
	$(BIN)/python tools/one_address.py

dist: install  ## Build wheel and sdist into dist, and try the wheel in a clean environment.
	$(BIN)/python tools/dist.py --out dist

bench: install  ## Measure speed against other engines on the same input.
	$(BIN)/python benchmarks/replay.py --growth
	$(BIN)/python benchmarks/text.py
	$(BIN)/python benchmarks/wrapped_logs.py
	$(BIN)/python benchmarks/prefixes.py
	$(BIN)/python benchmarks/workload_memory.py

# Environments of their own: the versions that a user may have, and the development environment does not.
oldest: pyproject.toml  ## Pass the tests of core, sources, replay, lake and stream on the oldest supported libraries.
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --editable . 'pyarrow==16.1.0' 'numpy==2.1.3' pytest hypothesis
	$(OLDEST)/bin/python -m pytest -q tests/core tests/golden tests/lake tests/replay tests/sources tests/stream -p no:cacheprovider

test-3.12:  ## Pass the tests without servers on Python 3.12.
	$(MAKE) PYTHON=python3.12 VENV=.venv-3.12 unit

thorough: install  ## Give the property tests 50 times as many cases (not those of tests/live).
	$(BIN)/python -m pytest -n auto -m hypothesis --hypothesis-profile=thorough

clean:  ## Remove the environments and what demo, cluster and tests wrote.
	rm -rf $(VENV) $(VENV_FLINK) $(OLDEST) .venv-3.12 $(CLUSTER) demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
