# Everything a user or a machine runs. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_VENV := .venv-sam
SAM := SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam

RUNTIME_VENV := .venv-runtime

# Lambda runs 3.13, so `sam build` compiles with it; pyenv keeps one where its shim may not be switched on. What is on
# the path may be such a shim, so it must have shown that it runs.
PYTHON313 = $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13) $(shell python3.13 -c 'import ensurepip, sys; print(sys.executable)' 2>/dev/null))
WITH_313 = PATH="$(if $(PYTHON313),$(dir $(PYTHON313)):)$$PATH"

.PHONY: help
help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.made: requirements-dev.txt layers/destination/requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; say PYTHON=python3.13, for example")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# aws-sam-cli pins packages that the tests need in other versions.
$(SAM_VENV)/.made: requirements-sam.txt
	$(or $(PYTHON313),$(PYTHON)) -m venv $(SAM_VENV)
	$(SAM_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-sam.txt
	@touch $@

# What Lambda's runtime has: its interface client and boto3.
$(RUNTIME_VENV)/.made: requirements-runtime.txt
	$(PYTHON313) -m venv $(RUNTIME_VENV)
	$(RUNTIME_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-runtime.txt
	@touch $@

.PHONY: run
run: $(VENV)/.made ## the whole application on this machine; ONCE=1 ends after the samples
	@$(BIN)/python -m local run $(if $(ONCE),--once) $(ARGS)

.PHONY: storm
storm: $(VENV)/.made ## 5,000 events while everything fails: nothing lost, nothing sent twice; SEED=1 repeats a storm
	@$(BIN)/python -m local.storm $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: test
test: $(VENV)/.made ## every test, offline
	$(BIN)/python -m pytest --numprocesses=2 --quiet $(ARGS)

.PHONY: check
check: $(VENV)/.made $(SAM_VENV)/.made ## style, types, imports and the template
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/template
	$(SAM) validate --lint
	$(SAM) validate --region us-east-1

.PHONY: build
build: $(SAM_VENV)/.made ## what `sam deploy` uploads, in .aws-sam
	$(WITH_313) $(SAM) build

.PHONY: package
package: $(VENV)/.made $(if $(PYTHON313),$(SAM_VENV)/.made $(RUNTIME_VENV)/.made) ## what `sam deploy` uploads, looked through and run in Lambda's emulator
	@if [ -z "$(PYTHON313)" ]; then \
		echo "Not run: no Python 3.13 runs on this machine, so the artifacts were neither built nor tried."; \
	else \
		$(BIN)/python -m local.package --sam $(SAM_VENV)/bin/sam --builder "$(PYTHON313)" --runtime $(RUNTIME_VENV)/bin/python; \
	fi

.PHONY: clean
clean: ## removes what the other targets made
	rm -rf $(VENV) $(SAM_VENV) $(RUNTIME_VENV) .aws-sam .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
