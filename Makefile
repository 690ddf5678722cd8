# Everything a user or a machine runs. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_VENV := .venv-sam
SAM := SAM_CLI_TELEMETRY=0 $(SAM_VENV)/bin/sam
RUNTIME_VENV := .venv-runtime
CHECKOV_VENV := .venv-checkov
UV_VENV := .venv-uv
CONFIG_ENV ?= default

# Lambda runs 3.13, so `sam build` compiles with it; pyenv keeps one where its shim may not be switched on. What is on
# the path may be such a shim, so it must have shown that it runs.
PYTHON313 = $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13) $(shell python3.13 -c 'import ensurepip, sys; print(sys.executable)' 2>/dev/null))
WITH_313 = PATH="$(if $(PYTHON313),$(dir $(PYTHON313)):)$$PATH"

# Every package and every dependency of it is locked, with hashes. Wheels only: an sdist would run its own code here, and
# download a build backend without a hash. The locks are complete, so pip resolves nothing (--no-deps); older pips cannot
# match a dependency with extras, such as boto3[crt], to its line in a lock.
LOCKED := --quiet --disable-pip-version-check --require-hashes --only-binary=:all: --no-deps

.PHONY: help
help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# pip would build the editable install with a setuptools that it downloads without a hash. requirements/dev.txt locks one.
$(VENV)/.made: requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; say PYTHON=python3.13, for example")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(LOCKED) --requirement requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# aws-sam-cli pins packages that the tests need in other versions.
$(SAM_VENV)/.made: requirements/sam.txt
	$(or $(PYTHON313),$(PYTHON)) -m venv $(SAM_VENV)
	$(SAM_VENV)/bin/pip install $(LOCKED) --requirement requirements/sam.txt
	@touch $@

# What Lambda's runtime has: its interface client and boto3.
$(RUNTIME_VENV)/.made: requirements/runtime.txt
	$(PYTHON313) -m venv $(RUNTIME_VENV)
	$(RUNTIME_VENV)/bin/pip install $(LOCKED) --requirement requirements/runtime.txt
	@touch $@

# checkov pins an older boto3 than the tests need.
$(CHECKOV_VENV)/.made: requirements/checkov.txt
	$(PYTHON) -m venv $(CHECKOV_VENV)
	$(CHECKOV_VENV)/bin/pip install $(LOCKED) --requirement requirements/checkov.txt
	@touch $@

$(UV_VENV)/.made: requirements/uv.txt
	$(PYTHON) -m venv $(UV_VENV)
	$(UV_VENV)/bin/pip install $(LOCKED) --requirement requirements/uv.txt
	@touch $@

# In this order: the layer's versions bind those of the tests, and these bind the runtime's and the browser driver's.
LOCKS := layers/destination/requirements $(addprefix requirements/,dev browser runtime sam checkov uv)

.PHONY: lock
lock: $(UV_VENV)/.made ## locks the requirements (*.in) with hashes; ARGS=--upgrade takes the newest versions
	@for lock in $(LOCKS); do \
		$(UV_VENV)/bin/uv pip compile --quiet --python $(UV_VENV)/bin/python --universal --python-version 3.11 --no-build \
			--generate-hashes --custom-compile-command "make lock" $(ARGS) --output-file $$lock.txt $$lock.in || exit; \
	done

.PHONY: run
run: $(VENV)/.made ## the whole application on this machine; ONCE=1 ends after the samples
	@$(BIN)/python -m local run $(if $(ONCE),--once) $(ARGS)

.PHONY: storm
storm: $(VENV)/.made ## 5,000 events while everything fails: nothing lost, nothing sent twice; SEED=1 repeats a storm
	@$(BIN)/python -m local.storm $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: test
test: $(VENV)/.made ## every test, offline
	$(BIN)/python -m pytest --numprocesses=2 --quiet $(ARGS)
	@echo "Left out: tests/browser, which need Chromium; make browser-test runs them."

