# Each target makes its own virtual environment; nothing but Python 3.11+ is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test blocks lint docs audit clean

demo: $(STAMP)
	$(BIN)/evalkit demo --out runs/demo

test: $(STAMP)-test
	$(BIN)/python -m pytest -n 2 -m "not slow and not gpu" $(PYTEST_ARGS)

blocks: $(STAMP)-test
	$(BIN)/python -m pytest -n 2 -m slow tests/unit/docs/test_blocks_run.py $(PYTEST_ARGS)

lint: $(STAMP)-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict evalkit

docs: $(STAMP)-test
	$(BIN)/mkdocs build --strict

audit: $(STAMP)
	VENV=$(VENV) .ci/audit

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(STAMP)-test: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[test,dev,docs]"
	touch $@ $(STAMP)

clean:
	rm -rf $(VENV) build dist site *.egg-info
