# The daily commands. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# torch first and by itself: everything else would pull another build of it, gigabytes of CUDA included.
PIN := -c constraints.txt
# Each worker has a PyTorch or two of its own in memory; what a file's tests share is made once, so files stay whole, and
# tests/conftest.py puts the long ones first.
WORKERS ?= 2
# Memory that a test gave back is needed by the next: the C library is to keep it, or each page is mapped and cleared again.
KEEPING := MALLOC_TRIM_THRESHOLD_=268435456 MALLOC_MMAP_THRESHOLD_=67108864 MALLOC_TOP_PAD_=4194304
INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.installed-tools

LOWEST := .venv-lowest
# The rooms between a trace's file and its report, and the command line over them.
WITHOUT_TORCH := $(addprefix tests/,charge compare document findings kernels measure peaks predict reports statistics \
	page timeline trace cli/test_compare.py test_constraints.py test_public_surface.py test_saved.py) \
	--ignore=tests/charge/stages/test_module_stages.py --ignore=tests/measure/roofline/test_shapes.py

.PHONY: help demo test lowest check docs format surface clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(INSTALLED)  ## record EventGPT at its tiny size on the CPU, and say where its time went
	$(BIN)/tracer record --model eventgpt --device cpu --events tests/data/moving_edge.npy --output demo.json --force
	$(BIN)/tracer summarize demo.json

test: $(TOOLS)  ## run all tests, in WORKERS processes (two unless you say otherwise)
	$(KEEPING) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lowest: $(LOWEST)/.installed  ## run the tests of reading and summarising with the lowest versions allowed, without PyTorch
	PYTHONPATH=$(CURDIR) $(LOWEST)/bin/python -m pytest -n $(WORKERS) --dist loadfile $(WITHOUT_TORCH)

check: $(TOOLS)  ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(TOOLS)  ## build the documentation's site into site/; a broken link is an error
	$(BIN)/zensical build --clean --strict

format: $(TOOLS)  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

surface: $(TOOLS)  ## write down what other programs may rely on, where that is meant to change
	$(BIN)/python -m tracer.tables.documentation > docs/tables.md
	$(BIN)/python -m tracer.findings.documentation > docs/findings.md
	$(BIN)/python -m tracer.fleet.documentation docs/fleet.md
	PYTHONPATH=tests:. $(BIN)/python -m support.surface > surface.txt
	mv surface.txt tests/data/public_surface.txt

clean:  ## remove what the other commands made
	rm -rf $(VENV) $(LOWEST) build dist site .cache *.egg-info demo.json .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find tracer model reports tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check $(PIN) torch
	$(BIN)/pip install --quiet --disable-pip-version-check $(PIN) --editable .
	touch $@

$(TOOLS): $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check $(PIN) --editable '.[test,check,docs,browser]'
	touch $@

$(LOWEST)/.installed: constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check -r constraints-lowest.txt
	touch $@
