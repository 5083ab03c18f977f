# The few commands that a person types. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

cloud   := python3 tests/local_cloud/cloud.py
python  := .local/venv-ministack/bin/python
tools   := .local/venv-tools/bin
scan    := .local/venv-scan/bin
# The target that `sam build` compiles for: named here too, so that tests and functions share their artifacts.
target  := $(shell uname -m)-unknown-linux-gnu
cargo   := cargo
on      := --target $(target) --locked
# The whole workspace, always: a part of it would have other features, and be compiled once more.
tests   := $(cargo) test $(on) --workspace --quiet
# A workspace of its own.
apart   := --manifest-path tests/bench/peers/receiver-aws-defaults/Cargo.toml
# A test on a local cloud of its own. In the gate both are compiled already, and cargo is busy with the next.
run      = $(cloud) run $(if $(GATE),--built)
deployed = $(if $(GATE),.local/tests/$(1),$(tests) --test $(1) --)

export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1
export PYTEST_ADDOPTS := -p no:cacheprovider -q

.PHONY: help up down status test quick lint lint-rust lint-template elsewhere unit model checks emulator end-to-end connect meta contract bots kills \
  alarms operate dry-canary canary wasf soak outage latency simulate sweep sweep-bench lists crowd browser bench picture fmt audit build deploy package tools clean

help: ## list the commands
	@awk -F ':.*## ' '/^# ── / {sub(/^# ── /, ""); print "\n" $$0} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

# ── Try it

up: ## start the local cloud and print the address of the chat; BOT_WEBHOOK_URL=http://… sends events to a bot of your own
	@$(cloud) up

down: ## stop it
	@$(cloud) down

status: ## show what is running and where, and what a bot of your own needs to call it
	@$(cloud) status

# ── Change it

quick: ## formats, lints, unit tests, model: for the loop while you work
	$(cargo) fmt --all --check
	$(clippy)
	@$(MAKE) --no-print-directory unit model

test: ## the gate: everything that must be green, side by side
	@python3 tests/gate.py

fmt: ## format the Rust code
	$(cargo) fmt --all
	$(cargo) fmt $(apart)

unit: ## unit, property and handler tests, and the sandbox's own
	$(tests) --lib --test handler --test outside_parties -- --test-threads 8 # many of them wait

model: ## the model of the protocol, in every order of events and faults; BOUND=wide for more of them
	$(tests) --test protocol -- $(BOUND)

lint: lint-rust lint-template ## formats, lints, documentation, dependencies, template

clippy := $(cargo) clippy $(on) --workspace --all-targets --all-features --quiet -- -D warnings
lint-rust:
	$(cargo) fmt --all --check
	$(cargo) fmt $(apart) --check
	$(clippy)
	RUSTDOCFLAGS='-D warnings' $(cargo) doc $(on) --workspace --all-features --no-deps --quiet
	$(cargo) metadata --locked --format-version 1 $(apart) > /dev/null # its lock file is its own

lint-template:
	@$(cloud) setup tools scan
	$(cargo) fetch --locked --quiet # for the licences of crates that other platforms need
	$(scan)/cargo-deny --offline --log-level error check bans licenses sources
	$(tools)/cfn-lint template.yaml tests/canary/stand_in.json
	AWS_DEFAULT_REGION=us-east-1 $(tools)/sam validate --lint
	$(scan)/checkov --config-file .checkov.yaml

# Where wasf runs beside Linux, each with zig's name of it. Zig compiles ring's C code, because it has both systems' headers.
elsewhere := x86_64-pc-windows-gnu=x86_64-windows-gnu aarch64-apple-darwin=aarch64-macos
zig := $(CURDIR)/.local/venv-tools/bin/python -m ziglang
elsewhere: ## that wasf compiles for macOS and Windows (rustup fetches their standard libraries)
	@$(cloud) setup tools
	rustup target add $(foreach system,$(elsewhere),$(firstword $(subst =, ,$(system))))
	for system in $(elsewhere); do target="$${system%%=*}"; \
	  env "CC_$${target//-/_}=$(zig) cc -target $${system##*=}" "AR_$${target//-/_}=$(zig) ar" \
	    $(cargo) check --locked --package wasf --target "$$target"; done

