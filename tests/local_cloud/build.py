"""Builds what the local cloud runs: the functions, the sandbox, and `wasf` where operators are tested.

Profile, target and features are those of `cargo test --workspace` in the Makefile, so that everything is compiled once.
`as_shipped` is for what the functions' own features and `sam build` have a part in: the operators' tests, and every
test with `RELEASE` in the environment, which builds optimised functions and takes minutes.
"""

import dataclasses
import hashlib
import os
import subprocess

import tools
from tools import LOCAL, ROOT, Failed, clean_environment, host, logs, run, step

TEMPLATE = ROOT / "template.yaml"
FUNCTIONS = sorted(folder.name for folder in (ROOT / "functions").iterdir())
_SAM_BUILT = LOCAL / "build"


@dataclasses.dataclass
class Built:
    """What is to be deployed: `bootstrap` is each function's binary, by `{logical_id}` or `{binary}`."""

    bootstrap: str
    fingerprint: str


def build():
    """Compiles the functions and the sandbox."""
    if os.environ.get("RELEASE"):
        return as_shipped()
    _, target = host()
    with step("Functions and sandbox", shows_more=True):
        _compile(target, "--workspace", *(f"--bin={name}" for name in [*FUNCTIONS, "sandbox"]))
    folder = _target_directory() / target / "debug"
    return Built(f"{folder}/{{binary}}", _digest([TEMPLATE, *(folder / name for name in FUNCTIONS)]))


def as_shipped():
    """Builds the functions by `sam build`, with the features that ship, and compiles the sandbox and `wasf`."""
    architecture, target = host()
    release = bool(os.environ.get("RELEASE"))
    with step("Sandbox and wasf", shows_more=True):
        _compile(target, "--workspace", "--bin=sandbox", "--bin=wasf")
    if not release:
        with step("Functions", shows_more=True):
            # The workspace's default members are the functions: all at once, where `sam build` would take one by one.
            _compile(target)
    tools.setup("tools")
    with step("sam build"):
        command = ["sam", "build", "--template-file", TEMPLATE, "--build-dir", _SAM_BUILT]
        command += ["--config-env", "local", "--parameter-overrides", f"Architecture={architecture}"]
        mode = {} if release else {"SAM_BUILD_MODE": "debug", "CARGO_LAMBDA_COMPILER": "cargo"}
        run(command, logs() / "sam-build.log", clean_environment(**mode))
    return Built(f"{_SAM_BUILT}/{{logical_id}}/bootstrap", _digest([TEMPLATE, *sorted(_SAM_BUILT.glob("*/bootstrap"))]))


def sandbox():
    """The sandbox's binary."""
    _, target = host()
    return _target_directory() / target / "debug" / "sandbox"


def _target_directory():
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def _compile(target, *which):
    """Compiles with cargo's own progress on the terminal."""
    try:
        found = subprocess.run(["cargo", "build", "--locked", "--target", target, *which], cwd=ROOT, env=clean_environment())
    except FileNotFoundError:
        raise Failed("cargo is missing", "Install Rust: https://rustup.rs") from None
    if found.returncode:
        raise Failed("the binaries do not compile", "cargo's errors are above.")


def _digest(files):
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
