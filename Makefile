# Every target that runs something first makes .venv from requirements.lock (.ci/environment).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help environment demo up test soak bench check format lock wheel clean

# Settable on the command line: make test ARGS="tests/spec -x". PROCESSES=0 runs the tests in this
# one, as pdb wants it.
ARGS ?=
PROCESSES ?= 2
export PYTHON

# Some machines set it; without bytecode every start of `agentflow` takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

environment: ## Make .venv and the widgets' bundle (the other targets do so themselves)
	@.ci/environment
	@.ci/graph || echo "The widgets' bundle was not made: widgets show pictures in its place." >&2

demo: environment ## Show AgentFlow at work: an agent, a webhook, its runs in the Dagster UI
	@exec $(BIN)/agentflow demo $(ARGS)

up: environment ## Start PostgreSQL, Dagster and the gateway on this machine; Ctrl-C ends them
	@exec $(BIN)/agentflow up $(ARGS)

test: environment ## Run the tests (make test ARGS="tests/spec -x")
	@.ci/chromium
	@exec $(BIN)/python -m pytest -n $(PROCESSES) $(ARGS)

soak: environment ## Run every test, the long ones too
	@.ci/chromium
	@exec env THOROUGH=1 $(BIN)/python -m pytest -n $(PROCESSES) -m "" $(ARGS)

bench: environment ## Measure, side by side with what we compare ourselves to
	@for program in benchmarks/*.py; do $(BIN)/python $$program $(ARGS) || exit; done

check: environment ## Lint, format, types and layers; all of them, even where one fails
	@failed=; \
	for tool in "ruff check ." "ruff format --check ." "pyright --project pyproject.toml" \
	  "lint-imports --no-logo"; do \
	  echo "== $$tool"; $(BIN)/$$tool || failed="$$failed $${tool%% *}"; \
	done; \
	if [[ -n $$failed ]]; then echo "Failed:$$failed" >&2; exit 1; fi

format: environment ## Sort imports and format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: environment ## Write requirements.lock from pyproject.toml (ARGS=--upgrade takes newer releases)
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet $(ARGS) -o requirements.lock
	@.ci/environment

wheel: environment ## Build the wheel into dist/
	@.ci/graph
	$(BIN)/hatchling build -t wheel

clean: ## Remove the environment and what tools left behind (not .agentflow, which holds data)
	rm -rf .venv dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf agentflow_dagster/jupyter/static extensions/graph/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: screenshots
screenshots: environment ## Take the README's screenshots anew (needs chromium)
	@$(BIN)/python docs/images/take.py
