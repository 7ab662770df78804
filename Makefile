# The front door. Every target sets up what it needs first (tools/prepare.py) and does nothing twice.
# Settings: PYTHON=python3.12 (3.11 or newer), ARGS="--output json" (handed on to the command), and how long the long
# runs are: CONTAINERS=300 make soak, FUZZ_SECONDS=60 ORACLE_EXAMPLES=500 make fuzz.

PYTHON ?= python3
CONTAINERS ?= 10000
KEEPER_KILLS ?= 100
AUDIT_EVENTS ?= 10000000
STORE_ALERTS ?= 10000000
FUZZ_SECONDS ?= 300
ORACLE_EXAMPLES ?= 5000
PREPARE := @$(PYTHON) tools/prepare.py
INSIDE := .venv/bin/
PREFIX ?= /opt/hullwatch
# CMake would put what it builds for the wheel below it.
unexport DESTDIR
PREFIX_OPTIONS = --prefix "$(PREFIX)" $(if $(DESTDIR),--destdir "$(DESTDIR)")
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo --preserve-env=DOCKER_HOST)

SOAK := tests/test_keeper_process.py tests/store/test_full_store.py tests/test_kubernetes_process.py \
	tests/e2e/test_many_containers.py
FUZZ := tests/native/test_classifier.py tests/native/test_scap.py tests/native/test_capture.py \
	tests/detect/test_three_engines.py tests/rules/test_oracle.py

.DEFAULT_GOAL := help
.PHONY: help run test soak fuzz demo check bench kernels docs build wheel install clean
MAKEFLAGS += --no-print-directory

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 16

run: ## Set up, build, and watch this host until Ctrl-C (root or sudo)
	$(PREPARE) run
	@$(AS_ROOT) $(INSIDE)hullwatch run $(ARGS)

test: ## Set up, build, and run every test; those that need root or an engine say so when skipped
	$(PREPARE) test
	@$(INSIDE)python -m tools.suite $(ARGS)

soak: ## 10,000 containers, 10 M alerts, 10 M audit events: nothing grows; a keeper killed 100 times (sudo; hours)
	$(PREPARE) test
	@$(AS_ROOT) env CONTAINERS=$(CONTAINERS) KEEPER_KILLS=$(KEEPER_KILLS) AUDIT_EVENTS=$(AUDIT_EVENTS) \
		STORE_ALERTS=$(STORE_ALERTS) $(INSIDE)python -m pytest -s $(SOAK) $(ARGS)

fuzz: ## Hostile bytes for what reads them in C, 5 minutes each, then thousands of made-up rules and streams (35 minutes)
	$(PREPARE) test
	@FUZZ_SECONDS=$(FUZZ_SECONDS) ORACLE_EXAMPLES=$(ORACLE_EXAMPLES) $(INSIDE)python -m pytest $(FUZZ) $(ARGS)

demo: ## Start a container, do five bad things in it, and show the alerts (root or sudo)
	$(PREPARE) test
	@$(AS_ROOT) $(INSIDE)python -m tools.demo $(ARGS)

check: ## Style, types, layers, C format, file sizes
	$(PREPARE) check
	@$(INSIDE)python -m tools.check $(ARGS)

bench: ## Measure speed and cost on this machine; writes bench/latest.json (root or sudo)
	$(PREPARE) test
	@$(AS_ROOT) $(INSIDE)python -m bench $(ARGS)

kernels: ## Boot the kernels of Debian 11, 12 and 13 in qemu and tell what the sensor sees on each (3 minutes)
	$(PREPARE) kernels
	@$(INSIDE)python -m tools.kernels $(ARGS)

docs: ## Write the generated reference pages under docs/reference
	$(PREPARE) test
	@$(INSIDE)python -m tools.reference

build: ## Set up everything and build the sensor into src/hullwatch/bin
	$(PREPARE) test

wheel: build ## Build the wheel into dist
	@$(INSIDE)python -m pip --quiet wheel --no-deps --no-build-isolation --wheel-dir dist .

install: wheel ## Install it as a service: PREFIX=/opt/hullwatch, DESTDIR= for a package (root or sudo)
	@$(if $(DESTDIR),,$(AS_ROOT)) $(INSIDE)python -m tools.install $(PREFIX_OPTIONS) $(ARGS) "$$(ls -t dist/*.whl | head -1)"

clean: ## Remove what was built; .venv stays
	@rm -rf build dist src/hullwatch/bin
