# Posthorn: a new user's two commands are `make run` and `make test`. `make help` lists the others.
# Everything made lies under build/, var/ and bench-results/.

JOBS ?= $(shell nproc)
TEST_JOBS ?= 2
FUZZ_SECONDS ?= 60
SECONDS ?= 900
KILLS ?=
CONFIG ?= config/dev.toml

CONFIGURE := cmake -G Ninja -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=RelWithDebInfo
BUILD := cmake --build
CTEST := ctest --output-on-failure --no-tests=error
SOURCES = $(shell git ls-files --cached --others --exclude-standard '*.cc' '*.h')

.NOTPARALLEL:
.PHONY: help run test build bench plots format lint lint-all fuzz asan tsan soak mutants crash-matrix man deb deb-test clean \
        install-build install-test install-lint install-bench peers configure-release configure-asan configure-tsan configure-fuzz

help: ## list the targets
	@sed -n 's/^\([a-z%-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22

run: install-build configure-release ## install what is missing, build, start a node in the foreground (CONFIG=config/dev.toml)
	@$(BUILD) build/release -j $(JOBS) --target posthorn
	@exec build/release/src/posthorn serve --config $(CONFIG)

test: install-test build peers ## install what is missing, build, run all tests
	$(CTEST) --test-dir build/release -j $(TEST_JOBS)

build: install-build configure-release ## build everything into build/release
	@$(BUILD) build/release -j $(JOBS)

bench: install-bench build peers ## run all benchmarks; ends with the bars that do not hold
	@scripts/bench.sh

bench-%: install-bench build peers ## run one benchmark: bench/NAME
	@scripts/bench.sh $*

plots: ## draw docs/bench/*.svg from what the benchmarks last gave (bench-results/)
	@tools/plot.py

format: install-lint ## format all sources in place
	@clang-format-19 -i $(SOURCES)

lint: install-build install-lint configure-release ## format, layers, docs, coroutine checks on all files, full clang-tidy on what changed
	@tools/lint.py --jobs $(JOBS)

lint-all: install-build install-lint configure-release ## the same, full clang-tidy on all files; records the commit in .ci/last-linted-commit
	@tools/lint.py --jobs $(JOBS) --all

fuzz: install-build configure-fuzz ## run each fuzz target on its corpus for FUZZ_SECONDS=60
	@$(BUILD) build/fuzz -j $(JOBS) --target fuzzers
	@scripts/fuzz.sh $(FUZZ_SECONDS)

crash-matrix: install-test configure-release ## every power cut of every short workload, recovery cut again, in full (a few minutes)
	@$(BUILD) build/release -j $(JOBS) --target mffs_test
	POSTHORN_MATRIX=full build/release/src/mffs_test --gtest_filter='CrashMatrix.*'

mutants: install-test ## plant each fault of test/mutants in a copy of the engine; each must be caught by a test
	@tools/mutants.py --jobs $(JOBS)

asan: install-test configure-asan ## run the unit and node tests under AddressSanitizer and UBSan
	@$(BUILD) build/asan -j $(JOBS)
	$(CTEST) --test-dir build/asan -j $(TEST_JOBS) -L 'unit|sim'

# The parts that run more than one thread; the others are one shard each and gain nothing from it. Nor do the explorations
# of power cuts on a simulated disk: one thread, and most of the time it takes.
TSAN_FILTER = *:-CrashTest.*:CrashMatrix.*:CrashRandom.*:*SyncFailures*:RecoveryFailures.*:*LyingDevice*:RotMatrix.*:*CrashLoops*:SuperblockCrash.*:LogCrash.*
TSAN_TESTS = $(foreach module,async mffs replog,$(if $(wildcard src/$(module)/*_test.cc),$(module)_test))
tsan: install-test configure-tsan ## run the tests of async, mffs and replog under ThreadSanitizer
	@$(BUILD) build/tsan -j $(JOBS) --target $(TSAN_TESTS)
	GTEST_FILTER='$(TSAN_FILTER)' $(CTEST) --test-dir build/tsan -R '^($(subst $(eval ) ,|,$(strip $(TSAN_TESTS))))$$'

soak: install-test build ## kill -9 every 1-5 s under load, with a ledger, for SECONDS=900, or KILLS=1000 times
	POSTHORN_SOAK_SECONDS=$(SECONDS) POSTHORN_SOAK_KILLS=$(KILLS) $(CTEST) --test-dir build/release -C soak -L soak --verbose

man: install-build configure-release ## write the manual pages to build/man
	@$(BUILD) build/release -j $(JOBS) --target posthorn
	build/release/src/posthorn man build/man

deb: install-build configure-release ## make a Debian package in build/deb
	@scripts/install-dependencies.sh deb
	@$(BUILD) build/release -j $(JOBS) --target posthorn
	@scripts/build-deb.sh

deb-test: deb ## install, start, upgrade, remove and purge that package in a Debian of its own (needs root)
	$(CTEST) --test-dir build/release -C deb -L deb --verbose

clean: ## remove build/ (not var/, which holds mail, nor bench-results/)
	rm -rf build

install-build:
	@scripts/install-dependencies.sh build
install-test:
	@scripts/install-dependencies.sh build test
install-lint:
	@scripts/install-dependencies.sh lint
install-bench:
	@scripts/install-dependencies.sh build test bench
peers:
	@scripts/unpack-peers.sh
	@scripts/install-npm-peers.sh
	@scripts/unpack-thunderbird.sh

# Once configured, ninja runs CMake again by itself when a CMake file changes.
configure-release:
	@test -f build/release/build.ninja || $(CONFIGURE) -S . -B build/release
configure-asan:
	@test -f build/asan/build.ninja || $(CONFIGURE) -S . -B build/asan -DPOSTHORN_SANITIZE=address
configure-tsan:
	@test -f build/tsan/build.ninja || $(CONFIGURE) -S . -B build/tsan -DPOSTHORN_SANITIZE=thread
configure-fuzz:
	@test -f build/fuzz/build.ninja || $(CONFIGURE) -S . -B build/fuzz -DPOSTHORN_FUZZ=ON
