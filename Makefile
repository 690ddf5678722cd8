# The commands for people and for CI. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_VENV := .venv-sam
SAM := SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam
RUNTIME_VENV := .venv-runtime
CONFIG_ENV ?= default

# `sam build` compiles with Python 3.13, the version that Lambda runs. Versions installed by pyenv are used directly. A
# python3.13 on the path may be a pyenv shim for a version that is not enabled, so it is used only if it runs.
PYTHON313 = $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13) $(shell python3.13 -c 'import ensurepip, sys; print(sys.executable)' 2>/dev/null))
WITH_313 = PATH="$(if $(PYTHON313),$(dir $(PYTHON313)):)$$PATH"

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.made: requirements-dev.txt layers/destination/requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed. Name one, for example: make PYTHON=python3.13")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# aws-sam-cli has its own environment: it pins packages that the tests need in other versions.
$(SAM_VENV)/.made: requirements-sam.txt
	$(or $(PYTHON313),$(PYTHON)) -m venv $(SAM_VENV)
	$(SAM_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-sam.txt
	@touch $@

# The packages of Lambda's runtime: its interface client and boto3.
$(RUNTIME_VENV)/.made: requirements-runtime.txt
	$(PYTHON313) -m venv $(RUNTIME_VENV)
	$(RUNTIME_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-runtime.txt
	@touch $@

.PHONY: run
run: $(VENV)/.made ## run the whole application on this machine; ONCE=1 exits after the samples, REAL=1 delivers to your Loops team, after asking
	@$(BIN)/python -m local run $(if $(ONCE),--once) $(if $(filter 1,$(REAL)),--real) $(ARGS)

.PHONY: storm
storm: $(VENV)/.made ## send 5,000 events while everything fails, and check that none is lost or sent twice; SEED=1 repeats a storm
	@$(BIN)/python -m local.storm $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: test
test: $(VENV)/.made ## run every test, offline
	$(BIN)/python -m pytest --numprocesses=2 --quiet $(ARGS)
	@echo "Not run: tests/browser, which need Chromium. Run them with make browser-test."

# Chromium comes from the system. It is installed if apt-get may be used; otherwise the browser tests are skipped.
CHROMIUM := $(firstword $(wildcard /usr/bin/chromium /usr/bin/chromium-browser))

$(VENV)/.browser: requirements-browser.txt $(VENV)/.made
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-browser.txt
	@touch $@

.PHONY: browser-test
browser-test: $(VENV)/.browser ## test the studio in headless Chromium; PICTURES=docs/images renews the pictures in docs
	@if [ -z "$(CHROMIUM)" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1 || true; \
	fi
	@for chromium in "$(CHROMIUM)" /usr/bin/chromium; do \
		if [ -x "$$chromium" ]; then CHROMIUM="$$chromium" PICTURES="$(PICTURES)" exec $(BIN)/python -m pytest --quiet tests/browser $(ARGS); fi; \
	done; \
	echo "Not run: Chromium is missing and could not be installed. Install it (Debian's package is chromium), then try again."

.PHONY: check
check: $(VENV)/.made $(SAM_VENV)/.made ## check style, types, imports and the template
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/template
	$(SAM) validate --lint
	$(SAM) validate --region us-east-1

# Segment's own packages, for comparison. Without npm or a network, only this project is measured.
bench/peer/node_modules/.package-lock.json: bench/peer/package-lock.json bench/peer/package.json
	@npm ci --prefix bench/peer --ignore-scripts --silent || echo "Segment's packages could not be installed, so only this project is measured."

.PHONY: bench
bench: $(VENV)/.made $(if $(shell command -v npm),bench/peer/node_modules/.package-lock.json) ## measure the speed, and compare it with Segment's own code if Node is installed
	@PYTHONPATH=layers/destination $(BIN)/python -m bench $(ARGS)

.PHONY: build
build: $(SAM_VENV)/.made ## build the artifacts that `sam deploy` uploads, in .aws-sam
	$(WITH_313) $(SAM) build --config-env $(CONFIG_ENV)

# Runs before the build, because CloudFormation would notice a long name only during the deployment.
.PHONY: stack-name
stack-name:
	@$(or $(PYTHON313),$(PYTHON)) -m local.samconfig --config-env $(CONFIG_ENV) $(ARGS)

.PHONY: deploy
deploy: stack-name build ## build and deploy; CONFIG_ENV=production selects a section of samconfig.toml
	$(SAM) deploy --config-env $(CONFIG_ENV) $(ARGS)

.PHONY: setup-secret
setup-secret: $(VENV)/.made ## prompt for the Loops API key and store it in the deployed stack's secret
	@$(BIN)/python -m local.setup_secret --config-env $(CONFIG_ENV) $(if $(STACK),--stack $(STACK)) $(ARGS)

.PHONY: package
package: $(VENV)/.made $(if $(PYTHON313),$(SAM_VENV)/.made $(RUNTIME_VENV)/.made) ## build the artifacts, inspect them and run them in Lambda's emulator
	@if [ -z "$(PYTHON313)" ]; then \
		echo "Not run: building the artifacts needs Python 3.13. Install it, then try again."; \
	else \
		$(BIN)/python -m local.package --sam $(SAM_VENV)/bin/sam --builder "$(PYTHON313)" --runtime $(RUNTIME_VENV)/bin/python $(ARGS); \
	fi

.PHONY: services
services: $(VENV)/.made ## run the local AWS and Loops that `sam local` needs; on Linux, HOST=172.17.0.1 listens on Docker's bridge
	@$(BIN)/python -m local.services $(if $(HOST),--host $(HOST)) $(ARGS)

.PHONY: clean
clean: ## remove everything that the other targets create
	rm -rf $(VENV) $(SAM_VENV) $(RUNTIME_VENV) .aws-sam .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
