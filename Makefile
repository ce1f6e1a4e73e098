# Every task is one line; what takes more is a script in scripts/. `make help` lists them.
.DEFAULT_GOAL := help
PY := .venv/bin/python
C_FILES = $(shell find tracer_image -name '*.bpf.[ch]')
IMAGE ?= localhost/podtrace-tracer:dev
KERNELS ?= 5.10 6.1 6.12 newest arm64-6.12

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: ## .venv with kubectl-podtrace in it, running from this tree
	@scripts/install

.PHONY: install-dev
install-dev: ## the same, with what tests and checks need
	@scripts/install dev

.PHONY: demo
demo: ## installs all that is needed, traces the example shop on this machine, prints the report (root or sudo)
	@scripts/demo

.PHONY: test
test: ## installs all that is needed and runs every test that this machine can run
	@scripts/test

.PHONY: test-unit
test-unit: ## numbers and text: no kernel, no cluster, no network
	@$(PY) -m pytest tests/unit tests/repo

.PHONY: test-flow
test-flow: ## whole commands against an API server made for tests
	@$(PY) -m pytest tests/flow

.PHONY: test-browser
test-browser: ## HTML reports in a Chromium without a window
	@$(PY) -m pytest tests/browser

.PHONY: test-bpf
test-bpf: ## this kernel, known loads, exact counts (root)
	@$(PY) -m pytest tests/bpf -m "not long"

.PHONY: test-cluster
test-cluster: ## real pods: KUBECONFIG names a cluster, PODTRACE_IMAGE the tracer's image in it
	@$(PY) -m pytest tests/cluster -m "not long"

.PHONY: test-long
test-long: ## each exact count 20 times over (root); in a cluster 50 kills and a trace of 15 minutes, with each kubelet
	@scripts/test-long

.PHONY: test-kernels
test-kernels: ## tests/bpf under other kernels, where the emulated ones are beside this tree; writes docs/kernels.md
	@scripts/test-kernels ../shared/kernels/kernels $(KERNELS)

.PHONY: coverage
coverage: ## which lines the unit and flow tests do not reach
	@$(PY) -m pytest -q tests/unit tests/flow --cov --cov-report term-missing:skip-covered

.PHONY: lint
lint: ## style, spelling, layers
	@scripts/lint

.PHONY: types
types: ## mypy, strict
	@$(PY) -m mypy

.PHONY: format
format: ## rewrites Python and C files to the style
	@.venv/bin/ruff check --fix-only -q; .venv/bin/ruff format -q; echo $(C_FILES) | xargs -r .venv/bin/clang-format -i

.PHONY: image
image: ## the tracer's image (buildah or docker); IMAGE=NAME:TAG
	@scripts/image $(IMAGE)

.PHONY: bench
bench: ## what tracing costs the traced program (root; some eight minutes)
	@scripts/bench

.PHONY: bench-docs
bench-docs: ## the same, and its tables are written into docs/overhead.md
	@scripts/bench --docs

.PHONY: wheel
wheel: ## dist/*.whl and the sdist
	@$(PY) -m pip -q install build && $(PY) -m build

.PHONY: ci
ci: ## what is run for every change
	@bash .ci/run

.PHONY: clean
clean: ## removes what the other tasks made, but .venv
	@rm -rf build dist kernels-out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
