# Everything that people and machines run. `make` lists it.
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

# Lambda runs Python 3.13, so `sam build` compiles with it. pyenv may have one that is not active; then python3.13 on the
# path is a shim that fails, so it has to prove that it runs.
PYTHON313 = $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13) $(shell python3.13 -c 'import ensurepip, sys; print(sys.executable)' 2>/dev/null))
WITH_313 = PATH="$(if $(PYTHON313),$(dir $(PYTHON313)):)$$PATH"

# Every package is locked with hashes, dependencies included. Wheels only: an sdist runs its own code during the install and
# downloads a build backend without a hash. --no-deps, because the locks are complete and older pips cannot match a
# dependency with extras, such as boto3[crt], to its line in a lock.
LOCKED := --quiet --quiet --disable-pip-version-check --require-hashes --only-binary=:all: --no-deps

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# pip would build the editable install with a setuptools that it downloads without a hash. requirements/dev.txt locks one.
$(VENV)/.made: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed. Choose one: make PYTHON=python3.13 …")'
	@echo "Installing the development environment in $(VENV), once. This takes a minute or two."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install $(LOCKED) --requirement requirements/dev.txt
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# aws-sam-cli pins packages of which the tests need other versions.
$(SAM_VENV)/.made: requirements/sam.txt
	$(or $(PYTHON313),$(PYTHON)) -m venv $(SAM_VENV)
	$(SAM_VENV)/bin/pip install $(LOCKED) --requirement requirements/sam.txt
	@touch $@

# The packages of Lambda's runtime: its interface client and boto3.
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

# The order matters: the layer's lock constrains the tests' lock, which constrains the runtime's and the browser's.
LOCKS := layers/destination/requirements $(addprefix requirements/,dev browser runtime sam checkov uv)

.PHONY: lock
lock: $(UV_VENV)/.made ## lock the requirements (*.in) with hashes; ARGS=--upgrade takes the newest versions
	@for lock in $(LOCKS); do \
		$(UV_VENV)/bin/uv pip compile --quiet --python $(UV_VENV)/bin/python --universal --python-version 3.11 --no-build \
			--generate-hashes --custom-compile-command "make lock" $(ARGS) --output-file $$lock.txt $$lock.in || exit; \
	done

.PHONY: run
run: $(VENV)/.made ## run the whole stack on this machine; ONCE=1 stops after the samples, PORT=8800 chooses a port, BEARER_TOKEN=… accepts one, REAL=1 delivers to the real Loops
	@$(BIN)/python -m local run $(if $(ONCE),--once) $(if $(PORT),--port $(PORT)) $(if $(BEARER_TOKEN),--bearer-token $(BEARER_TOKEN)) $(if $(filter 1,$(REAL)),--real) $(ARGS)

.PHONY: storm
storm: $(VENV)/.made ## send 5,000 events while everything fails: none is lost or sent twice; SEED=1 repeats a storm
	@$(BIN)/python -m local.storm $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: schema
schema: $(VENV)/.made ## write the JSON Schema of the mappings file, after a change of a directive or an action
	@$(BIN)/python -m segment_loops.mappings_schema > docs/mappings.schema.json.new
	@mv docs/mappings.schema.json.new docs/mappings.schema.json

.PHONY: test
test: $(VENV)/.made ## run every test, offline
	$(BIN)/python -m pytest --numprocesses=2 --quiet $(ARGS)
	@echo "Not run: tests/browser, which need Chromium. Run them with make browser-test."

# Chromium comes from the system. Where apt-get may be used it is installed; elsewhere its tests are not run.
CHROMIUM := $(firstword $(wildcard /usr/bin/chromium /usr/bin/chromium-browser))

$(VENV)/.browser: requirements/browser.txt $(VENV)/.made
	$(BIN)/pip install $(LOCKED) --requirement requirements/browser.txt
	@touch $@

