# Lectern: `make demo` shows it all; `make test` proves it. `make help` lists the rest.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
VLLM := .venv-vllm
COMPRESSOR := .venv-compressor
LLAMA := .venv-llama
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PDFS ?= examples/pdf
DEMO_HOME ?= .lectern/demo
TESTS ?= tests
FUZZ_SECONDS ?= 600

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

demo: setup engine  ## The main job: PDFs in, a tuned model that answers (PDFS=DIR for your own)
	@$(BIN)/lectern demo --pdfs "$(PDFS)" --home "$(DEMO_HOME)"

test: setup engine llama browser  ## All tests, on real servers and a real engine (TESTS=tests/unit for a part)
	@$(BIN)/python -m pytest $(TESTS)

lint: setup  ## ruff, types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: setup  ## Let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

setup: $(VENV)/.installed system  ## The environment of the services, the command and the tests

system:  ## What pip cannot bring (Tesseract, for scans); says so where it cannot install it
	@scripts/install_system.sh

browser:  ## Chromium, in which the tests look at the web app
	@scripts/install_system.sh --browser

engine: $(VENV)/.installed  ## vLLM, in an environment of its own
	@PYTHON="$(PYTHON)" scripts/install_vllm.sh "$(VLLM)"

llama: $(LLAMA)/.installed  ## llama.cpp, which serves GGUF exports, in an environment of its own

$(LLAMA)/.installed: requirements/llama.lock
	@$(PYTHON) -m venv --clear $(LLAMA)
	@$(LLAMA)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

compressor: $(COMPRESSOR)/.installed  ## llm-compressor, which makes exports in 4 and 8 bits, in an environment of its own

$(COMPRESSOR)/.installed: requirements/compressor.lock
	@echo "Making $(COMPRESSOR) (1.5 GB) ..."
	@$(PYTHON) -m venv --clear $(COMPRESSOR)
	@$(COMPRESSOR)/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' $<)"
	@$(COMPRESSOR)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

bench-extraction: setup $(VENV)-peers/.installed  ## Extraction beside other tools (CORPUS=DIR with pdf/ and gt/; default: the examples)
	@$(VENV)-peers/bin/python benchmarks/extraction.py $(CORPUS) --python $(CURDIR)/$(BIN)/python

$(VENV)-peers/.installed: benchmarks/extraction-peers.txt
	@echo "Making $(VENV)-peers (about three minutes) ..."
	@$(PYTHON) -m venv --clear $(VENV)-peers
	@$(VENV)-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

bench-training: setup  ## What each technique of training does to memory and speed, and whether the estimate said so
	@$(BIN)/python -m benchmarks.training

bench-stopping: setup  ## Whether a tuned model learns to stop, and does not where EOS is taken from its data
	@$(BIN)/python -m benchmarks.stopping

bench-kills: setup  ## Ten times kill -9 of the Ray worker, the driver and the Celery worker: the curve is the undisturbed one
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.kills

bench-alignment: setup  ## DPO on synthetic preferences: accuracy of the implied reward on held-out pairs, and what is answered then
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.alignment

bench-serving: setup engine  ## A served model under load, through the gateway and straight (after: lectern demo --keep-running)
	@$(BIN)/python -m benchmarks.serving

bench-isolation: setup engine  ## Adapters under load for five minutes, let go and loaded again: no answer from the wrong one
	@$(BIN)/python -m benchmarks.isolation --vllm $(VLLM)/bin/vllm

bench-replicas: setup engine  ## An engine killed under load, of one replica and of two: what fails, for how long nobody is answered
	@$(BIN)/python -m benchmarks.replicas --vllm $(VLLM)/bin/vllm

bench-speculation: setup engine  ## Guessing tokens by n-grams and by a draft model: answers with and without, acceptance, speed
	@$(BIN)/python -m benchmarks.speculation --vllm $(VLLM)/bin/vllm

