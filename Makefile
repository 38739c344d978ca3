# Each target makes its own virtual environment; nothing but Python 3.11+ is needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint docs clean

demo: $(STAMP)
	$(BIN)/evalkit tokenizer --model jpeg-lm --model jpeg-q75 --model webp-q75 --data sample --out runs/demo
	$(BIN)/evalkit leaderboard runs/demo --out runs/demo-leaderboard
	$(BIN)/evalkit generate --model world-ar --prompts world --limit 120 --out runs/demo-probe/images
	$(BIN)/evalkit generate --model world-ar --prompts world --limit 120 --guidance 3 --top-p 0.95 --out runs/demo-probe/images-guided
	$(BIN)/evalkit probe world --images runs/demo-probe/images --limit 120 --out runs/demo-probe/plain
	$(BIN)/evalkit probe world --images runs/demo-probe/images-guided --limit 120 --out runs/demo-probe/guided
	$(BIN)/evalkit leaderboard runs/demo-probe/plain runs/demo-probe/guided --out runs/demo-probe-leaderboard

test: $(STAMP)-test
	$(BIN)/python -m pytest -n 2 -m "not slow and not gpu" $(PYTEST_ARGS)

lint: $(STAMP)-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict evalkit

docs: $(STAMP)-test
	$(BIN)/mkdocs build --strict

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(STAMP)-test: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[test,dev]"
	touch $@ $(STAMP)

clean:
	rm -rf $(VENV) build dist site *.egg-info