checks: ## the repository against itself: template, code, samples, documents, rules
	@$(cloud) setup ministack tools
	$(python) -m pytest tests/checks docs/analysis

# ── Test it deployed

end-to-end: connect meta kills alarms ## the template on a local cloud, driven over HTTP and in a browser; RELEASE=1 with optimised functions

connect: browser
	$(run) --with-plain-stack --with-proof-stack -- \
	  $(call deployed,end_to_end) --test-threads 16 --skip kills:: --skip garbage:: --skip alarms:: --skip at_meta

contract: ## calls that docs/contract/openapi.yaml allows and forbids, to the API on a local cloud: every answer is in the file
	@$(cloud) setup contract
	$(run) -- .local/venv-contract/bin/python -m pytest tests/contract/deployed

bots: ## the example bots, driven by a person and by Salesforce on a local cloud
	@$(cloud) setup example examples
	cd examples/python && $(CURDIR)/.local/venv-example/bin/python -m unittest
	$(run) --own-bot --chat-proof -- .local/venv-examples/bin/python -m pytest -o pythonpath=tests/local_cloud tests/examples

kills: # and garbage, because here nobody else uses the plain stack
	$(run) --with-plain-stack --with-proof-stack -- $(call deployed,end_to_end) --test-threads 16 kills:: garbage::

meta: # apart, because four stacks are more than an emulator in one process serves in time
	$(run) --with-proof-meta-stack -- $(call deployed,end_to_end) at_meta

alarms: # on a cloud of their own: other tests' faults would raise them too; then the runbook is followed by its own commands
	$(if $(GATE),,$(cargo) build $(on) --workspace --quiet --bin wasf)
	$(run) --with-proof-stack -- $(call deployed,end_to_end) alarms::

operate: ## the README's way from an empty account to a working link, and what operators do with wasf
	@$(cloud) setup release
	$(run) --empty -- $(call deployed,operate) --test-threads 8 # most of them wait

dry-canary: ## the canary's own program, whole, on a local cloud: every step, and that nothing is left
	@$(cloud) setup canary tools
	$(run) --empty -- .local/venv-canary/bin/python -m pytest tests/canary

emulator: ## each of AWS's behaviours that the local cloud restores, with its fix and without
	@$(cloud) setup ministack
	cd tests/local_cloud && ../../$(python) -m pytest --numprocesses 2 .

outage: ## the bot is down while PEOPLE=200 connect in OUTAGE=600 seconds, and WhatsApp refuses everybody meanwhile (a quarter of an hour)
	PEOPLE=$(or $(PEOPLE),200) OUTAGE=$(or $(OUTAGE),600) $(cloud) run --with-plain-stack -- $(tests) --test end_to_end -- --nocapture \
	  telling::a_bot_that_is_down_keeps telling::people_who_connect_while

soak: ## N people connect and bots use their tokens while everything fails at random; N=60, SEED=… (some minutes)
	$(cloud) run --with-proof-stack -- $(tests) --test soak

# ── Measure it

latency: ## time from callback to message, stage by stage, on a local cloud; RATE=10 callbacks a second, or BURST=500 in one, CALLS=1000 for tokens; CONCURRENCY=20 functions at once
	$(cloud) run $(if $(CONCURRENCY),--concurrency $(CONCURRENCY)) -- $(python) docs/analysis/latency/latency.py --json target/latency.json $(if $(RATE),--rate $(RATE)) $(if $(BURST),--burst $(BURST)) $(if $(CALLS),--token-calls $(CALLS))

simulate: ## predict waits and failures under load, with the template's settings; UPDATE=1 puts it into docs/SCALING.md
	@$(cloud) setup ministack
	$(python) docs/analysis/simulation/tables.py $(if $(UPDATE),--update)

sweep: ## simulate the sweep of ten million connections; UPDATE=1 puts it into docs/SCALING.md
	@$(cloud) setup ministack
	$(python) docs/analysis/sweep/sweep.py $(if $(UPDATE),--update)

sweep-bench: ## sweep 100,000 rows of which 3 % are due, on a local cloud: who is refreshed, how fast (some minutes)
	$(cloud) run -- $(tests) --test end_to_end -- --ignored --nocapture upkeep::a_hundred_thousand_rows

