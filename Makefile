# The two commands: `make demo` and `make test`. Each does all of its own set-up, on a fresh machine too.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: demo test check lint rootless conform wheel image bench proof clean
.DEFAULT_GOAL := test

# The machine is asked for what it must have before anything is built; the answer names the fix.
$(BIN)/.ready: pyproject.toml ci/setup
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh ci/setup
	@touch $@

demo: $(BIN)/.ready
	@BIN="$(BIN)" sh ci/demo

test: $(BIN)/.ready
	@sh ci/packages
	@BIN="$(BIN)" sh ci/test

lint: $(BIN)/.ready
	@BIN="$(BIN)" sh ci/lint

check: lint test

# The jobs of CI that are no part of `make check`; each is described in docs/ci.md.
rootless conform wheel: $(BIN)/.ready
	@BIN="$(BIN)" sh ci/$@

image:
	@sh ci/image

bench: $(BIN)/.ready
	@$(BIN)/python ci/bench $(BENCH)

proof: $(BIN)/.ready
	@BIN="$(BIN)" sh ci/proof

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
