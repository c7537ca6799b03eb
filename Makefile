# Everything starts here: `make lab` and `make test` set up what they need by themselves.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv/bin
export PATH := $(CURDIR)/$(VENV):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export MOLECULE_GLOB := molecule/*/molecule.yml
export TANDEM_LAB_OBSERVABILITY ?= true
ROLE ?=
BOARDS ?=
PACKAGES ?=
ROLES := $(notdir $(wildcard roles/*))
# Those whose tests show most of what the end-to-end tests can't, as all don't fit the hour: `make molecule` runs them.
TEST_ROLES := postgres platform_exporter
PYTEST := $(VENV)/pytest

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: setup
setup:
	@tools/setup.sh

.PHONY: lab
lab: setup $(if $(filter true,$(TANDEM_LAB_OBSERVABILITY)),packages) ## Boot the lab, deploy the platform, say where to look
	@./lab/lab up
	@ansible-playbook site.yml
	@$(VENV)/python -m tools.where

.PHONY: test
test: setup lint unit lab-test molecule-test e2e ## Run what protects everything within an hour: lint, unit, role tests, the platform end to end

.PHONY: lint
lint: setup ## Check style and types
	@ruff check .
	@ruff format --check .
	@mypy lab tools packages dashboards tests/support tests/bench tests/tools
	@mypy --package ansible_collections.tandem.platform.plugins
	@cd roles/postgres/files && mypy --config-file $(CURDIR)/pyproject.toml stall_guard
	@cd roles/service/files && mypy --config-file $(CURDIR)/pyproject.toml timer_runner
	@cd roles/platform_exporter/files && mypy --config-file $(CURDIR)/pyproject.toml platform_exporter
	@$(MAKE) --no-print-directory -C apps check
	@ansible-lint

.PHONY: unit
unit: setup ## Run the unit tests (seconds), also those of the applications
	@$(PYTEST) -n 2 tests/unit
	@$(MAKE) --no-print-directory -C apps test

.PHONY: e2e
e2e: setup ## Make a lab from nothing, deploy, break it and check every promise
	@$(PYTEST) tests/e2e -v -s

.PHONY: lab-test
lab-test: setup ## Test the lab itself, on a small lab of its own
	@$(PYTEST) tests/lab -q

.PHONY: molecule
molecule: setup ## Test the roles on hosts of their own; one of them with ROLE=name
	@tools/molecule.sh $(or $(ROLE),$(ROLES))

.PHONY: molecule-test
molecule-test: setup
	@tools/molecule.sh $(TEST_ROLES)

.PHONY: packages
packages: setup ## Build the packages that Debian lacks, once per user (about eight minutes); PACKAGES=garage builds that
	@$(VENV)/python -m packages $(PACKAGES)

.PHONY: faults
faults: setup ## Run every fault five times on the running lab and print a table (about two hours)
	@$(PYTEST) tests/faults -v -s

.PHONY: observe
observe: setup packages ## Check on the running lab what is told of it, also when things break: panels, logs, alerts, mails (about an hour)
	@$(PYTEST) tests/observability -v -s

.PHONY: bench
bench: setup ## Measure deploys, second runs, the idle lab and how fast the shop answers; prints figures
	@$(VENV)/python -m tests.bench

.PHONY: bench-broker
bench-broker: setup ## Measure on the running lab for how long the broker takes no messages under each fault (half an hour)
	@$(VENV)/python -m tests.bench.broker

.PHONY: bench-autoscale
bench-autoscale: setup ## Measure on the running lab what more consumers bring, and how instances follow a queue (a quarter of an hour)
	@$(VENV)/python -m tests.bench.autoscale

.PHONY: bench-observability
bench-observability: setup ## Measure on the running lab at rest what metrics, logs and alerts cost (three minutes)
	@$(VENV)/python -m tests.bench.costs

.PHONY: status
status: setup ## Show the platform of the lab on one screen; fails when something is wrong
	@ansible-playbook playbooks/status.yml

.PHONY: dashboards
dashboards: setup ## Print every dashboard's panels with their present values in the lab; some of them with BOARDS="edge hosts"
	@$(VENV)/python -m tests.support.panels_text $(BOARDS)

.PHONY: lab-down
lab-down: setup ## Stop the lab; its disks stay for the next `make lab`
	@./lab/lab down

.PHONY: clean
clean: lab-down ## Stop the lab and remove its disks, the virtual environment and caches of this checkout
	@./lab/lab clean
	@rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache
