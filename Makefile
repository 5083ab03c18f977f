# The few commands that a person types. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

cloud    := python3 tests/local_cloud/cloud.py
python   := .local/venv-ministack/bin/python
tools    := .local/venv-tools/bin
# The target that `sam build` compiles for: named here too, so that tests and functions share their artifacts.
target   := $(shell uname -m)-unknown-linux-gnu
cargo    := cargo
on       := --target $(target) --locked
bench    := --manifest-path tests/bench/Cargo.toml
peers    := hello-world receiver-sdk-free receiver-aws-defaults
deny     := .local/cargo/bin/cargo-deny
deny_version := 0.20.2

export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1
export PYTEST_ADDOPTS := -p no:cacheprovider -q

.PHONY: help up down status test lint unit model checks emulator end-to-end operate wasf soak latency simulate browser bench picture fmt audit build deploy tools clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

up: ## start the local cloud and print the address of the chat
	@$(cloud) up

down: ## end it
	@$(cloud) down

status: ## say what runs
	@$(cloud) status

test: browser lint checks unit model emulator end-to-end operate ## everything that must be green

lint: tools $(deny) .local/venv-scan/made-from ## formats, lints, documentation, dependencies, template
	$(cargo) fmt --all --check
	$(cargo) fmt $(bench) --all --check
	$(cargo) clippy $(on) --workspace --all-targets --all-features --quiet -- -D warnings
	CARGO_TARGET_DIR=$(CURDIR)/target $(cargo) clippy $(bench) $(on) -p bench -p hello-world -p receiver-sdk-free \
	  --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(cargo) doc $(on) --workspace --all-features --no-deps --quiet
	$(cargo) fetch --locked --quiet # for the licences of crates that other platforms need
	$(deny) --offline --log-level error check bans licenses sources
	$(tools)/cfn-lint template.yaml
	AWS_DEFAULT_REGION=us-east-1 $(tools)/sam validate --lint
	.local/venv-scan/bin/checkov --config-file .checkov.yaml

checks: tools ## the whole repository against itself: template, code, samples, documents, rules of the house
	$(python) -m pytest tests/checks docs/analysis

# The whole workspace at once, always: a part of it would have other features, and be compiled again.
unit: ## unit, property and handler tests, and the sandbox's own
	$(cargo) test $(on) --workspace --lib --test handler --test outside_parties --quiet

model: ## a model of the protocol, in every order of events and faults; BOUND=wide for more of them
	$(cargo) test $(on) --workspace --test protocol --quiet -- $(BOUND)

emulator: tools ## each of AWS's behaviours that the local cloud restores, with its fix and without
	cd tests/local_cloud && ../../$(python) -m pytest --numprocesses 2 .

end-to-end: browser ## the template on a local cloud of its own, driven over HTTP and in a browser; RELEASE=1 with the binaries that ship
	$(cloud) run --with-plain-stack -- sh -euc '\
		for which in "--skip kills:: --skip alarms::" kills::; do \
			$(cargo) test $(on) --workspace --quiet --test end_to_end -- --test-threads 12 $$which; \
		done'
	$(cloud) run -- $(cargo) test $(on) --workspace --quiet --test end_to_end alarms:: # in quiet, but for what they are for

operate: ## the README's way from an empty account to a working link, and what operators do with wasf
	$(cloud) run --empty -- $(cargo) test $(on) --workspace --quiet --test operate

wasf: ## build the operators' tool and install it for this user
	$(cargo) install --path cli --locked --quiet

soak: ## N people connect while everything fails at random; N=60, SEED=… (about a quarter of an hour)
	$(cloud) run -- $(cargo) test $(on) --workspace --quiet --test soak

latency: tools ## time from callback to message, stage by stage, on a local cloud; RATE=10 callbacks a second
	$(cloud) run -- $(python) docs/analysis/latency/latency.py --json target/latency.json $(if $(RATE),--rate $(RATE))

simulate: tools ## predict waits and failures under load, with the template's settings; UPDATE=1 puts it into docs/SCALING.md
	$(python) docs/analysis/simulation/simulate.py $(if $(UPDATE),--update)

# The functions are compiled as `sam build` does it for this machine's architecture, the peers the same way, each by itself.
bench: export CARGO_TARGET_DIR := $(CURDIR)/target
bench: tools .local/venv-bench/made-from ## measure the release binaries beside their peers; BENCH='callback-receiver …' for some
	@tests/packages valgrind=valgrind openssl=openssl
	PATH="$(CURDIR)/$(tools):$$PATH" $(cargo) lambda build --release --locked $(patsubst functions/%,--bin %,$(wildcard functions/*))
	for peer in $(peers); do PATH="$(CURDIR)/$(tools):$$PATH" $(cargo) lambda build $(bench) --release --locked --package $$peer; done
	$(cargo) test $(bench) $(on) --profile harness -p bench --quiet
	$(cargo) run $(bench) $(on) --profile harness -p bench --quiet -- $(BENCH)

.local/venv-scan/made-from: tests/scan/requirements.txt
	rm -rf .local/venv-scan
	python3 -m venv .local/venv-scan
	.local/venv-scan/bin/python -m pip install --quiet --require-hashes --no-deps --only-binary :all: -r $<
	cp $< $@

.local/venv-bench/made-from: tests/bench/peers/python/requirements.txt
	rm -rf .local/venv-bench
	python3 -m venv .local/venv-bench
	.local/venv-bench/bin/python -m pip install --quiet --require-hashes --no-deps --only-binary :all: -r $<
	cp $< $@

picture: browser ## take the README's picture of a connect, in Chromium, on a local cloud of its own
	@fc-list :lang=und-zsye | grep -q . || { echo "This needs a font with emoji. On Debian: apt-get install fonts-noto-color-emoji fonts-roboto" >&2; exit 1; }
	$(cloud) run -- $(python) docs/images/picture.py

fmt: ## format the Rust code
	$(cargo) fmt --all
	$(cargo) fmt $(bench) --all

audit: $(deny) ## dependencies against RustSec's advisories (needs the network)
	$(deny) check advisories

build: tools ## build the functions as they are deployed
	PATH="$(CURDIR)/$(tools):$$PATH" $(tools)/sam build

# BUILT names what `sam build` has made already, as in a pipeline that builds and deploys in two steps.
deploy: $(if $(BUILT),tools,build) ## deploy to the AWS account of this shell; PARAMETERS='Name=value …' in place of samconfig.toml's
	$(tools)/sam deploy $(SAM_FLAGS) $(if $(BUILT),--template-file $(BUILT)/template.yaml --config-file $(CURDIR)/samconfig.toml) $(if $(strip $(PARAMETERS)),--parameter-overrides $(strip $(PARAMETERS)))

browser: ## see to it that Chromium and its driver are there (Debian and Ubuntu, as root; else it says what to do)
	@tests/packages 'chromium|chromium-browser|google-chrome=chromium' chromedriver=chromium-driver

tools: ## install the SAM CLI, the emulator and the linters into .local
	@$(cloud) setup

# Its dependencies are many and its work is short: compiled quickly rather than well.
$(deny):
	$(cargo) install cargo-deny --version $(deny_version) --locked --debug --quiet --root .local/cargo

clean: down ## remove all that was built and installed here
	rm -rf .local .aws-sam target
