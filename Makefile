# Each target creates what it needs in .venv. Choose the interpreter with PYTHON=, the folder with VENV=.
# `make demo` and `make test` are the two commands of the README.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
CLIENTS := .venv-clients
# Tests wait now and then, so there is one worker more than cores. They begin with the tests in
# JupyterLab (tests/conftest.py).
PARALLEL := -n $(shell echo $$(($$(nproc) + 1))) --dist loadgroup

# Without compiled modules every start of a kernel would compile them again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint bench soak clients soak-clients newest dev clean

demo: $(VENV)/.installed  ## run the main job on this repository's own source
	$(BIN)/budget-magic demo budget_magic

test: $(VENV)/.installed-test  ## all tests that this machine can run
	$(BIN)/python -m pytest $(PARALLEL)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.installed-test  ## harness overhead and load cost, for the README's table
	$(BIN)/python -m tests.bench

soak: $(VENV)/.installed-test soak-clients  ## the same properties with more examples, more clients
	BUDGET_MAGIC_EXAMPLES=$${BUDGET_MAGIC_EXAMPLES:-10000} $(BIN)/python -m pytest $(PARALLEL)

clients: $(CLIENTS)/pydantic-ai/.installed  ## third-party clients, for make test

soak-clients: clients $(CLIENTS)/langchain/.installed tests/clients/node_modules/.installed

newest: $(VENV)-newest/bin/python  ## the newest version of everything, without constraints.txt
	$(VENV)-newest/bin/python -m pip install -qq --upgrade --upgrade-strategy eager -e '.[test]'
	$(VENV)-newest/bin/python -m pip freeze --exclude-editable
	$(VENV)-newest/bin/python -m pytest $(PARALLEL)

dev: $(VENV)/.installed-dev  ## the environment for working on the code

clean:
	rm -rf $(VENV) $(VENV)-newest $(CLIENTS)

$(VENV)/bin/python $(VENV)-newest/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "budget_magic needs Python 3.11 or newer and $(PYTHON) is not: choose one, as in" \
	    "make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(@D)/..

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e .
	$(BIN)/python -m compileall -q $(VENV)/lib budget_magic || true
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e '.[test]'
	$(BIN)/python -m compileall -q $(VENV)/lib budget_magic || true
	touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e '.[dev]'
	$(BIN)/python -m compileall -q $(VENV)/lib budget_magic || true
	touch $@ $(VENV)/.installed $(VENV)/.installed-test

$(CLIENTS)/%/.installed: tests/clients/%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install -qq --disable-pip-version-check -r $<
	touch $@

tests/clients/node_modules/.installed: tests/clients/package.json
	npm --prefix tests/clients install --no-package-lock --no-audit --no-fund --loglevel=error
	touch $@
