# `make` alone says what there is. What a target needs on this machine it installs, except Node.js and Chromium.

.DEFAULT_GOAL := help
.PHONY: help wheel demo generate check test test-slow test-faults matrix gameday simulate bench mutate types fmt lock clean venv servers check-dashboards images

ARGS ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: venv servers ## Run a shop with Prometheus watching it, until Ctrl-C (ARGS="--seconds 60 --fault NAME ...")
	@.venv/bin/python -m sandbox demo $(ARGS)

generate: venv ## Write every derived file, golden files last (ARGS="dashboards rules runbooks docs" without servers)
	@.venv/bin/python scripts/generate.py $(ARGS)

check: venv ## Style, types, freshness and form, in less than a minute
	@.venv/bin/python scripts/check.py

test: venv servers ## Run the tests, less those that take more than half a minute (ARGS="-k cron" for some)
	@.venv/bin/pytest -m "not slow" -n 3 --dist loadfile $(ARGS)

test-slow: venv servers ## Run the slow tests
	@.venv/bin/pytest -m slow $(ARGS)

test-faults: venv servers ## Put every source under every fault, ten minutes (ARGS="-k rabbitmq" for some)
	@.venv/bin/pytest -m slow tests/system/fault_matrix $(ARGS)

matrix: venv servers ## Run the tests against other versions of the servers; writes docs/compatibility.md (ARGS="mysql")
	@.venv/bin/python scripts/matrix.py $(ARGS)

gameday: venv servers ## Play every fault against the whole pack, 40 minutes (ARGS="cron-stopped ...", ARGS=--healthy)
	@.venv/bin/python -m tests.system.gameday $(ARGS)

simulate: venv ## Play faults and healthy years of shops through the rules and routes (ARGS="faults --only 5,000")
	@.venv/bin/python -m tests.system.simulator $(ARGS)

bench: venv servers ## Measure the cost for the shop's database; writes docs/cost.md (ARGS="--orders 10000000")
	@.venv/bin/python scripts/bench.py $(ARGS)

mutate: venv servers ## Break every alert rule in small ways and see whether its tests notice
	@.venv/bin/python scripts/mutate_alerts.py $(ARGS)

wheel: venv ## Build dist/: the wheel, and constraints.txt with the versions that were tested
	@scripts/wheel.sh

types: venv ## Check types, strictly
	@.venv/bin/mypy

fmt: venv ## Put the code into the common style
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

lock: ## Pin every package again, from pyproject.toml (ARGS=--upgrade for newer versions)
	@scripts/lock.sh $(ARGS)

clean: ## Remove what can be made again
	@rm -rf .venv .sandbox .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	@mkdir -p build && find build -mindepth 1 -maxdepth 1 ! -name bench.json ! -name gameday.json ! -name matrix.json ! -name simulated.json -exec rm -rf {} +

venv:
	@scripts/bootstrap.sh

servers: venv
	@.venv/bin/python -m sandbox packages

check-dashboards: venv ## Check the dashboards against Grafana's own models, types and units (installs them)
	@.venv/bin/python scripts/check_dashboards.py

images: venv servers ## Draw docs/images/*.png from a demo with an incident (an hour; ARGS="--prometheus URL")
	@.venv/bin/python scripts/dashboards_images.py $(ARGS)
