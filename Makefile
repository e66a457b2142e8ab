# make demo | make report-demo | make dist | make test | make bench; each installs what the machine lacks first (make setup).
# Everything is compiled once, with one profile, into one target directory.

CARGO_TARGET_DIR ?= $(HOME)/.cache/clip-lung/target
export CARGO_TARGET_DIR
CARGO := $(shell command -v cargo || echo $(HOME)/.cargo/bin/cargo)
BIN := $(CARGO_TARGET_DIR)/release/clip-lung

.PHONY: demo report-demo dist build page web test test-native test-web test-dist test-device fuzz bench bench-cuda bench-web setup setup-web \
    setup-browser setup-dist setup-lint lint

# The program and a first prediction, the page, then train, evaluate, explain and export; each phase says how long it took.
demo:
	@./demo.sh

# A study of minutes on synthetic nodules, three methods and two folds, which ends with its report open; running it again continues.
report-demo: build
	[ -d report-demo/data ] || $(BIN) phantom --limit 300 --out report-demo/data
	$(BIN) sweep plan report-demo/study --data report-demo/data --methods ce,udm,clip-lung --folds 0,1 \
	    --epochs 3 --lr 0.02 --ema 0.9 --ema-bn recompute --text-encoder random:minilm
	$(BIN) sweep run report-demo/study
	$(BIN) report report-demo/study --out report-demo/report --open

# The program, with the default model beside it.
build: setup
	$(CARGO) build --release --locked
	[ ! -d models/lidc-a ] || { rm -rf $(dir $(BIN))model && cp -r models/lidc-a $(dir $(BIN))model; }

# The browser package (web/dist): a module for the CPU, one for WebGPU, and TypeScript.
web: setup-web
	web/build.sh

# The demo page (web/demo/dist), with a copy beside the program: `clip-lung serve` serves that.
page: build web
	web/demo/build.sh $(BIN)

# What people install without compiling, in dist/: a Python wheel, the npm package, the page as a static site.
dist: setup-dist page
	./dist.sh

test: test-native test-web

test-native: setup
	$(CARGO) test --release --locked

# Package and page in a headless Chromium, against the native program.
test-web: setup-browser page
	cd web && PATH="$(CARGO_TARGET_DIR)/tools/node/node_modules/.bin:$$PATH" CLIP_LUNG=$(BIN) npm test

# What `make dist` leaves, each in a clean environment.
test-dist: setup-browser dist
	cd web && PATH="$(CARGO_TARGET_DIR)/tools/node/node_modules/.bin:$$PATH" CLIP_LUNG=$(BIN) npm test dist

# Another device against the CPU: make test-device DEVICE=wgpu (or cuda, after ./setup-cuda.sh).
DEVICE ?= wgpu
test-device: setup
	CLIP_LUNG_TEST_DEVICE=$(DEVICE) $(CARGO) test --release --features clip-lung/$(DEVICE) --lib --locked -- kernels replays train::resident train::evaluate
	CLIP_LUNG_TEST_DEVICE=$(DEVICE) $(CARGO) test --release --features clip-lung/$(DEVICE) --test device --locked -- --nocapture

# Hostile bytes for a minute each: scans, lists, arrays, annotation XML, models. FUZZ_SECONDS changes the minute.
fuzz: setup
	tests/fuzz/run.sh

# Format, clippy, documentation, and what dependencies may bring: licences, sources (deny.toml).
lint: setup-lint
	$(CARGO) fmt --all --check
	@# modules that the list of methods declares: cargo fmt does not find them
	rustfmt --edition 2024 --config-path rustfmt.toml --check core/src/methods/*.rs
	$(CARGO) clippy --release --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps --locked
	@# the fuzz targets are a workspace of their own, which a change of dependencies leaves behind
	$(CARGO) metadata --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml > /dev/null
	CARGO=$(CARGO) $(CARGO_TARGET_DIR)/tools/bin/cargo-deny --locked --log-level error check licenses bans sources

# PyTorch in the same run, two threads.
bench: build
	$(CARGO) build --release --example bench --locked
	tests/bench/run.sh $(CARGO_TARGET_DIR)/release/examples/bench

# The same on an NVIDIA GPU, after ./setup-cuda.sh.
bench-cuda: setup
	$(CARGO) build --release -p clip-lung --features cuda --example bench --locked
	tests/bench/run.sh $(CARGO_TARGET_DIR)/release/examples/bench cuda

# ONNX Runtime Web in the same browser.
bench-web: setup-browser page
	tests/bench/web.sh $(BIN)

setup:
	@./setup.sh

setup-web:
	@./setup.sh web

setup-browser:
	@./setup.sh browser

setup-dist:
	@./setup.sh dist

setup-lint:
	@./setup.sh lint
