# Everything that developers and CI run. `make` alone lists it.

PYTHONS ?= 3.12 3.13 3.14 3.15
ifeq ($(origin PY),undefined) # no release of Debian has 3.12 for tools/python.sh to bring
LEFT_OUT := $(if $(filter 3.12,$(PYTHONS)),$(shell tools/python.sh --find 3.12 >/dev/null || echo 3.12))
PY := $(filter-out $(LEFT_OUT),$(PYTHONS))
endif
SECONDS ?= 60
N ?= 20000
SEEDS ?= 500
ROUNDS ?= 10
PYTEST_ARGS ?= -n auto
CLANG ?= clang

# site warns about interpreters that are called by a path with .. in it, so they are called by a whole one.
venv = $(CURDIR)/.venv/$1
python = $(call venv,$1)/bin/python
# As pip does, uv is to trust what the machine trusts (the second name is that of older ones).
export UV_SYSTEM_CERTS = 1
export UV_NATIVE_TLS = 1
uv = "$$(tools/uv.sh $(call python,$1))" pip install --quiet --compile-bytecode --python $(call python,$1)
c_files = $(wildcard src/*.c src/*.h)

.SECONDARY: # keep what was made on the way
.DELETE_ON_ERROR:
.PHONY: help demo test before-test-py test-c test-py test-ft sanitize-ft faults explore plants oracle oracle-packages coveragepy coveragepy-suites matrix build sanitize check-platforms check-windows fuzz lint format bench clean distclean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/demo/.installed ## measure the example project and report what its tests miss
	cd examples && $(call venv,demo)/bin/covcore run -m pytest -q
	cd examples && $(call venv,demo)/bin/covcore report -m

test: ## everything that CI runs: lint, the C tests, other compilers and systems, the Python tests
	@$(MAKE) --no-print-directory -j 2 --output-sync before-test-py
	@$(MAKE) --no-print-directory test-py

# Much of it keeps one processor busy. What `.built` is made by would meet in one folder, so test-py has it made for one Python after the other.
before-test-py: lint test-c check-platforms $(PY:%=.venv/%/.extensions) $(PY:%=.venv/coveragepy-%/.ready)

# ---- the tests

matrix: $(PY:%=.venv/%/.built) ## which test ran which line and branch, beside coverage.py, on suites of real packages: docs/parity.md
	@set -e; for version in $(PY); do (cd tests && nice $(call python,$$version) -m matrix --write $(ARGS)); done

build: $(PY:%=.venv/%/.built) ## build the extensions in place, for each Python or PY=3.14

test-py: $(PY:%=.venv/%/.built) $(PY:%=.venv/coveragepy-%/.ready) ## the Python tests, on each Python or PY=3.14
	@for version in $(LEFT_OUT); do echo "Python $$version: left out, for none with its headers is on PATH or under pyenv, and Debian has none"; done
	@ended=0; for version in $(PY); do \
	    echo "Python $$version: pytest $(PYTEST_ARGS)"; \
	    $(call python,$$version) -m pytest $(PYTEST_ARGS) || ended=1; \
	done; exit $$ended

# What concerns the tracer; the rest of the tests is the same without a GIL, or needs what has no wheels there.
ft_tests = tests/free_threading tests/test_tracer.py tests/test_sites.py tests/test_before_3_14.py tests/test_run.py tests/everywhere/test_threads.py tests/everywhere/test_tasks.py

test-ft: PY = 3.13t
test-ft: N = 300
test-ft: PYTEST_ARGS = -n 2
test-ft: .venv/3.13t/.built ## tracer, branches, threads and N=300 programs of the oracle on a CPython without a GIL, 3.13t (built once, 5 minutes)
	$(call python,3.13t) -m pytest $(PYTEST_ARGS) $(ft_tests)
	$(MAKE) --no-print-directory oracle PY=3.13t N=$(N)

faults: $(PY:%=.venv/%/.built) ## kills, forks, full disks and failing calls at full strength: SEEDS=500 of each; writes docs/reliability.md
	@mkdir -p build/faults; ended=0; for version in $(PY); do \
	    python=$(call venv,$$version)/bin/python; ledger="env PYTHONPATH=tests $$python -m faults.ledger"; \
	    COVCORE_SEEDS=$(SEEDS) $$python -m pytest -s --junitxml=build/faults/$$version.xml $${TESTS:-$$($$ledger tests)} $(ARGS) || ended=1; \
	    $$ledger write $(SEEDS) build/faults/$$version.xml; \
	done; exit $$ended

oracle: $(PY:%=.venv/%/.built) ## covcore against sys.settrace on N=20000 generated programs; ARGS="..." go to it (--help)
	@set -e; for version in $(PY); do (cd tests && nice $(call python,$$version) -m oracle $(N) $(ARGS)); done

generating = tests/test_combine.py tests/test_conditions.py tests/test_exclusions.py tests/test_hostile.py tests/test_processes.py

explore: $(PY:%=.venv/%/.built) ## tests of generated examples, each of the ROUNDS=10 with others: make test has the same each time
	@set -e; for round in $$(seq $(ROUNDS)); do for version in $(PY); do \
	    COVCORE_EXPLORE=1 nice $(call python,$$version) -m pytest -q $(PYTEST_ARGS) -k "generated or hypothesis" $(ARGS) $(generating); \
	done; done

PLANTED = 3.14 3.13 3.13t $(filter 3.12,$(PY)) # where defects are planted: tests/plants_everywhere.py says which where

plants: $(PLANTED:%=.venv/%/.built) ## plant defects in copies of the tree and see the oracle and the tests find them; ARGS="NAME .." some; writes docs/oracles.md
	cd tests && nice $(call python,3.14) -m plants $(ARGS)

oracle-packages: $(PY:%=.venv/%/.built) ## covcore against coverage.py on suites of real packages and of the standard library: docs/parity.md
	@set -e; for version in $(PY); do (cd tests && nice $(call python,$$version) -m oracle_packages --write $(ARGS)); done

coveragepy: $(PY:%=.venv/coveragepy-%/.ready) ## coverage.py's own tests with covcore as its core, beside those with its own: ARGS="..." go to it (--help)
	@set -e; for version in $(PY); do nice $(call python,coveragepy-$$version) tests/coveragepy/suite.py $(ARGS); done

coveragepy-suites: $(PY:%=.venv/%/.built) ## what each test ran, by coverage.py with covcore as its core beside its C tracer, on suites of real packages
	@set -e; for version in $(PY); do nice $(call python,$$version) tests/coveragepy/by_test.py $(ARGS); done

test-c: $(patsubst tests/c/%.c,build/c/%,$(wildcard tests/c/test_*.c)) ## the C tests, with sanitizers where the compiler has them
	@set -e; for test in $^; do echo "$$test"; $$test; done

C_FLAGS = -std=c11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Wconversion -Werror -Isrc -Itests/c
sanitizers = -fsanitize=address,undefined -fno-sanitize-recover=all

# build/c/test_NAME is made of tests/c/test_NAME.c, src/NAME.c and what a line `// needs: a.c b.c` in the test names of src/;
# build/fuzz/fuzz_NAME likewise.
c_sources = $(sort $(wildcard src/$(patsubst fuzz_%,%,$(patsubst test_%,%,$1)).c) $(addprefix src/,$(shell sed -n 's|^// needs: *||p' $2)))

build/c/test_%: tests/c/test_%.c $(wildcard tests/c/*.h) $(c_files) build/c/sanitizers
	$(CC) $(C_FLAGS) $$(cat build/c/sanitizers) -o $@ $< $(call c_sources,$(@F),$<)

build/c/sanitizers:
	@mkdir -p $(@D)
	@echo 'int main(void) { return 0; }' >$@.c
	@if $(CC) $(sanitizers) $@.c -o $@.probe 2>/dev/null; then echo $(sanitizers) >$@; else echo >$@; fi

# ---- other compilers and systems: tests/platforms

# The last three by zig, and with the headers of one Python: nothing there is Python's own.
platforms = $(PY:%=%/clang) $(PY:%=%/mingw) $(addprefix $(firstword $(PY))/,aarch64-windows-gnu aarch64-macos x86_64-macos)

check-platforms: $(platforms:%=build/platforms/%.checked) ## compile the C code by clang, and for Windows and macOS

build/platforms/%.checked: $(c_files) $(wildcard tests/platforms/*) .venv/platforms/.ready | $(PY:%=.venv/%/.tools)
	@mkdir -p $(@D)
	@tests/platforms/compile.sh $(*F) $(call python,$(*D)) build/platforms/$*
	@touch $@

check-windows: .venv/3.14/.tools ## run C tests as programs of Windows, by Wine: brings 1.4 GB
	tests/platforms/windows.sh build/windows $(call python,3.14)

.venv/platforms/.ready: pyproject.toml .venv/3.14/.tools
	$(call uv,3.14) --target $(CURDIR)/.venv/platforms --no-deps --group platforms
	@touch $@

# In a copy of the tree: the extensions that lie in this one stay as they are, and no test can import them by mistake.
sanitized = $(wildcard Makefile README.md LICENSE MANIFEST.in pyproject.toml setup.py bench covcore docs examples plugin src tests tools)

# Crashes that tests ask for are to end as they do without: by their signal.
asan_options = detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigfpe=0

# What a sanitizer says of any process, one whose output a test reads included.
report_files = log_path=$(CURDIR)/build/sanitize/reports/report

sanitize: PY = 3.14
sanitize: test-c ## the C and the Python tests with AddressSanitizer and UBSan, on Python 3.14 or PY=3.15
	@rm -rf $(addprefix build/sanitize/,$(sanitized) reports) build/sanitize/.venv/*/.extensions build/sanitize/.venv/*/.built
	@mkdir -p build/sanitize/reports
	@tar -c --exclude=__pycache__ --exclude='*.so' $(sanitized) | tar -x -C build/sanitize
	COVCORE_SANITIZE=1 $(MAKE) --no-print-directory -C build/sanitize build PY=$(PY)
	cd build/sanitize && ASAN_OPTIONS=$(asan_options):$(report_files) UBSAN_OPTIONS=print_stacktrace=1:$(report_files) PYTHONMALLOC=malloc \
	    LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
	    $(CURDIR)/build/sanitize/.venv/$(PY)/bin/python -m pytest $(PYTEST_ARGS)
	@set -- $$(find build/sanitize/reports -type f); [ $$# = 0 ] || { cat "$$@"; exit 1; }

tsan_options = suppressions=$(CURDIR)/tests/free_threading/suppressions.txt:exitcode=0:log_path=$(CURDIR)/build/sanitize-ft/reports/report

# ThreadSanitizer maps memory at fixed places, and cannot where addresses are random by more than it knows.
sanitize-ft: PY = 3.13t-tsan
sanitize-ft: ROUNDS = 5
sanitize-ft: ## many threads in the tracer under ThreadSanitizer, on a CPython 3.13t that is built with it
	@rm -rf $(addprefix build/sanitize-ft/,$(sanitized) reports .venv/$(PY)/.extensions .venv/$(PY)/.built)
	@mkdir -p build/sanitize-ft/reports
	@tar -c --exclude=__pycache__ --exclude='*.so' $(sanitized) | tar -x -C build/sanitize-ft
	TSAN_OPTIONS=report_bugs=0 $(MAKE) --no-print-directory -C build/sanitize-ft build PY=$(PY)
	cd build/sanitize-ft && TSAN_OPTIONS=$(tsan_options) ROUNDS=$(ROUNDS) setarch -R .venv/$(PY)/bin/python -m pytest -n 0 tests/free_threading
	@TSAN_OPTIONS=report_bugs=0 build/sanitize-ft/.venv/$(PY)/bin/python tests/free_threading/reports.py build/sanitize-ft/reports

fuzz: ## each fuzzer for SECONDS=60, built with clang's libFuzzer
	@command -v $(CLANG) >/dev/null || { echo "make fuzz: no $(CLANG): install the packages clang and libclang-rt-dev" >&2; exit 1; }
	@$(MAKE) --no-print-directory $(patsubst tests/fuzz/%.c,run-%,$(wildcard tests/fuzz/fuzz_*.c))
	@python=$(call python,3.14); [ ! -x $$python ] || PYTHONPATH=tests $$python -m faults.ledger note T43 \
	    "$$(cat build/fuzz/*.found | tr '\n' ';' | sed 's/;/; /g; s/; $$//')"

run-fuzz_%: build/fuzz/fuzz_%
	mkdir -p build/fuzz/corpus_$*
	cd build/fuzz && ./fuzz_$* -max_total_time=$(SECONDS) -print_final_stats=1 corpus_$* $(wildcard $(CURDIR)/tests/fuzz/corpus_$*) \
	    2>$*.log || { tail -n 60 $*.log >&2; exit 1; }
	@echo "$*: $$(sed -n 's/^stat::number_of_executed_units: *//p' build/fuzz/$*.log) inputs in $(SECONDS) s, no finding" | tee build/fuzz/$*.found

build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(wildcard tests/fuzz/*.h) $(c_files)
	@mkdir -p $(@D)
	$(CLANG) -std=c11 -D_GNU_SOURCE -g -O1 -Isrc -Itests/c -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o $@ $< $(call c_sources,$(@F),$<)

# ---- the code's form

lint: .venv/3.14/.lint ## ruff, mypy --strict (for macOS and Windows, too), the workflows of GitHub
	$(call venv,3.14)/bin/ruff check
	$(call venv,3.14)/bin/ruff format --check
	$(call venv,3.14)/bin/mypy covcore bench $(wildcard plugin/*.py) $(dir $(wildcard plugin/*/__init__.py))
	$(call venv,3.14)/bin/mypy --platform darwin --cache-dir .mypy_cache/darwin covcore $(dir $(wildcard plugin/*/__init__.py))
	$(call venv,3.14)/bin/mypy --platform win32 --cache-dir .mypy_cache/win32 covcore $(dir $(wildcard plugin/*/__init__.py))
	$(call venv,3.14)/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(call venv,3.14)/bin/zizmor --quiet --offline .github