# Chromium comes from the system: where apt-get may be used it is installed, elsewhere its tests are left out.
CHROMIUM := $(firstword $(wildcard /usr/bin/chromium /usr/bin/chromium-browser))

$(VENV)/.browser: requirements/browser.txt $(VENV)/.made
	$(BIN)/pip install $(LOCKED) --requirement requirements/browser.txt
	@touch $@

.PHONY: browser-test
browser-test: $(VENV)/.browser ## the studio in headless Chromium; PICTURES=docs/images renews the pictures in docs
	@if [ -z "$(CHROMIUM)" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1 || true; \
	fi
	@for chromium in "$(CHROMIUM)" /usr/bin/chromium; do \
		if [ -x "$$chromium" ]; then CHROMIUM="$$chromium" PICTURES="$(PICTURES)" exec $(BIN)/python -m pytest --quiet tests/browser $(ARGS); fi; \
	done; \
	echo "Not run: there is no Chromium on this machine, and it could not be installed (Debian's package is chromium)."

.PHONY: check
check: $(VENV)/.made $(SAM_VENV)/.made $(CHECKOV_VENV)/.made ## style, types, imports, the template and the CI workflow
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/template
	$(SAM) validate --lint
	$(SAM) validate --region us-east-1
	$(CHECKOV_VENV)/bin/checkov --file template.yaml --framework cloudformation --skip-download --quiet --compact
	$(BIN)/zizmor --offline --no-progress --quiet .github/workflows/ci.yml

# Segment's own packages, to measure beside ours; without npm or a network ours is measured alone.
bench/peer/node_modules/.package-lock.json: bench/peer/package-lock.json bench/peer/package.json
	@npm ci --prefix bench/peer --ignore-scripts --silent || echo "Segment's packages could not be installed."

.PHONY: bench
bench: $(VENV)/.made $(if $(shell command -v npm),bench/peer/node_modules/.package-lock.json) ## how fast it is, beside Segment's own code where there is Node
	@PYTHONPATH=layers/destination $(BIN)/python -m bench $(ARGS)

.PHONY: build
build: $(SAM_VENV)/.made ## what `sam deploy` uploads, in .aws-sam
	$(WITH_313) $(SAM) build --config-env $(CONFIG_ENV)

.PHONY: deploy
deploy: build ## builds and deploys; CONFIG_ENV=production chooses a section of samconfig.toml
	$(SAM) deploy --config-env $(CONFIG_ENV) $(ARGS)

.PHONY: setup-secret
setup-secret: $(VENV)/.made ## puts the Loops API key into the deployed stack's secret, asked for unseen
	@$(BIN)/python -m local.setup_secret --config-env $(CONFIG_ENV) $(if $(STACK),--stack $(STACK)) $(ARGS)

.PHONY: package
package: $(VENV)/.made $(if $(PYTHON313),$(SAM_VENV)/.made $(RUNTIME_VENV)/.made) ## what `sam deploy` uploads, looked through and run in Lambda's emulator
	@if [ -z "$(PYTHON313)" ]; then \
		echo "Not run: no Python 3.13 runs on this machine, so the artifacts were neither built nor tried."; \
	else \
		$(BIN)/python -m local.package --sam $(SAM_VENV)/bin/sam --builder "$(PYTHON313)" --runtime $(RUNTIME_VENV)/bin/python $(ARGS); \
	fi

.PHONY: services
services: $(VENV)/.made ## what `sam local` needs; HOST=172.17.0.1 listens on Docker's bridge, for Linux
	@$(BIN)/python -m local.services $(if $(HOST),--host $(HOST)) $(ARGS)

.PHONY: clean
clean: ## removes what the other targets made
	rm -rf $(VENV) $(SAM_VENV) $(RUNTIME_VENV) $(CHECKOV_VENV) $(UV_VENV) .aws-sam .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