.PHONY: browser-test
browser-test: $(VENV)/.browser ## test the studio in headless Chromium; PICTURES=docs/images renews the pictures in docs
	@if [ -z "$(CHROMIUM)" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1 || true; \
	fi
	@for chromium in "$(CHROMIUM)" /usr/bin/chromium; do \
		if [ -x "$$chromium" ]; then CHROMIUM="$$chromium" PICTURES="$(PICTURES)" exec $(BIN)/python -m pytest --numprocesses=2 --quiet tests/browser $(ARGS); fi; \
	done; \
	echo "Not run: this machine has no Chromium, and it could not be installed (the package is chromium on Debian)."

.PHONY: check
check: $(VENV)/.made $(SAM_VENV)/.made $(CHECKOV_VENV)/.made ## check style, types, imports, the template and the CI workflow
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/template
	$(SAM) validate --lint
	$(SAM) validate --region us-east-1
	$(CHECKOV_VENV)/bin/checkov --file template.yaml --framework cloudformation --skip-download --quiet --compact
	$(BIN)/zizmor --offline --no-progress --quiet .github/workflows/ci.yml

# Segment's own packages, to compare with; without npm or a network, only this project is measured.
bench/peer/node_modules/.package-lock.json: bench/peer/package-lock.json bench/peer/package.json
	@npm ci --prefix bench/peer --ignore-scripts --silent || echo "Segment's packages could not be installed, so only this project is measured."

.PHONY: bench
bench: $(VENV)/.made $(if $(shell command -v npm),bench/peer/node_modules/.package-lock.json) ## measure the speed, compared with Segment's own code if Node is installed
	@PYTHONPATH=layers/destination $(BIN)/python -m bench $(ARGS)

.PHONY: build
build: $(SAM_VENV)/.made ## build what `sam deploy` uploads, in .aws-sam
	$(WITH_313) $(SAM) build --config-env $(CONFIG_ENV)

DEPLOY_OPTIONS = --config-env $(CONFIG_ENV) $(if $(STACK),--stack-name $(STACK)) $(ARGS)
STACK_NAME = $(or $(PYTHON313),$(PYTHON)) -m segment_loops.samconfig $(DEPLOY_OPTIONS)

# Checked before the build, because CloudFormation reports a bad name only once the deployment has begun.
.PHONY: stack-name
stack-name:
	@$(STACK_NAME) >/dev/null

.PHONY: deploy
deploy: stack-name build $(VENV)/.made ## build, deploy and check; CONFIG_ENV=production chooses a section of samconfig.toml, STACK=name another name
	$(SAM) deploy $(DEPLOY_OPTIONS)
	@$(BIN)/segment-loops doctor --stack "$$($(STACK_NAME))"

.PHONY: setup-secret
setup-secret: $(VENV)/.made ## put the Loops API key into the deployed stack's secret; asks for it without showing it
	@$(BIN)/segment-loops setup-secret --config-env $(CONFIG_ENV) $(if $(STACK),--stack $(STACK)) $(ARGS)

.PHONY: package
package: $(VENV)/.made $(if $(PYTHON313),$(SAM_VENV)/.made $(RUNTIME_VENV)/.made) ## build what `sam deploy` uploads, inspect it, and run it in Lambda's emulator
	@if [ -z "$(PYTHON313)" ]; then \
		echo "Not run: this machine has no Python 3.13, so the artifacts were neither built nor tested."; \
	else \
		$(BIN)/python -m local.package --sam $(SAM_VENV)/bin/sam --builder "$(PYTHON313)" --runtime $(RUNTIME_VENV)/bin/python $(ARGS); \
	fi

.PHONY: services
services: $(VENV)/.made ## serve what `sam local` needs; HOST=172.17.0.1 listens on Docker's bridge, on Linux
	@$(BIN)/python -m local.services $(if $(HOST),--host $(HOST)) $(ARGS)

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf $(VENV) $(SAM_VENV) $(RUNTIME_VENV) $(CHECKOV_VENV) $(UV_VENV) .aws-sam .cache .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
