# Two commands matter: `make run` and `make test`. Both make what they need: only Python 3.11 or newer is asked for.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
# One more than there are processors: a test in a browser waits now and then.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# A `python3.12` on the PATH may be a stub of a version manager: take the first that really runs. The distribution's come
# first: they are optimised by profile, what a version manager has compiled often is not and takes a third more for everything.
FIND_PYTHON = PATH="/usr/bin:$$PATH"; for p in $${PYTHON:-} python3.12 python3.11 python3.13 python3 python; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && type -P "$$p" && break; done || true
REQUIREMENTS := requirements.txt requirements-dev.txt $(if $(shell command -v npm),,requirements-node.txt)
# The stamp carries the hash of what is installed: another lock file, another stamp.
STAMP := $(VENV)/.installed-$(shell cat $(REQUIREMENTS) 2>/dev/null | cksum | cut -d' ' -f1)
# Bytecode is kept for a session's many processes, also where Python is told to keep none: each would compile it all.
KEEPING := PYTHONDONTWRITEBYTECODE=
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1

.PHONY: help
help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | column -t -s "$$(printf '\t')"

.PHONY: install
install: $(STAMP) ## virtual environment with everything of the lock files

$(STAMP): $(REQUIREMENTS)
	@python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then echo "Python 3.11 or newer with venv is needed (set PYTHON=/path/to/python)" >&2; exit 1; fi; \
	if ! $(BIN)/python -c '' 2>/dev/null; then echo "Making $(VENV) with $$($$python --version), $$python"; "$$python" -m venv --clear $(VENV); fi
	@echo "Installing $(REQUIREMENTS)"
	@$(BIN)/python -m pip install -qq --require-hashes $(addprefix -r ,$(REQUIREMENTS))
	@rm -f $(VENV)/.installed-*; touch $@

.PHONY: assets
assets: install ## style sheets, scripts and fonts from npm
	@$(BIN)/python -m portal.web.assets

.PHONY: translations
translations: install ## compile the catalogues
	@if [ -d portal/translations ]; then $(BIN)/pybabel --quiet compile --directory portal/translations; fi

.PHONY: messages
messages: install ## collect the strings of code and templates into the catalogues
	mkdir -p portal/translations
	$(BIN)/pybabel extract --mapping babel.cfg --keyword N_ --keyword lazy_gettext --keyword _l \
		--no-location --sort-output --project 'Joint Projects Portal' --output portal/translations/messages.pot .
	for language in en ru; do \
		if [ -f portal/translations/$$language/LC_MESSAGES/messages.po ]; then verb='update --no-fuzzy-matching --ignore-obsolete'; else verb=init; fi; \
		$(BIN)/pybabel $$verb --width 1000 --input-file portal/translations/messages.pot --output-dir portal/translations --locale $$language; \
	done

.PHONY: run
run: assets translations ## start the portal on this machine: http://localhost:8000, or PORT
	@PORT=$(PORT) exec $(BIN)/python -m portal.local run

.PHONY: test
test: assets translations ## every test, on throw-away services
	@$(KEEPING) $(BIN)/python -m compileall -q -j 0 portal tests
	@$(KEEPING) $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

.PHONY: check
check: types style ## style, types, imports between rooms (-j 2: at the same time)

.PHONY: types
types: install
	$(BIN)/mypy

.PHONY: style
style: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

.PHONY: format
format: install ## put the code into the style that `make check` asks for
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

.PHONY: bench
bench: assets translations ## measure what the README states
	@for name in start staff_list scoring similarity assignment; do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

.PHONY: lock
lock: install ## lock the requirements again, with the newest releases
	for name in requirements requirements-dev requirements-node; do \
		$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
			--custom-compile-command 'make lock' $$name.in --output-file $$name.txt; \
	done

.PHONY: reset
reset: ## forget the data of the embedded services
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m portal.local reset; else rm -rf .local; fi
