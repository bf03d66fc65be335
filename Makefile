# The developer's verbs; CI calls the same ones. `make` alone lists them.
#
# .venv holds everything. Two stamps in it say what is installed: `base` (what a user gets, no torch) and `test`
# (base plus everything the suite needs); both are made again when pyproject.toml or constraints.txt changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-input -c constraints.txt
SETTINGS := pyproject.toml constraints.txt
# Both cores, a file's tests on one of them and in their order. What is slow measures time and memory: one by one.
# A worker that dies is not replaced: its test fails by name, where loadfile would wait for the new one for ever.
BOTH_CORES := -n 2 --dist loadfile --max-worker-restart=0
PYTEST ?= $(BOTH_CORES) -m 'not slow'

# Tests that read the real corpora skip, with their reason, where these are not here.
ifneq ($(wildcard ../shared/data/SOURCES.md),)
export RELATOME_DATA ?= $(abspath ../shared/data)
endif

.DEFAULT_GOAL := help
.PHONY: help demo install test check docs build clean

help:  ## list the verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*##[[:space:]]*/\1\t/' | expand -t 10

demo: $(VENV)/base  ## install the base package, then read examples/abstracts.txt
	@$(BIN)/relatome extract examples/abstracts.txt

install: $(VENV)/test  ## set up .venv with the test extras

test: $(VENV)/test  ## run the suite (PYTEST="-k spans" narrows it, PYTEST="-m slow" runs the slow part, as CI does too)
	$(BIN)/python -m pytest $(PYTEST)

check: $(VENV)/test  ## lint, format, types, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/test  ## build the pages into site/
	$(BIN)/mkdocs build --strict --quiet

build: $(VENV)/test  ## wheel and sdist into dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

clean:  ## remove everything that make made
	rm -rf $(VENV) dist build site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else \
	  "relatome needs Python 3.11 or newer, and $(PYTHON) is %d.%d: say make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/base: $(VENV)/pyvenv.cfg $(SETTINGS)
	@echo "installing the base package into $(VENV)" >&2
	@$(PIP) -e .
	@touch $@

# torch goes first and alone: asked for by name and version, pip takes the CPU build where one is offered, and what
# comes after finds its requirement met instead of asking for the newest build with gigabytes of CUDA.
$(VENV)/test: $(VENV)/pyvenv.cfg $(SETTINGS)
	@echo "installing the package with its test extras into $(VENV)" >&2
	@$(PIP) torch==2.13.0
	@$(PIP) -e '.[test]'
	@touch $(VENV)/base $@
