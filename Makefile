# Two commands do everything: `make run` starts the workbench, `make test` checks the project.
# The first interpreter that really runs, is 3.11 or 3.12 and can make environments (a version manager's shim may do neither).
CAN_SERVE := import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do $$p -c '$(CAN_SERVE)' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

LOCK_SAYS := Every version of the whole environment, transitive ones included. pip takes it as constraints (-c); make lock renews it.

.PHONY: run test env dev browser lint audit sbom lock sign clean fuzz torture

run: env
	$(BIN)/streamlit run app.py --server.port $(PORT)

# Two test processes of one thread each: torch would give each as many threads as there are cores, and they would wait for each other.
test: dev browser lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Hostile files, each in a child process with limits; goes on at the seed where the last run ended (.fuzz/next-seed). See tests/fuzz.
FUZZ_FILES ?= 5000
fuzz: dev
	OMP_NUM_THREADS=1 nice -n 10 $(BIN)/python -m tests.fuzz --files $(FUZZ_FILES)

# Kill -9 over worker, server and command line, full disks, read-only homes and changed clocks; goes on at the seed where the last run
# ended (.torture/next-seed). See tests/torture.
TORTURE_KILLS ?= 100
torture: dev
	OMP_NUM_THREADS=1 nice -n 5 $(BIN)/python -m tests.torture --kills $(TORTURE_KILLS)

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml detector pages app.py

# Asks the package index for known vulnerabilities of what is locked. pip-audit ends alike where it found some, which it then lists,
# and where it had no answer. What is accepted, and why, is in SECURITY.md.
audit: dev
	@known=$$($(BIN)/pip-audit --requirement requirements.lock --no-deps --disable-pip --strict) || { \
		test -z "$$known" || { echo "$$known"; exit 1; }; \
		echo "No advisories could be had, so nothing is known of any package. Run make audit again with a network." >&2; exit 1; }

# Every package of the environment with its version and licence: CycloneDX 1.6, equal for equal environments.
sbom: dev
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file sbom.cdx.json $(VENV)

env: $(VENV)/.run-ready
dev: $(VENV)/.dev-ready

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Framewitness needs Python 3.11 or 3.12 with venv; none was found. Set PYTHON=/path/to/python3.12." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock

# The three OpenCV wheels write into one folder; the headless one goes last, so that no system library for windows is needed.
# The program itself is installed from its folder, for the command `framewitness`; setuptools is one of the locked packages.
$(VENV)/.run-ready: requirements.txt requirements.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) -r requirements.txt
	$(PIP) --force-reinstall --no-deps opencv-python-headless
	$(PIP) --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev-ready: requirements-dev.txt $(VENV)/.run-ready
	$(PIP) -r requirements-dev.txt
	touch $@

# One lock for both: what 3.11 resolves to also serves 3.12. As constraints, its pins bind only what a platform asks for.
lock: $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	{ echo "# $(LOCK_SAYS)"; $(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
		--no-header --no-annotate requirements-dev.txt; } > requirements.lock.new
	mv requirements.lock.new requirements.lock

# Lists what assets/weights ships and signs the list with the key that FRAMEWITNESS_SIGNING_KEY names; see CONTRIBUTING.md.
sign: env
	$(BIN)/python -m detector.registry.signing

# The browser test drives Chromium; where Debian's package manager is at hand and we may use it, it is installed.
browser:
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
	else echo "No Chromium found: the browser test will be skipped. Install Chromium to run it."; fi

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