lists: ## ROWS=1000000 attempts in a table, on an emulator: how long wasf's lists take, and what they read (some minutes)
	@$(cloud) setup ministack
	$(cargo) build $(on) --release --quiet --package wasf
	$(python) docs/analysis/lists/lists.py --rows $(or $(ROWS),1000000) --wasf target/$(target)/release/wasf

crowd: ## a thousand calls for one token, 150 of them in flight, on a local cloud: one refresh, equal answers (some minutes)
	$(cloud) run -- $(tests) --test end_to_end -- --ignored --nocapture tokens::a_thousand

# The functions are compiled as `sam build` does it for this machine's architecture, the peers the same way, each by itself.
bench: export CARGO_TARGET_DIR := $(CURDIR)/target
bench: ## measure the release binaries beside their peers; BENCH='callback-receiver …' for some, BENCH='waits salesforce=40 …' for what people wait for
	@$(cloud) setup tools bench
	@tests/packages valgrind=valgrind openssl=openssl
	PATH="$(CURDIR)/$(tools):$$PATH" $(cargo) lambda build --release --locked $(patsubst functions/%,--bin %,$(wildcard functions/*))
	for peer in '--package hello-world' '--package receiver-sdk-free' '$(apart)'; do \
	  PATH="$(CURDIR)/$(tools):$$PATH" $(cargo) lambda build --release --locked $$peer; done
	$(cargo) test $(on) --profile harness -p bench --quiet
	$(cargo) run $(on) --profile harness -p bench --quiet -- $(BENCH)

picture: browser ## take the README's picture of a connect, in Chromium, on a local cloud
	@fc-list :lang=und-zsye | grep -q . || { echo "This needs a font with emoji. On Debian: apt-get install fonts-noto-color-emoji fonts-roboto" >&2; exit 1; }
	$(cloud) run -- $(python) docs/images/picture.py

# ── Deploy it, operate it

wasf: ## build the operators' tool and install it for this user
	$(cargo) install --path cli --locked --quiet

audit: ## dependencies against RustSec's advisories (needs the network)
	@$(cloud) setup scan
	$(scan)/cargo-deny check advisories

build: tools ## build the functions as they are deployed
	PATH="$(CURDIR)/$(tools):$$PATH" $(tools)/sam build

# BUILT names what `sam build` has made already, as in a pipeline that builds and deploys in two steps.
deploy: $(if $(BUILT),tools,build) ## deploy to the AWS account of this shell; PARAMETERS='Name=value …' in place of samconfig.toml's
	$(tools)/sam deploy $(SAM_FLAGS) $(if $(BUILT),--template-file $(BUILT)/template.yaml --config-file $(CURDIR)/samconfig.toml) $(if $(strip $(PARAMETERS)),--parameter-overrides '$(strip $(PARAMETERS))')

package: ## what a release holds, into dist/, for both architectures (minutes each); VERSION=1.2.3 for the release itself
	@$(cloud) setup tools release
	.local/venv-release/bin/python release/package.py $(if $(VERSION),--version $(VERSION)) $(addprefix --architecture ,$(ARCHITECTURES))

canary: $(if $(BUILT)$(REMOVE),tools,build) ## deploy to the AWS account of this shell under a throw-away name, connect PEOPLE=3, measure, remove it all; costs cents, CONFIRM=1 does not ask
	@$(cloud) setup canary
	$(cargo) build $(on) --workspace --bin wasf --quiet
	@BUILT=$(abspath $(or $(BUILT),.aws-sam/build)) SAM=$(CURDIR)/$(tools)/sam WASF=$(CURDIR)/target/$(target)/debug/wasf \
	  .local/venv-canary/bin/python tests/canary/canary.py

# ── Tools

browser: ## install Chromium and its driver where they are missing (Debian and Ubuntu, as root; else it says what to do)
	@tests/packages 'chromium|chromium-browser|google-chrome=chromium' chromedriver=chromium-driver

tools: ## install the SAM CLI, the emulator and the linters into .local
	@$(cloud) setup

clean: down ## remove everything that was built and installed here
	rm -rf .local .aws-sam dist target
