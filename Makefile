# What a person types. `make run` and `make test` are all that a fresh machine needs.

# The cargo that ci/setup installs, before an older one of the system.
export PATH := $(or $(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

PROFILE ?= small

.PHONY: help setup run test lint bench clean-runs

help:
	@echo 'make run         install what is missing, build, and measure PROFILE=small on this machine'
	@echo 'make test        install what is missing, and run all tests'
	@echo 'make lint        formatting, clippy and documentation, warnings are errors'
	@echo 'make bench       the harness measures itself (criterion)'
	@echo 'make setup       only install what is missing'
	@echo 'make clean-runs  delete ./runs'

setup:
	ci/setup --with-kafka --with-minio

run: setup
	cargo build --release --locked --package odg-bench
	target/release/odg-bench run --profile $(PROFILE)

test:
	ci/setup --with-kafka --with-minio --with-docker
	ci/test

lint:
	cargo fmt --all --check
	cargo clippy --workspace --locked --all-targets -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --locked --no-deps

bench:
	cargo bench --workspace --locked

clean-runs:
	rm -rf runs
