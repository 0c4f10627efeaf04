# The two commands: `make report` (the main job) and `make test`. CORPUS is a folder of
# speech, or mini_librispeech, which is downloaded.
PYTHON ?= python3
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# Packages of every Python; the newest ESPnet of 3.11 is older than that of the others.
PINS_3.11 := constraints.txt
PINS_3.12 := constraints-3.12.txt
PINS_3.13 := constraints-3.12.txt
PINS := $(PINS_$(VERSION))
# An environment is named after its Python and packages, and shared by all checkouts.
key = $(shell cat $(1) /dev/null | sha256sum | cut -c1-12)
UNIWAV_ENV ?= $(HOME)/.cache/espnet_uniwav/$(VERSION)-$(call key,$(PINS))
FAIRSEQ2_PINS := constraints-fairseq2.txt
FAIRSEQ2_ENV ?= $(HOME)/.cache/espnet_uniwav/fairseq2-$(call key,$(FAIRSEQ2_PINS))
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

# A process for each core, four at most.
test: env check
	$(BIN) PYTHONPATH=$(CURDIR) python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

# The wheel with unpinned dependencies, as installed by `pip install .`, on Python 3.11 and
# on 3.13 or 3.12 where there is one; about 8 GB and a quarter of an hour each.
test-install:
	test/install.sh $(PYTHONS)

# The adapter of fairseq2, in an environment of its own: 4 minutes, 8 GB.
test-fairseq2: $(FAIRSEQ2_ENV)/ready
	$(FAIRSEQ2_ENV)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	PYTHONPATH=$(CURDIR) $(FAIRSEQ2_ENV)/bin/python -m pytest -k fairseq2 test/integrations/fairseq2 test/test_docs.py $(ARGS)

# Fuzzing with broken and malicious input, and killed processes: an hour or less.
fuzz: env
	$(BIN) PYTHONPATH=$(CURDIR) FUZZ=20000 KILLS=20 python -m pytest test/fuzz test/integrations/espnet/test_safe_training.py $(ARGS)

check: env
	$(BIN) ruff check . && $(BIN) ruff format --check .

env: $(UNIWAV_ENV)/ready

$(UNIWAV_ENV)/ready:
	@test -n "$(PINS)" || { echo "The pinned environments are for Python 3.11, 3.12 and 3.13, found $(VERSION): make PYTHON=python3.12 ..."; exit 1; }
	$(call build,$(PINS),true)

$(FAIRSEQ2_ENV)/ready:
	@test "$(VERSION)" = 3.11 || { echo "The environment of fairseq2 is for Python 3.11, found $(VERSION): make PYTHON=python3.11 ..."; exit 1; }
# fairseq2 wants libsndfile of the system, or here: soundfile's.
	$(call build,$(FAIRSEQ2_PINS),ln -s $$(find $(@D)/lib -name 'libsndfile_*.so') $(@D)/lib/libsndfile.so.1)

# build PINS,COMMAND: the environment in the folder of the target, then COMMAND. Of several
# that build it at once, one does and the others wait.
define build
	@echo "Building the environment in $(@D): about 6 minutes, 8 GB"
	@mkdir -p $(dir $(@D))
	exec 9> $(@D).lock && flock 9 && { test -e $@ || { \
	    rm -rf $(@D) && $(PYTHON) -m venv $(@D) && \
	    $(@D)/bin/python -m pip install --quiet --no-deps -r $(1) && \
	    $(@D)/bin/python -m pip check && $(2) && touch $@; }; }
endef

clean:
	rm -rf report $(RECIPE)/data $(RECIPE)/exp
	rm -rf $(MINI)/data $(MINI)/*/data $(MINI)/*/exp $(MINI)/*/report
