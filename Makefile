# One command per task, the same by hand and in CI.  `make help` lists them.
# Each target sets up what it needs in .venv; nothing is installed outside this checkout
# except Debian packages, and those only when you are root.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_SECONDS ?=
# An empty environment has no PATH, and a Python without PATH cannot find itself.
export PATH := $(or $(PATH),/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Bytecode saves 4 MiB and a third of the start time of every process.
unexport PYTHONDONTWRITEBYTECODE

NATIVE := $(wildcard platforms/shims/native_build.py $(foreach kind,*.c *.h build_native.py native.toml,platforms/shims/*/$(kind)))
BUDGET := sh contrib/ci/budget.sh

.DEFAULT_GOAL := help
.PHONY: soak-devnet soak-sim test-simulation soak-powermac soak-steady soak-kill help demo test test-unit test-faults test-endtoend test-arch lint types bench bench-long accuracy cheat size docs clean soak-durability soak-fuzz soak-mutation

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.runtime ## four validators, a miner on this machine's hardware, a reward, a transfer, a proof (DEMO_SECONDS=60 ends by itself)
	@$(BIN)/metanode demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS),)

test: test-unit test-simulation test-faults test-endtoend ## every test; the suites below, each inside its time budget

test-unit: $(VENV)/.dev ## fast tests of every part
	@$(BUDGET) unit 420 $(BIN)/python -m pytest -q -m "not faults and not endtoend and not simulation" $(PYTEST_ARGS)

test-simulation: $(VENV)/.dev ## validators in trouble: 500 seeds, rules broken on purpose, whole nodes
	@$(BUDGET) simulation 240 $(BIN)/python -m pytest -q -m simulation $(PYTEST_ARGS)

test-faults: $(VENV)/.dev ## real processes killed, real files cut
	@$(BUDGET) faults 420 $(BIN)/python -m pytest -q -m faults $(PYTEST_ARGS)

test-endtoend: $(VENV)/.dev ## real node and miner processes, packaging, documentation
	@$(BUDGET) end-to-end 420 $(BIN)/python -m pytest -q -m endtoend $(PYTEST_ARGS)

test-arch: $(VENV)/.dev ## shims and Python on foreign architectures, emulated; a table (ONLY=ppc,linked)
	@$(BIN)/python contrib/arch/run.py --install $(if $(ONLY),--only $(ONLY),)
	@$(BUDGET) architectures 600 $(BIN)/python contrib/arch/run.py $(if $(ONLY),--only $(ONLY),)

soak-kill: $(VENV)/.dev ## a thousand SIGKILLs of a real node, about ten minutes; goes on where it stopped
	@$(BIN)/python contrib/soak/kill.py

soak-sim: $(VENV)/.dev ## validators in trouble under 100,000 seeds; goes on where it stopped (MINUTES=55, SEED=123 SIZE=4 repeats one)
	@$(BIN)/python contrib/soak/sim.py $(if $(MINUTES),--minutes $(MINUTES),) $(if $(SEED),--seed $(SEED) --size $(or $(SIZE),4),)

soak-steady: $(VENV)/.dev ## an hour at 300 transfers a second; memory and cost per transfer must stay flat (SOAK_SECONDS, SOAK_RATE)
	@$(BIN)/python contrib/soak/steady.py

soak-devnet: $(VENV)/.dev ## four real validators for an hour, one killed every 20 s: no fork, no stall (SOAK_SECONDS, SOAK_SEED)
	@$(BIN)/python contrib/soak/devnet.py

soak-powermac: $(VENV)/.dev ## boot an emulated PowerMac G4 and a G3; shims and Python run there (ONLY=mac99)
	@$(BIN)/python contrib/arch/powermac.py $(if $(ONLY),--only $(ONLY),)

lint: $(VENV)/.dev ## ruff, with its ASYNC rules
	@$(BUDGET) lint 60 $(BIN)/ruff check .

types: $(VENV)/.dev ## mypy, strict
	@$(BUDGET) types 120 $(BIN)/mypy

soak-durability: $(VENV)/.dev ## power cuts at every moment, every sync left out once; resumable (SEEDS=3 MINUTES=55)
	@PYTHONPATH=tests/durability $(BIN)/python -m powercut.soak $(if $(SEEDS),--seeds $(SEEDS),) $(if $(MINUTES),--minutes $(MINUTES),)

soak-fuzz: $(VENV)/.fuzz ## fuzz decoders, ledger, dumps of machines, HTTP and C; goes on where it stopped (FUZZ_SECONDS=600, FUZZ_ONLY=decoders)
	@$(BIN)/python tests/fuzz/soak.py $(if $(FUZZ_SECONDS),--seconds $(FUZZ_SECONDS),) $(if $(FUZZ_ONLY),--only $(FUZZ_ONLY),)

soak-mutation: $(VENV)/.dev ## mutants of model, ledger and scoring that tests must kill; goes on where it stopped (ONLY=core/model)
	@$(BIN)/python contrib/mutation/run.py $(if $(ONLY),--only $(ONLY),) $(if $(SAMPLE),--sample $(SAMPLE),)

bench: $(VENV)/.dev ## measure against peers in the same run; writes build/bench.json (ONLY=blake3 for a part)
	@$(BIN)/python contrib/bench/run.py $(if $(ONLY),--only $(ONLY),)

bench-long: $(VENV)/.dev ## measure chains of several validators at full length, about five minutes; needs a quiet machine (ONLY=finality)
	@$(BIN)/python contrib/bench/run.py --long $(if $(ONLY),--only $(ONLY),)

accuracy: $(VENV)/.runtime ## error rates of the fingerprint on the labelled corpora; writes docs/accuracy.md
	@$(BIN)/python contrib/accuracy/run.py

cheat: $(VENV)/.runtime ## cheat a real node in every way we know and print what each would earn (ONLY=invented-g4,flood)
	@$(BIN)/python contrib/cheat/run.py $(if $(ONLY),--only $(ONLY),)

size: ## line budgets of the architecture
	@$(PYTHON) contrib/ci/size.py

docs: $(VENV)/.runtime ## rewrite the reference pages that are generated from the code
	@$(BIN)/python contrib/ci/reference.py --write

clean: ## remove what the targets made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -prune -exec rm -rf {} + ; find . -name '*.egg-info' -prune -exec rm -rf {} + ; find platforms -name '*.so' -delete

$(VENV)/bin/python:
	@sh contrib/ci/venv.sh "$(PYTHON)" "$(VENV)"

$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml setup.py $(NATIVE)
	@echo "setting up $(VENV) (the first time takes about a minute)"
	@$(BIN)/pip install -q -e .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml setup.py $(NATIVE)
	@echo "setting up $(VENV) with the test tools (the first time takes a minute or two)"
	@$(BIN)/pip install -q -e '.[dev,oracles]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.fuzz: $(VENV)/.dev
	@echo "setting up $(VENV) with the fuzzing tools"
	@$(BIN)/pip install -q -e '.[dev,oracles,fuzz]'
	@touch $@
