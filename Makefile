.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin
GROUP ?=
BENCH_VENV ?= .bench-venv
QUICK ?=
ONLY ?=

.PHONY: help install services demo test test-slow lint format ui bench torture lock clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/installed-extras: requirements-extras.lock $(VENV)/installed
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-extras.lock
	@touch $@

install: $(VENV)/installed ## Make the environment (.venv) from requirements.lock

services: ## Install what the slow tests start besides ourselves (Debian packages, as root)
	@missing=""; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$$missing postgresql"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	if [ -z "$$missing" ]; then exit 0; \
	elif [ "$$(id -u)" != 0 ]; then echo "missing:$$missing; as root: apt-get install$$missing" >&2; exit 1; \
	else apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi

demo: install ## The main job on synthetic bars: train, choose, test, show
	$(RUN)/python experiments/run.py experiment=quickstart

test: install lint ## Lint, types, layers and the fast test suite
	$(RUN)/python -m pytest -n 2 --dist worksteal -m "not slow"

# Groups that need more than the fast suite: the extras' packages, a server of Debian's.
test-slow: install $(if $(filter-out jax ray postgres artifacts vendors live console service,$(GROUP)),,$(VENV)/installed-extras)
test-slow: $(if $(filter-out postgres console,$(GROUP)),,services) ## The long tests; GROUP=<name> for one group
	$(RUN)/python -m pytest -m slow --slow-group="$(GROUP)"

lint: install ## Style, types and layers
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

format: install ## Put every file in order
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

ui: install ## Open the MLflow UI on the runs under outputs/
	$(RUN)/mlflow ui --backend-store-uri sqlite:///$(CURDIR)/outputs/mlflow.db --port 5000

$(BENCH_VENV)/installed: requirements-bench.lock pyproject.toml
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.lock
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

bench: $(BENCH_VENV)/installed ## Speed beside other packages, to docs/performance.md; QUICK=1 only tries it
	$(BENCH_VENV)/bin/python experiments/performance/bench.py $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

torture: install ## Kill a sweep at random moments and compare; to docs/reliability.md
	$(RUN)/python experiments/reliability/torture.py

lock: ## Write the lock files of the project from the ranges in pyproject.toml
	rm -rf .lock-venv && $(PYTHON) -m venv .lock-venv
	.lock-venv/bin/python -m pip install --quiet torch==2.13.0
	.lock-venv/bin/python -m pip install --quiet --editable '.[dev]'
	{ sed -n '/^#/p' requirements.lock; .lock-venv/bin/python -m pip list --format=freeze --exclude intraday-rl --exclude pip --exclude setuptools | sed 's/+cpu$$//'; } > .lock && mv .lock requirements.lock
	.lock-venv/bin/python -m pip install --quiet --editable '.[dev-extras]'
	{ sed -n '/^#/p' requirements-extras.lock; .lock-venv/bin/python -m pip list --format=freeze --exclude intraday-rl --exclude pip --exclude setuptools | sed 's/+cpu$$//' | grep -vxFf requirements.lock; } > .lock && mv .lock requirements-extras.lock
	rm -rf .lock-venv

clean: ## Remove caches (never outputs)
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
