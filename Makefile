# Two commands on a fresh machine: `make quickstart` and `make test`. All else is there for who develops.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.installed

.PHONY: quickstart test check format

quickstart: $(VENV)/.core  ## train on drawn cells and report: two minutes on two cores after the install
	$(BIN)/python train.py experiment=quickstart
	$(BIN)/python -m mk11.report runs --title "Quick start"

test: $(READY)  ## all tests, on two cores; one thread each, or the threads of several processes wait for one another
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: $(READY)  ## format, lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(READY): $(VENV)/.core
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test]"
	$(BIN)/python -m pip install --quiet --no-deps sweeps==0.3.0  # W&B's own search; pins NumPy 1, runs with 2
	touch $@
