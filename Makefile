# Every habit has one word. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
# Node comes with the pinned Python packages: nothing else need be on the machine.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Browsers and kernels need memory each: more than four at once gain little.
WORKERS := -n logical --maxprocesses 4
# One code path for one result: the chapters' numbers must not depend on how many cores there are.
export PYTHONHASHSEED := 0

.PHONY: help book notebooks widgets figures assignments class grading test browser check serve lab bench linkcheck pdf zip lock clean

help: ## list these words
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | sort | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.ready: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed, and none was found on PATH; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "== Setting up $(VENV) with $$($(PYTHON) --version): a few minutes the first time"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r requirements.txt -e .
	@touch $@

node_modules/.ready: package.json package-lock.json $(VENV)/.ready
	@echo "== Installing what the front end needs"
	npm ci --no-audit --no-fund
	@touch $@

book: $(VENV)/.ready node_modules/.ready ## build the site into _build/html
	@echo "== Building the book (chapters run again only when they, or the package, changed)"
	jupyter-book build . -W -n --keep-going
	@echo "== The book is at file://$(CURDIR)/_build/html/index.html"

notebooks: $(VENV)/.ready ## make chapters/*.ipynb from chapters/*.md, executed
	@echo "== Making the notebooks"
	python theme/notebooks.py $(TOPIC)

widgets: node_modules/.ready ## bundle the labs' JavaScript into code/crossentropy/widgets/static
	@echo "== Bundling the labs"
	node code/crossentropy/widgets/js/build.mjs code/crossentropy/widgets/static

figures: browser ## write every figure for slides into _build/figures: SVG and PNG, light and dark
	@echo "== Writing the figures"
	python theme/figures.py _build/figures "$$(python tests/browser/chromium.py)"

assignments: $(VENV)/.ready ## write the students' and the instructor's notebooks into _build/assignments
	@echo "== Writing the assignments"
	python -m crossentropy.grading.assigning

class: $(VENV)/.ready ## begin a class of your own, in a folder for a private repository: make class DIR=...
	@test -n "$(DIR)" || { echo "Say where: make class DIR=../my-class"; exit 1; }
	python -m crossentropy.grading.classroom "$(DIR)"

grading: $(VENV)/.grading ## install what only the tests of grading need: nbgrader and Dask

$(VENV)/.grading: $(VENV)/.ready requirements-grading.txt
	@echo "== Installing what the tests of grading need"
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r requirements.txt -r requirements-grading.txt
	@touch $@

test: check book browser grading ## everything: check, the package, every notebook by nbval, the built site and the labs in a browser
	@echo "== Testing the package, the notebooks' sources and the site"
	python -m pytest $(WORKERS) --dist worksteal
	@echo "== Running every notebook again and comparing its outputs"
	python -m pytest $(WORKERS) --dist loadfile --nbval chapters

check: $(VENV)/.ready ## lint, format, types, spelling
	@echo "== Checking style, types and spelling"
	ruff check .
	ruff format --check .
	mypy
	codespell

browser: $(VENV)/.ready ## find a Chromium for the tests, or install one
	@echo "== Looking for a Chromium"
	@python tests/browser/chromium.py || { \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && { apt-get install -y -qq chromium-headless-shell || apt-get install -y -qq chromium; }; \
	else playwright install chromium; fi; \
	python tests/browser/chromium.py; } || { echo "No Chromium was found, and none could be installed: put chromium-headless-shell, chromium or google-chrome on PATH"; exit 1; }

serve: book ## show the built site on 127.0.0.1:8000
	python -m http.server --bind 127.0.0.1 --directory _build/html 8000

lab: $(VENV)/.ready ## open the notebooks in JupyterLab
	jupyter lab chapters

bench: $(VENV)/.ready grading ## measure speed and memory, as ratios taken in one run
	python benchmarks/run.py

linkcheck: $(VENV)/.ready node_modules/.ready ## try every outer link (needs the network)
	jupyter-book build . --builder linkcheck

pdf: book browser ## print the whole book into _build/paper
	@echo "== Printing the book"
	python theme/paper.py
	@echo "== The book is at file://$(CURDIR)/_build/paper/cross-entropy-loss.pdf"

zip: book ## pack the site, to be read offline, into _build/paper
	@echo "== Packing the site"
	@mkdir -p _build/paper
	python -c "import shutil; shutil.make_archive('_build/paper/cross-entropy-loss', 'zip', '_build/html')"
	@echo "== The site is in _build/paper/cross-entropy-loss.zip; unpack it and open index.html"

lock: ## pin requirements.txt anew from requirements.in, in a venv of its own
	rm -rf _build/lock
	$(PYTHON) -m venv _build/lock
	_build/lock/bin/python -m pip install --disable-pip-version-check --progress-bar off -r requirements.in
	@{ echo "# Everything that a fresh machine installs, pinned. Made by \`make lock\` from requirements.in; do not edit."; \
	_build/lock/bin/python -m pip freeze --exclude-editable | sed -E 's/\+cpu$$//'; } > requirements.txt
	rm -rf _build/lock

clean: ## remove what was built, and the set-up
	rm -rf _build $(VENV) node_modules
