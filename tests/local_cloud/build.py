"""Builds what the local cloud runs: the functions, the sandbox, and `wasf` where operators are tested.

Profile, target and features are those of `cargo test --workspace` in the Makefile, so that everything is compiled once.
`as_shipped` is for what the functions' own features and `sam build` have a part in: the operators' tests, and every
test with `RELEASE` in the environment, which builds optimised functions and takes minutes.
"""

import dataclasses
import hashlib
import json
import os
import subprocess

import tools
from tools import LOCAL, ROOT, Failed, clean_environment, host, logs, run, step

TEMPLATE = ROOT / "template.yaml"
FUNCTIONS = sorted(folder.name for folder in (ROOT / "functions").iterdir())
TESTS = LOCAL / "tests"
_COMPILED = LOCAL / "functions"
_SAM_BUILT = LOCAL / "build"


@dataclasses.dataclass
class Built:
    """What is to be deployed: `bootstrap` is each function's binary, by `{logical_id}` or `{binary}`."""

    bootstrap: str
    fingerprint: str


def build(*tests, wasf=False, release=bool(os.environ.get("RELEASE"))):
    """Compiles the functions, the sandbox, tests, and `wasf` where it is asked for."""
    if release:
        return as_shipped(*tests)
    with step("Functions and sandbox", shows_more=True):
        programs = [*FUNCTIONS, "sandbox", *(["wasf"] if wasf else [])]
        _compile("--workspace", *(f"--bin={name}" for name in programs), *(f"--test={name}" for name in tests))
    _COMPILED.mkdir(parents=True, exist_ok=True)
    for name in FUNCTIONS:
        # Cargo puts what it compiles with the features that ship in the same place.
        (_COMPILED / name).unlink(missing_ok=True)
        (_COMPILED / name).hardlink_to(_binaries() / name)
    return built()


def built(release=bool(os.environ.get("RELEASE"))):
    """What `build` compiled last."""
    if release:
        return built_as_shipped()
    return Built(f"{_COMPILED}/{{binary}}", _digest([TEMPLATE, *(_COMPILED / name for name in FUNCTIONS)]))


def as_shipped(*tests, release=bool(os.environ.get("RELEASE"))):
    """Builds the functions by `sam build`, with the features that ship, and compiles the sandbox, `wasf`, and tests."""
    architecture, _ = host()
    with step("Sandbox and wasf", shows_more=True):
        _compile("--workspace", "--bin=sandbox", "--bin=wasf", *(f"--test={name}" for name in tests))
    if not release:
        with step("Functions", shows_more=True):
            # The workspace's default members are the functions: all at once, where `sam build` would take one by one.
            _compile()
    tools.setup("tools")
    with step("sam build"):
        command = ["sam", "build", "--template-file", TEMPLATE, "--build-dir", _SAM_BUILT]
        command += ["--config-env", "local", "--parameter-overrides", f"Architecture={architecture}"]
        mode = {} if release else {"SAM_BUILD_MODE": "debug", "CARGO_LAMBDA_COMPILER": "cargo"}
        run(command, logs() / "sam-build.log", clean_environment(**mode))
    return built_as_shipped()


def built_as_shipped():
    """What `as_shipped` built last."""
    binaries = sorted(_SAM_BUILT.glob("*/bootstrap"))
    return Built(f"{_SAM_BUILT}/{{logical_id}}/bootstrap", _digest([TEMPLATE, *binaries]))


def sandbox():
    """The sandbox's binary."""
    return _binaries() / "sandbox"


def _binaries():
    _, target = host()
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / target / "debug"


def _compile(*which):
    """Compiles with cargo's own progress on the terminal; links to tests are in `.local/tests`, by their names."""
    _, target = host()
    command = ["cargo", "build", "--locked", "--target", target, "--message-format=json-render-diagnostics", *which]
    try:
        found = subprocess.run(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise Failed("cargo is missing", "Install Rust: https://rustup.rs") from None
    if found.returncode:
        raise Failed("the binaries do not compile", "cargo's errors are above.")
    for message in map(json.loads, found.stdout.splitlines()):
        if message.get("executable") and message["profile"]["test"]:
            TESTS.mkdir(parents=True, exist_ok=True)
            link = TESTS / message["target"]["name"]
            link.unlink(missing_ok=True)
            link.symlink_to(message["executable"])


def _digest(files):
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
