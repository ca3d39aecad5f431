# `make run` on a fresh clone is all it takes; `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
# Databases of tests that are thrown away need no disk to wait for.
IN_MEMORY := $(shell test -w /dev/shm && echo /dev/shm || echo /tmp)
# One more process than cores, because tests wait for sockets and browsers; four at most.
AT_ONCE := $(shell n=$$(( $$(nproc) + 1 )); echo $$(( n > 4 ? 4 : n )))
# What checks HTML; its stamp lies in the folder that `npm ci` empties first.
MARKUP := tests/markup/node_modules/.made
.PHONY: help run test prove coverage mutants states scripts bench lint types format lock clean

help: ## show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
		|| grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST)

run: .venv/.run ## web, worker, sandbox gateway and demo shop on http://127.0.0.1:8000 (PORT changes it); Ctrl-C stops all
	@exec .venv/bin/python dev.py

test: .venv/.test $(MARKUP) ## everything that CI runs; installs a browser and PostgreSQL from Debian when they are missing
	@.ci/system-packages
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/pytest -n $(AT_ONCE)

prove: .venv/.test ## the proofs about money at release scale (hours); prints a table of counts
	@.ci/system-packages
	@.venv/bin/python -m tests.proofs $(ARGS)

coverage: .venv/.test ## every branch of the modules that decide about money, reached on SQLite; fails below 100 %
	@# Two threads that start at one moment can meet in CPython 3.11's settrace: that is the tracer's error alone.
	PYTEST_DEBUG_TEMPROOT=$(IN_MEMORY) .venv/bin/pytest -q -n $(AT_ONCE) -p no:randomly \
		-W default::pytest.PytestUnhandledThreadExceptionWarning \
		-k "not postgresql" -m "not postgres" --cov --cov-config=tests/money.coveragerc --cov-report=term \
		tests/domain tests/gateway tests/services tests/stories tests/hostile tests/faults tests/store/test_moves.py

mutants: .venv/.test ## break the money modules line by line and see which change no test notices (hours; ARGS="checkout.store*")
	@PYTEST_DEBUG_TEMPROOT=$(IN_MEMORY) .venv/bin/mutmut run $(ARGS); .venv/bin/mutmut results

states: .venv/.test ## draw docs/states.md from the tables of checkout/domain/lifecycle.py
	@.venv/bin/python -m tests.states --save

scripts: .venv/.test ## make static/made.json from the scripts and style sheets beside it, as small as they go
	@.venv/bin/python -m tests.slim --save

bench: .venv/.test ## the benchmarks; prints tables, never fails on a time
	@.venv/bin/python -m bench

lint: .venv/.test ## style and common mistakes
	.venv/bin/ruff check
	.venv/bin/ruff format --check

types: .venv/.test ## mypy, strict
	.venv/bin/mypy

format: .venv/.test ## rewrite files in the one style
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

lock: ## turn requirements.in into requirements.txt, here and in tests/ (ARGS=--upgrade takes newer versions)
	.ci/lock $(ARGS)

clean: ## remove what can be made again; keeps instance/, which holds data
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov mutants test-results
	rm -rf tests/markup/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two stamps, so that `make run` does not wait for test tools. The test lock holds the other one.
.venv/.run: requirements.txt
	@.ci/venv $<
	@touch $@

.venv/.test: tests/requirements.txt requirements.txt
	@.ci/venv $<
	@touch $@ .venv/.run

$(MARKUP): tests/markup/package-lock.json
	@.ci/system-packages
	@echo "Installing $<" >&2
	@npm ci --prefix tests/markup --ignore-scripts --no-audit --no-fund --silent
	@touch $@
