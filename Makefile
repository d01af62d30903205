# Everything for a fresh Debian or Ubuntu with make. `make help` lists the targets. tools/setup.sh installs what they need.
# All that is made lies in .venv/ and .cache/; `make clean` removes both.

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
RUN := $(VENV)/bin/python -m
CPP := $(wildcard components/*/*.h components/*/*.cpp tests/*.cpp tests/*/*.cpp tests/*/*.h tools/*/*.cpp tools/balance/*.h)

# What Python has compiled is kept, also where an environment says otherwise: the tests start it hundreds of times.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/python

.DEFAULT_GOAL := help
.PHONY: help demo test footprint bench balance soak docs format lint clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(INSTALLED) ## the full example on a simulated charger, live; ARGS=--once for one picture, ARGS=--house for load management, PORT=/dev/ttyUSB0 for a real charger
	@$(RUN) tools demo $(if $(PORT),--port $(PORT)) $(ARGS)

test: ## all tests, two files on each core at once; ARGS goes to pytest instead
	@PYTHON=$(PYTHON) tools/setup.sh test
	@$(RUN) pytest $(or $(ARGS),-n auto --dist loadfile --no-loadscope-reorder)

footprint: $(INSTALLED) ## flash and RAM on 32-bit RISC-V against the budgets; needs the compilers of tools/debian-packages.txt
	@$(RUN) tools footprint $(ARGS)
	@$(RUN) tools manager-footprint $(ARGS)

bench: $(INSTALLED) ## latency, air time and cost against their targets, about ten minutes; at length: make soak
	@$(RUN) tools latency $(ARGS)
	@$(RUN) tools cost $(ARGS)

balance: $(INSTALLED) ## the load manager's law against others on simulated days, some minutes; ARGS=--short for one of each, --save for docs/load-management
	@$(RUN) tools balance $(ARGS)

soak: $(INSTALLED) ## faults, ten days, fuzzing, hostile texts and latency at length, an hour and a half; ARGS=--save for docs/reliability. In short: make test
	@$(RUN) tools fault-matrix --long --jobs 2 $(ARGS)
	@$(RUN) tools long-life $(ARGS)
	@$(RUN) tools fuzz --long $(ARGS)
	@$(RUN) tools mutations
	@$(RUN) tools security $(ARGS)
	@$(RUN) pytest -q --hypothesis-profile random tests/host tests/bridge/ocpp tests/bridge/test_lifetime_energy.py
	@$(RUN) tools ocpp-cuts
	@$(RUN) tools latency --long $(ARGS)
	@$(RUN) tools cost $(ARGS)

docs: $(INSTALLED) ## the pages and packages that are made from the catalog and by running evse-host
	@$(RUN) tools docs $(ARGS)
	@$(RUN) tools host-docs $(ARGS)

format: $(INSTALLED) ## lay out Python and C++
	@$(RUN) ruff check --fix --quiet . || true
	@$(RUN) ruff format --quiet .
	@$(VENV)/bin/clang-format -i $(CPP)

lint: $(INSTALLED) ## check Python and C++ without changing them
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(VENV)/bin/clang-format --dry-run --Werror $(CPP)

clean: ## remove everything that was made
	rm -rf $(VENV) .cache

$(INSTALLED): pyproject.toml
	@PYTHON=$(PYTHON) tools/setup.sh demo
