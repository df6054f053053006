# `make` alone says what there is. What a target needs on this machine it installs by itself, but Node.js and Chromium.

.DEFAULT_GOAL := help
.PHONY: help demo bench mutate test test-slow gameday lint types fmt docs golden lock clean venv servers dashboards check-dashboards images

ARGS ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: venv servers ## Run a shop with Prometheus watching it, until Ctrl-C (ARGS="--seconds 60 --fault NAME ...")
	@.venv/bin/python -m sandbox demo $(ARGS)

test: venv servers ## Run the tests, less those that take more than half a minute
	@.venv/bin/pytest -m "not slow" -n 2 --dist loadfile $(ARGS)

test-slow: venv servers ## Run the slow tests
	@.venv/bin/pytest -m slow $(ARGS)

gameday: venv servers ## Play every fault against the whole pack, 40 minutes (ARGS="cron-stopped ...", ARGS=--healthy)
	@.venv/bin/python -m tests.system.gameday $(ARGS)

bench: venv servers ## Measure the cost for the shop's database; writes docs/cost.md (ARGS="--orders 10000000")
	@.venv/bin/python scripts/bench.py $(ARGS)

mutate: venv servers ## Break every alert rule in small ways and see whether its tests notice
	@.venv/bin/python scripts/mutate_alerts.py $(ARGS)

lint: venv ## Check style
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

types: venv ## Check types, strictly
	@.venv/bin/mypy

fmt: venv ## Put the code into the house style
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

docs: venv ## Write the reference pages that are derived from the code
	@.venv/bin/python scripts/generate_docs.py

golden: venv servers ## Write every collector's golden page anew; look at the difference before you commit it
	@.venv/bin/python -m tests.exporter.collectors.golden update

lock: ## Pin every package again, from pyproject.toml (ARGS=--upgrade for newer versions)
	@scripts/lock.sh $(ARGS)

clean: ## Remove what can be made again
	@rm -rf .venv .sandbox .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	@mkdir -p build && find build -mindepth 1 -maxdepth 1 ! -name bench.json ! -name gameday.json -exec rm -rf {} +

venv:
	@scripts/bootstrap.sh

servers: venv
	@.venv/bin/python -m sandbox packages

dashboards: venv ## Write dashboards/generated/*.json
	@.venv/bin/python -m dashboards

check-dashboards: venv ## Check the dashboards against Grafana's own models, types and units (installs them)
	@.venv/bin/python scripts/check_dashboards.py

images: venv servers ## Draw docs/images/*.png from a demo with an incident (45 minutes; ARGS="--prometheus URL")
	@.venv/bin/python scripts/dashboards_images.py $(ARGS)
