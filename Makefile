# make demo | make test | make bench; each installs what the machine lacks first (make setup).
# Everything is compiled once, with one profile, into one target directory.

CARGO_TARGET_DIR ?= $(HOME)/.cache/clip-lung/target
export CARGO_TARGET_DIR
CARGO := $(shell command -v cargo || echo $(HOME)/.cargo/bin/cargo)
BIN := $(CARGO_TARGET_DIR)/release/clip-lung

.PHONY: demo test test-device web test-web fuzz bench setup build lint

demo: build
	$(BIN) demo --out demo

build: setup
	$(CARGO) build --release --workspace --locked

test: setup
	$(CARGO) test --release --workspace --locked

# Another device against the CPU: make test-device DEVICE=wgpu (or cuda, after ./setup-cuda.sh).
DEVICE ?= wgpu
test-device: setup
	CLIP_LUNG_TEST_DEVICE=$(DEVICE) $(CARGO) test --release -p clip-lung --features $(DEVICE) --test device --locked -- --nocapture

# The browser package (web/dist), and its tests in a headless Chromium against the native program.
web: setup
	web/build.sh

test-web: build web
	cd web && CLIP_LUNG=$(BIN) npm test

# Hostile bytes for a minute each: DICOM, annotation XML, NIfTI. FUZZ_SECONDS changes the minute.
fuzz: setup
	tests/fuzz/run.sh

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --release --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps --locked

# PyTorch in the same run, two threads.
bench: build
	$(CARGO) build --release --workspace --example bench --locked
	tests/bench/run.sh $(CARGO_TARGET_DIR)/release/examples/bench

setup:
	@./setup.sh
