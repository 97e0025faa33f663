# Two commands on a fresh machine: `make quickstart` and `make test`. All else is there for who develops.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.installed

.PHONY: quickstart test test-long test-all check format

quickstart: $(VENV)/.core  ## train on drawn cells and report: two minutes on two cores after the install
	$(BIN)/python train.py experiment=quickstart
	$(BIN)/python -m mk11.report runs --title "Quick start"

# One thread each, or the threads of several processes wait for one another.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test: $(READY)  ## all tests but the long ones, on two cores
	$(PYTEST) -m "not long"

test-long: $(READY)  ## whole matrices, kills and resumes in many processes
	$(PYTEST) -m long

test-all: test test-long

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
