# make demo   set up, let the example agent fail, walk its post-mortem
# make test   set up, lint, type-check, run every test
# make bench  set up, measure questions to traces beside jq, jaq and DuckDB; some five minutes
# make bench-1g  the same with a trace of a gigabyte
# make bench-tap  set up, measure the tap beside other recorders; some ten minutes
# make bench-step  set up, measure what `trace step` takes on a large trace
# make bench-additions  set up, measure what steps, subscribers and attached state add to recording
# make bench-replay  set up, measure what answering from a trace takes beside http.server and vcrpy
# make bench-diff  set up, measure what `trace diff` takes on two long runs
PYTHON ?= python3
PIP_FLAGS ?= --quiet --disable-pip-version-check
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint check test-sdks test-faults bench bench-1g bench-tap bench-additions bench-step bench-diff bench-replay man clean

demo: .venv/demo
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

test: lint check test-sdks test-faults

# The same examples of the properties each time, however slow the machine; pytest by itself looks for new ones.
check: .venv/dev .node/ready
	$(BIN)/pytest -n auto --hypothesis-profile ci

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The tap's tests again, and the replay's scenarios, against the SDKs on httpx (anthropic 0.x, openai 1.x); and every scenario against old ones,
# which have no aiohttp back end and decode neither br nor zstd. Each in an environment of its own.
test-sdks: .venv-sdk0/ready .venv-sdk034/ready
	.venv-sdk0/bin/pytest -n auto --hypothesis-profile ci tests/tap tests/tracereplay/test_matrix.py
	.venv-sdk034/bin/pytest -n auto tests/tap/test_tap_matrix.py tests/tracereplay/test_matrix.py

# Killed processes, full and hanging disks, a pre-forking server: slow, and real.
test-faults: .venv/dev
	$(BIN)/pytest tests/tap -m faults -n auto

# For one question, or another size: make bench BENCH='filter types --megabytes 300'
bench: .venv-bench/ready
	.venv-bench/bin/python benchmarks/reading.py $(BENCH)

bench-1g: .venv-bench/ready
	.venv-bench/bin/python benchmarks/reading.py --large $(BENCH)

# For one part, or a short run: make bench-tap TAP='--quick loss'
bench-tap: .venv/bench
	$(BIN)/python benchmarks/capture.py $(TAP)

# Steps, subscribers, attached state, a choice of events for a sink
bench-additions: .venv/bench
	$(BIN)/python benchmarks/additions.py $(ADDITIONS)

# The stepping session on a large trace; make bench-step STEP='--megabytes 1000'
bench-step: .venv/bench
	$(BIN)/python benchmarks/session.py $(STEP)

# Two long runs compared; make bench-diff DIFF='--events 100000'
bench-diff: .venv/bench
	$(BIN)/python benchmarks/comparing.py $(DIFF)

# A recorded run answered: `trace serve` and `Replay.wrap` beside http.server and vcrpy
bench-replay: .venv-bench/ready
	.venv-bench/bin/python benchmarks/replaying.py $(REPLAY)

man: .venv/dev
	$(BIN)/python man/generate.py

.venv/demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install $(PIP_FLAGS) -e '.[demo]'
	@touch $@

.venv/bench: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install $(PIP_FLAGS) -e '.[bench]'
	@touch $@

# As its users have it: an editable installation takes Python longer to start.
.venv-bench/ready: pyproject.toml $(wildcard trace_cli/*.py trace_cli/commands/*.py tracereplay/*.py)
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install $(PIP_FLAGS) '.[bench-tools]'
	.venv-bench/bin/pip install $(PIP_FLAGS) --force-reinstall --no-deps .
	@touch $@

.venv/dev: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install $(PIP_FLAGS) -e '.[dev]'
	@touch $@ .venv/demo .venv/bench

# The SDK for TypeScript, for the one test that asks with it; without npm that test is skipped.
.node/ready:
	@mkdir -p .node
	@if command -v npm >/dev/null; then npm install --prefix .node --silent --no-audit --no-fund '@anthropic-ai/sdk@0'; fi
	@touch $@

.venv-sdk0/ready: pyproject.toml
	$(PYTHON) -m venv .venv-sdk0
	.venv-sdk0/bin/pip install $(PIP_FLAGS) -e . 'anthropic[aiohttp]<1' 'openai[aiohttp]<2' 'httpx[brotli,zstd]' trio \
		pytest pytest-xdist pydantic hypothesis
	@touch $@

.venv-sdk034/ready: pyproject.toml
	$(PYTHON) -m venv .venv-sdk034
	.venv-sdk034/bin/pip install $(PIP_FLAGS) -e . 'anthropic==0.34.*' 'openai==1.60.*' 'httpx==0.27.*' trio \
		pytest pytest-xdist
	@touch $@

clean:
	rm -rf .venv .node .venv-bench .venv-sdk0 .venv-sdk034 build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis runs
