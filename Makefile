# The two commands: `make report` (the main job) and `make test`. CORPUS is a folder of
# speech, or mini_librispeech, which is downloaded.
PYTHON ?= python3
# The environment is named after its packages, and shared by all checkouts.
KEY := $(shell cat constraints.txt | sha256sum | cut -c1-12)
UNIWAV_ENV ?= $(HOME)/.cache/espnet_uniwav/$(KEY)
FAIRSEQ2_KEY := $(shell cat constraints-fairseq2.txt | sha256sum | cut -c1-12)
FAIRSEQ2_ENV ?= $(HOME)/.cache/espnet_uniwav/fairseq2-$(FAIRSEQ2_KEY)
CORPUS ?=
ARGS ?=
RECIPE := egs2/mini_speech/ssl1
MINI := egs2/mini_librispeech
ifeq ($(CORPUS),mini_librispeech)
REPORT := $(MINI)/ssl1/run.sh
else
REPORT := $(RECIPE)/run.sh --corpus "$(if $(CORPUS),$(abspath $(CORPUS)))"
endif
BIN := PATH=$(UNIWAV_ENV)/bin:$$PATH

.PHONY: report test test-install test-fairseq2 fuzz env check clean

report: env
	$(BIN) $(REPORT) --report $(CURDIR)/report/index.html $(ARGS)
	@echo "Open report/index.html"

test: env check
	$(BIN) PYTHONPATH=$(CURDIR) python -m pytest $(ARGS)

# The wheel with unpinned dependencies, as installed by `pip install .`; about 8 GB.
test-install:
	test/install.sh $(PYTHON)

# The adapter of fairseq2, in an environment of its own: 4 minutes, 8 GB.
test-fairseq2: $(FAIRSEQ2_ENV)/ready
	$(FAIRSEQ2_ENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	PYTHONPATH=$(CURDIR) $(FAIRSEQ2_ENV)/bin/python -m pytest -k fairseq2 test/fairseq2 test/test_docs.py $(ARGS)

# Fuzzing with broken and malicious input, and killed processes: an hour or less.
fuzz: env
	$(BIN) PYTHONPATH=$(CURDIR) FUZZ=20000 KILLS=20 python -m pytest test/fuzz test/tasks/test_safe_training.py $(ARGS)

check: env
	$(BIN) ruff check . && $(BIN) ruff format --check .

env: $(UNIWAV_ENV)/ready

$(UNIWAV_ENV)/ready: PINS := constraints.txt
$(FAIRSEQ2_ENV)/ready: PINS := constraints-fairseq2.txt
# fairseq2 wants libsndfile of the system, or here: soundfile's.
$(FAIRSEQ2_ENV)/ready: THEN = ln -s $$(find $(@D)/lib -name 'libsndfile_*.so') $(@D)/lib/libsndfile.so.1
$(UNIWAV_ENV)/ready $(FAIRSEQ2_ENV)/ready:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v != (3, 11) and f"the pinned environment needs Python 3.11, found {v}: make PYTHON=python3.11 ...")'
	@echo "Building the environment in $(@D): about 4 minutes, 8 GB"
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps -r $(PINS)
	$(@D)/bin/python -m pip check
	$(THEN)
	touch $@

clean:
	rm -rf report $(RECIPE)/data $(RECIPE)/exp
	rm -rf $(MINI)/data $(MINI)/*/data $(MINI)/*/exp $(MINI)/*/report