format: .venv/3.14/.lint ## lay out the Python and the C code
	$(call venv,3.14)/bin/ruff check --fix-only
	$(call venv,3.14)/bin/ruff format
	$(call venv,3.14)/bin/clang-format -i $(wildcard src/*.[ch] tests/c/*.[ch] tests/fuzz/*.[ch])

bench: .venv/3.14/.built ## what measuring costs; ARGS="..." go to the benchmark
	$(call python,3.14) -m bench $(ARGS)

clean: ## remove what was built
	rm -rf build dist plugin/*.egg-info covcore/*.so .mypy_cache .pytest_cache .ruff_cache examples/.covcore examples/.covcore.d
	rm -f .venv/*/.extensions .venv/*/.built .venv/*/.installed
	find bench covcore examples plugin tests -name __pycache__ -prune -exec rm -r {} + 2>/dev/null || true

distclean: clean ## remove the virtual environments too
	rm -rf .venv

# ---- virtual environments: .venv/3.12 to .venv/3.15 to develop in, .venv/demo as a user would have it

free_threaded = $(sort $(filter %t %t-tsan,$(PY)) 3.13t 3.13t-tsan)

$(patsubst %,.venv/%/bin/python,$(sort $(PYTHONS) $(PY) $(free_threaded))): .venv/%/bin/python:
	"$$(tools/python.sh $*)" -m venv --clear --without-pip $(call venv,$*)

# The tree is importable by a plain .pth file, read before coverage.py's own, which may load our plugin. The import hook that setuptools would install by default (mode "compat": not) imports
# re and pathlib in every process, and so would hide it if covcore made a measured process do so.
.venv/%/.tools: pyproject.toml .venv/%/bin/python
	$(call uv,$*) -r pyproject.toml --group build --group test
	$(call uv,$*) --target $(call venv,$*)/plugins --no-deps --group plugins
	$(call uv,$*) --target $(call venv,$*)/tools --no-deps --group tools
	$(call uv,$*) --target $(call venv,$*)/engines --no-deps --group engines
	$(call uv,$*) --target $(call venv,$*)/compilers --group compilers
	$(call uv,$*) --target $(call venv,$*)/notebooks --group notebooks
	@printf '%s\n' '$(CURDIR)' '$(CURDIR)/plugin' >.venv/$*/lib/python$*/site-packages/_covcore_tree.pth
	@touch $@

# Without a GIL no more than `make test-ft` needs: much of the rest has no wheels there.
$(free_threaded:%=.venv/%/.tools): .venv/%/.tools: pyproject.toml .venv/%/bin/python
	$(call uv,$*) -r pyproject.toml --group build --group test-ft
	@printf '%s\n' '$(CURDIR)' '$(CURDIR)/plugin' >.venv/$*/lib/python$(*:-tsan=)/site-packages/_covcore_tree.pth
	@touch $@

.venv/%/.lint: .venv/%/.tools
	$(call uv,$*) --group lint
	@touch $@

# A change to C needs no more than this.
.venv/%/.extensions: .venv/%/.tools setup.py $(c_files)
	COVCORE_WERROR=1 $(call python,$*) setup.py --quiet build_ext --inplace --build-temp build/$*
	@touch $@

# The command, the metadata and the start-up hook.
.venv/%/.built: .venv/%/.tools setup.py plugin/covcore_start.pth | .venv/%/.extensions
	$(call uv,$*) --no-build-isolation --no-deps --reinstall-package covcore --config-setting editable_mode=compat --editable .
	@touch $@

# An environment of its own for coverage.py's tests, in which each interpreter puts covcore under coverage.py.
.venv/coveragepy-%/.ready: pyproject.toml tests/coveragepy/covcore_swap.py | .venv/%/.extensions
	"$$(tools/python.sh $*)" -m venv --clear --without-pip $(call venv,coveragepy-$*)
	$(call uv,coveragepy-$*) -r pyproject.toml --group coveragepy
	@printf '%s\n' '$(CURDIR)' '$(CURDIR)/plugin' '$(CURDIR)/tests/coveragepy' 'import covcore_swap' \
	    >$(call venv,coveragepy-$*)/lib/python$*/site-packages/_covcore_swap.pth
	@touch $@

py_files = $(shell find $(wildcard covcore plugin) -name "*.py*" -not -path "*/__pycache__/*")

.venv/demo/bin/python:
	"$$(tools/python.sh 3.14)" -m venv --clear --without-pip $(call venv,demo)

.venv/demo/.installed: .venv/demo/bin/python pyproject.toml setup.py $(c_files) $(py_files)
	$(call uv,demo) --reinstall-package covcore . pytest
	@rm -rf build/lib.* plugin/*.egg-info # setuptools leaves them, and would take deleted modules from them
	@touch $@
