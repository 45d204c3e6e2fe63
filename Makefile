# Two commands matter: `make demo` and `make test`. Everything else is for people who change the code.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
CACHE ?= .cache
export PYTHONHASHSEED ?= 0

.PHONY: demo test test-all check bench lock clean help

help:  ## List what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/.build: requirements/build.txt pyproject.toml tools/environment.sh
	@tools/environment.sh "$(PYTHON)" "$(VENV)" build

$(VENV)/.dev: requirements/dev.txt pyproject.toml tools/environment.sh
	@tools/environment.sh "$(PYTHON)" "$(VENV)" dev

demo: $(VENV)/.build  ## Build the reference package (first time), serve it, score unseen tickets, kill the worker
	@$(BIN)/holdfast demo --cache "$(CACHE)" $(ARGS)

check: $(VENV)/.dev  ## Format, lint, types, layers, dependencies, dead code, size budgets, docs
	@tools/check.sh "$(BIN)"

test: check  ## Everything, with reduced fault counts (at most 10 minutes on two cores)
	@tools/test.sh "$(BIN)" -m "not faults" $(ARGS)

test-all: check  ## Everything, with the full fault counts
	@tools/test.sh "$(BIN)" $(ARGS)

bench: $(VENV)/.dev  ## Print every performance goal next to the raw limit and a plain peer; JSON in bench/out/
	@$(BIN)/python -m bench $(ARGS)

lock: $(VENV)/.dev  ## Resolve dependencies again
	@tools/lock.sh

clean:  ## Remove the environment, caches and built packages
	@rm -rf "$(VENV)" "$(CACHE)" bench/out .mypy_cache .ruff_cache .pytest_cache .hypothesis
