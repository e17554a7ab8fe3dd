# Every target creates what it needs: `make demo` and `make test` work in a fresh clone.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
BIN := .venv/bin
RECORDINGS ?= tests/recordings

.DEFAULT_GOAL := help
.PHONY: help setup demo test check-focus test-oldest test-litellm test-coexistence coexistence-table examples collector test-collector fuzz-collector conformance lint types generate check-generated bench docs screenshots changelog clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: .venv/.installed ## The virtual environment with everything

.venv/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed and was not found.  fix: install python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "no virtual environment could be made.  fix: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all,providers]' --group dev --group data --group processes --group analytics
	@touch $@

demo: setup ## A governed application on real SDKs against replayed traffic, and the dashboard on it
	@$(BIN)/genops demo

test: setup test-collector ## Every test, of Python and of Go
	$(BIN)/python -m pytest -n auto

test-oldest: setup .venv-oldest/.installed ## The adapters against the oldest SDKs in range
	.venv-oldest/bin/python -m pytest -q -n auto tests/adapters -W ignore::DeprecationWarning

.venv-oldest/.installed: pyproject.toml tests/adapters/oldest.txt
	@test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-oldest/bin/python -m pip install --quiet -r tests/adapters/oldest.txt -e '.[cli,policy,redaction]' --group dev
	@touch $@

examples: setup .venv-litellm/.installed ## The examples and the code of the adapters' pages, against replayed traffic
	$(BIN)/python -m pytest -q -n auto tests/examples tests/docs

test-litellm: .venv-litellm/.installed ## The conformance suite of the adapter of LiteLLM
	LITELLM_LOCAL_MODEL_COST_MAP=True .venv-litellm/bin/python -m pytest -q -n auto tests/adapters/test_every_adapter.py -k litellm

# litellm chooses the versions of other SDKs: it has an environment of its own.
.venv-litellm/.installed: pyproject.toml
	@test -x .venv-litellm/bin/python || $(PYTHON) -m venv .venv-litellm
	.venv-litellm/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-litellm/bin/python -m pip install --quiet -e '.[cli,policy,redaction]' 'litellm>=1.60,<2' --group dev
	@touch $@

check-focus: setup .venv-focus/.installed ## A FOCUS 1.2 file of ours before the FinOps Foundation's validator
	$(BIN)/python tools/check_focus.py

# The validator holds numpy below 2 and pyarrow with it. It asks for Python 3.12 because of one line, which 3.11 cannot
# read; numpy 1 has no wheel for 3.13.
.venv-focus/.installed:
	@test -x .venv-focus/bin/python || { for p in python3.12 python3.11; do \
		$$p -c '' >/dev/null 2>&1 && exec $$p -m venv .venv-focus; done; \
		echo "focus-validator needs Python 3.12 or 3.11, and neither was found.  fix: install python3.12"; exit 1; }
	.venv-focus/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-focus/bin/python -m pip install --quiet --ignore-requires-python 'focus-validator==2.2.1' 'pyarrow<21'
	sed -i "s/k.replace('\\\\\"', '\\\\\"\\\\\"')/k.replace(chr(34), chr(34) * 2)/" .venv-focus/lib/python*/site-packages/focus_validator/config_objects/focus_to_duckdb_converter.py
	.venv-focus/bin/python -c 'import os, focus_validator; os.chdir(os.path.dirname(focus_validator.__path__[0])); import focus_validator.main'
	@touch $@

PEERS := $(foreach one,newest older crewai,.venv-peers/$(one)/.installed)

test-coexistence: setup $(PEERS) ## Beside every other instrumentation
	$(BIN)/python tests/coexistence/matrix.py

coexistence-table: setup $(PEERS) ## The same, written into the docs
	$(BIN)/python tests/coexistence/matrix.py --write

.venv-peers/%/.installed: tests/coexistence/%.txt pyproject.toml
	@test -x .venv-peers/$*/bin/python || $(PYTHON) -m venv .venv-peers/$*
	.venv-peers/$*/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	.venv-peers/$*/bin/python -m pip install --quiet -r $< -e .
	@touch $@

collector: ## genops-collector, built by the official builder into collector/dist
	@command -v go >/dev/null 2>&1 || { echo "Go 1.26 or later is needed and was not found.  fix: install it from go.dev/dl"; exit 1; }
	cd collector && go tool -modfile=internal/tools/go.mod builder --config builder-config.yaml