bench-ppo: setup  ## PPO at a KL coefficient too low, right and too high, beside what theory allows (minutes on one free core)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.ppo

bench-continual: setup  ## Three collections in sequence: what each way of tuning forgets (hours on a CPU; SMALL=1: on a small base; ARGS="--device cuda")
	@$(BIN)/python -m benchmarks.continual --prepare .lectern/continual $(if $(SMALL),--small)
	@$(BIN)/python -m benchmarks.continual --run .lectern/continual --base .lectern/continual/base --out .lectern/continual.json $(ARGS)

bench-attention: setup  ## The attention kernel beside SDPA, on a GPU
	@$(BIN)/python -m benchmarks.attention

bench-exports: setup compressor engine llama  ## Every export of the demo's model: size, gate, answers and speed in vLLM and llama.cpp (DEMO_HOME=DIR)
	@$(BIN)/python -m benchmarks.exports --home "$(DEMO_HOME)" --vllm $(VLLM)/bin/python --compressor $(COMPRESSOR)/bin/python --llama $(LLAMA)/bin/python

bench-review: setup  ## A simulated reviewer: labels needed by uncertainty and at random; the takeover rule; the queue of 100,000 texts
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/review.py
	@$(BIN)/python benchmarks/review_queue.py

bench-cleaning: setup $(VENV)-cleaning-peers/.installed  ## Labels of lines, garbage found, speed and memory beside datatrove (CORPUS=DIR with gt/*.md)
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/tagging.py $(if $(CORPUS),--corpus $(CORPUS))
	@$(BIN)/python benchmarks/cleaning.py $(CORPUS) --peers $(VENV)-cleaning-peers/bin/python
	@$(BIN)/python benchmarks/near_duplicates.py --datatrove $(VENV)-cleaning-peers/bin/python
	@$(BIN)/python -m benchmarks.chunk_check $(if $(CORPUS),$(CORPUS)/pdf)

$(VENV)-cleaning-peers/.installed: benchmarks/cleaning-peers.txt
	@echo "Making $(VENV)-cleaning-peers (about a minute) ..."
	@$(PYTHON) -m venv --clear $(VENV)-cleaning-peers
	@$(VENV)-cleaning-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

drill: setup  ## Compose's topology as processes: a shelf carried, every part killed, all destroyed and restored (root; DRILL=options)
	@$(BIN)/python -m benchmarks.topology $(DRILL)

fuzz-extraction: setup  ## Mutated PDFs through extraction for ten minutes (FUZZ_SECONDS=60 for one)
	@$(BIN)/python -m tests.fuzz.extraction --seconds $(FUZZ_SECONDS) examples/pdf/*.pdf

images:  ## Build the images of docker/ by buildah, where there is no container engine (root; IMAGES="gateway --help" for some, and options)
	@$(PYTHON) scripts/build_images.py $(IMAGES)

clean:  ## Remove the environments and what the demo left
	rm -rf $(VENV) $(VENV)-peers $(VENV)-cleaning-peers $(VLLM) $(COMPRESSOR) $(LLAMA) .lectern build *.egg-info

# torch comes first and by plain pip, which finds a build for this machine; everything else is locked.
$(VENV)/.installed: requirements/main.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
	  || { echo "Lectern needs Python 3.11 or 3.12 (with venv); set PYTHON=/path/to/it."; exit 1; }
	@echo "Making $(VENV) (about two minutes) ..."
	@$(PYTHON) -m venv --clear $(VENV) || { echo "Python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@$(PIP) install "$$(grep '^torch==' requirements/main.lock)"
	@$(PIP) install --no-deps --requirement requirements/main.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: help demo test lint fix setup system browser engine llama compressor bench-extraction bench-cleaning fuzz-extraction bench-review bench-training bench-stopping bench-continual bench-alignment bench-kills bench-attention bench-serving bench-isolation bench-replicas bench-speculation bench-exports drill images clean bench-ppo
