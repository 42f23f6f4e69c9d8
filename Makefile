# One command each for a newcomer: make reproduce, make test, make lab.
#
# Everything is installed from requirements.lock, releases and hashes, but PyTorch, whose build is
# your choice: TORCH is what pip installs as that. The default is a release whose plain wheel is the CPU
# build on the machines this project is developed on. With a GPU, name the build you want:
#   make reproduce TORCH='torch --index-url <the index of your CUDA version>'
# or, with a torch already installed, `make TORCH= PYTHON=/path/to/its/python` uses that one.
TORCH ?= torch==2.13.0
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
# While one of torch's threads waits for another it would spin, on cores that others need.
export OMP_WAIT_POLICY ?= PASSIVE
# Set for every command: a model or fact set that is not here is an error, not a download.
RUN := HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
PARALLEL := --numprocesses 2 --dist loadfile
STUDY := papermill_runs/studies/default.yaml
# Notebooks at a time: while one trains, the original is asked beside it.
JOBS ?= 2

.PHONY: help install reproduce test torture check format lab serve bench notebooks student \
    lock check-newest check-oldest clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.installed  ## create .venv and install everything into it

$(VENV)/.installed: requirements.lock pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed; name one with PYTHON=python3.x"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(if $(TORCH),,--system-site-packages) $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(if $(TORCH),$(BIN)/python -m pip install --quiet $(TORCH))
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

reproduce: install  ## run notebooks 01-06 on SmolLM2-135M and print the scorecard
	@$(RUN) $(BIN)/mansu sweep $(STUDY) --jobs $(JOBS)

test: install  ## the whole test suite
	$(RUN) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(PARALLEL)

torture: install  ## faults, fuzzing and the paper's study at length
	$(RUN) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $(PARALLEL) -m torture tests/faults tests/fuzz tests/sweep

check: install  ## linters, types, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	.ci/audit $(BIN)

format: install  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lab: install  ## JupyterLab on the notebooks
	$(BIN)/mansu lab

serve: install  ## the notebooks as pages without code (Voilà), on this machine alone
	$(BIN)/mansu serve

bench: install  ## timings, as ratios in one process
	$(RUN) $(BIN)/python bench/attribution.py
	$(RUN) $(BIN)/python bench/depth.py
	$(RUN) $(BIN)/python bench/floor.py
	$(RUN) $(BIN)/python bench/step.py
	$(RUN) $(BIN)/python bench/dashboards.py
	$(RUN) $(BIN)/python bench/neighbour.py

notebooks: install  ## rebuild notebooks/*.ipynb from their .py sources
	$(BIN)/python -m mansu.sweep.notebooks

student: install  ## notebooks without the solutions of their exercises, into student/
	$(BIN)/python -m mansu.lab.student

lock: install  ## the newest releases within pyproject's ranges, into requirements.lock
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-annotate \
	    --no-emit-package torch --custom-compile-command 'make lock' \
	    --extra sweep --extra dev --extra benchmarks --group models --output-file requirements.lock pyproject.toml

check-newest:  ## the suite on the newest releases, whatever the ranges: says what broke
check-oldest:  ## the same on the lowest releases that the ranges name
check-newest check-oldest: check-%:
	$(PYTHON) -m venv --clear $(if $(TORCH),,--system-site-packages) .venv-$*
	$(RUN) OMP_NUM_THREADS=1 .venv-$*/bin/python .ci/ends.py $* --torch '$(TORCH)' $(PARALLEL)

clean:  ## remove the environment; results stay
	rm -rf $(VENV)
