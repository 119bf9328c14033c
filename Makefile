# Everything a fresh machine needs is Python 3.11 or newer, make and git.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup setup-dev run test lint bench screenshots lock

help:
	@echo "make run     serve Oxide on http://localhost:$(PORT) (PORT=...)"
	@echo "make test    the whole test suite"
	@echo "make lint    formatting, types, imports, migrations, checks"
	@echo "make bench   speed and size, as a table; PEERS=1 with LiteLLM and Portkey, GROWTH=1 with a long history"
	@echo "make screenshots   the pictures that the README and the guides show, and all others, in var/screenshots"
	@echo "make setup   the environment alone, in $(VENV)"

setup: $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Oxide needs Python 3.11 or newer; name one with: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

setup-dev: $(VENV)/.installed-dev

$(VENV)/.installed-dev: requirements-dev.lock | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@ $(VENV)/.installed

run: setup
	$(BIN)/python manage.py serve --port $(PORT)

# One process more than there are cores: most tests wait longer than they work.
test: setup-dev
	$(BIN)/pytest -n $$($(BIN)/python -c "import os; print(1 + os.cpu_count())") --dist loadgroup

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/mypy --python-version 3.10 clients/python/src
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING

bench: setup-dev
	$(BIN)/python -m benchmarks $(if $(PEERS),--peers) $(if $(GROWTH),--growth)

screenshots: setup-dev
	$(BIN)/python -m tests.screenshots

# The locks name no package index: pip asks the one it is set up for.
lock: setup-dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