test-collector: ## The Go parts: vet, staticcheck, tests with the race detector; skipped without Go, never in CI
	@if command -v go >/dev/null 2>&1; then $(MAKE) --no-print-directory .test-collector; \
	elif [ -n "$$CI" ]; then echo "Go was not found, and CI never skips the Collector.  fix: install Go 1.26 or later"; exit 1; \
	else echo "SKIPPED: the Go parts in collector/ were not tested, because Go was not found.  fix: install Go 1.26 or later"; fi

# -count=1: Go's cache of results does not see the vectors in spec. Last, the tests that the race detector would spoil.
.PHONY: .test-collector
.test-collector:
	cd collector && go vet ./... && go tool -modfile=internal/tools/go.mod staticcheck ./...
	cd collector && go test -race -count=1 ./...
	cd collector && files=$$(grep -rl --include='*_test.go' '^//go:build !race' .) && \
		tests=$$(grep -hoE '^func Test\w+' $$files | cut -c6- | paste -sd '|' -) && \
		go test -count=1 -run "^($$tests)$$" $$(dirname $$files | sort -u)

fuzz-collector: ## Every fuzz target of the Go parts, a few thousand inputs each; skipped without Go, never in CI
	@if command -v go >/dev/null 2>&1; then $(PYTHON) tools/fuzz_collector.py; \
	elif [ -n "$$CI" ]; then echo "Go was not found, and CI never skips the Collector.  fix: install Go 1.26 or later"; exit 1; \
	else echo "SKIPPED: the Go parts in collector/ were not fuzzed, because Go was not found.  fix: install Go 1.26 or later"; fi

conformance: setup ## The adapters against a folder of recordings: make conformance RECORDINGS=dir
	GENOPS_RECORDINGS="$(RECORDINGS)" $(BIN)/python -m pytest -q tests/adapters/test_recordings.py -rs

lint: setup ## Format, lint, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(MAKE) types

types: setup ## Types, strict
	$(BIN)/mypy

generate: setup ## Names, prices, usage shapes, reference pages, examples and pages of the adapters
	$(BIN)/python tools/build_usage_shapes.py
	$(BIN)/python tools/build_dialects.py
	$(BIN)/python tools/build_recordings_page.py
	$(BIN)/python tools/build_redaction_rules.py
	$(BIN)/python tools/build_redaction_vectors.py
	$(BIN)/python tools/build_budget_scripts.py
	$(BIN)/python tools/build_budget_vectors.py
	$(BIN)/python tools/build_prices.py
	$(BIN)/python tools/build_price_vectors.py
	$(BIN)/python tools/generate.py
	$(BIN)/python tools/build_examples.py

check-generated: setup ## Fails if a generated file is out of date
	$(BIN)/python tools/build_usage_shapes.py --check
	$(BIN)/python tools/build_dialects.py --check
	$(BIN)/python tools/build_recordings_page.py --check
	$(BIN)/python tools/build_redaction_rules.py --check
	$(BIN)/python tools/build_budget_scripts.py --check
	$(BIN)/python tools/build_budget_vectors.py --check
	$(BIN)/python tools/build_prices.py --check
	$(BIN)/python tools/generate.py --check
	$(BIN)/python tools/build_examples.py --check

bench: ## Overhead and price look-ups beside the peers; about twenty minutes
	$(PYTHON) bench/setup_venvs.py
	$(PYTHON) bench/overhead/run.py --series verify,verify-metrics --fresh
	$(PYTHON) bench/overhead/run.py --series time,metrics,total --rounds 3 --scale 0.5 --fresh
	$(PYTHON) bench/overhead/providers.py --rounds 5 --fresh
	$(PYTHON) bench/pricing/run.py --rounds 3
	$(PYTHON) bench/footprint.py
	$(PYTHON) bench/report.py

docs: setup ## Check that the pages' code runs and their links lead somewhere
	$(BIN)/python -m pytest -q tests/docs

screenshots: setup ## The pictures of the dashboard's page, of the demo in a real Chromium
	GENOPS_SCREENSHOTS=1 $(BIN)/python -m pytest -q tests/dashboard/test_screenshots.py

changelog: setup ## The changes of the next release, from changelog.d
	@$(BIN)/towncrier build --draft --version next

clean: ## Remove what make made
	rm -rf .venv .venv-oldest .venv-peers .venv-litellm .venv-focus dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
