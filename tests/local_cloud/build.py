"""Builds what the local cloud runs: the template's functions by `sam build`, and the sandbox, in one target directory.

The profile and the target are those of `cargo test` in the Makefile. The functions' dependencies are compiled with the
features that ship, and once more with those of the whole workspace for the sandbox and the tests. With `RELEASE` in the
environment the functions are built as they ship, which takes minutes.
"""

import hashlib
import json
import os
import subprocess

from tools import LOCAL, ROOT, Failed, clean_environment, host, logs, run, step

BUILT = LOCAL / "build"
TEMPLATE = ROOT / "template.yaml"


def build():
    """Brings `.local/build` and the sandbox up to date; returns a fingerprint of what is to be deployed."""
    architecture, target = host()
    as_they_ship = bool(os.environ.get("RELEASE"))
    with step("Rust binaries", shows_more=True):
        functions = [] if as_they_ship else _compile(target)  # the workspace's default members
        _compile(target, "--workspace", "--bin", "sandbox", "--bin", "wasf")
    sources = _digest([TEMPLATE, *functions])
    made_from = BUILT / "made-from"
    if as_they_ship or not made_from.exists() or made_from.read_text() != sources:
        with step("sam build"):
            made_from.unlink(missing_ok=True)
            command = ["sam", "build", "--template-file", TEMPLATE, "--build-dir", BUILT]
            command += ["--config-env", "local", "--parameter-overrides", f"Architecture={architecture}"]
            mode = {} if as_they_ship else {"SAM_BUILD_MODE": "debug", "CARGO_LAMBDA_COMPILER": "cargo"}
            run(command, logs() / "sam-build.log", clean_environment(**mode))
            if not as_they_ship:
                made_from.write_text(sources)
    return _digest([TEMPLATE, *sorted(BUILT.glob("*/bootstrap"))])


def sandbox():
    """The sandbox's binary."""
    _, target = host()
    return _target_directory() / target / "debug" / "sandbox"


def _target_directory():
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def _compile(target, *which):
    """Compiles binaries with cargo's own progress on the terminal; returns their paths."""
    command = ["cargo", "build", "--locked", "--target", target, *which]
    command += ["--message-format", "json-render-diagnostics"]
    try:
        found = subprocess.run(command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE)
    except FileNotFoundError:
        raise Failed("there is no cargo", "Install Rust: https://rustup.rs") from None
    if found.returncode:
        raise Failed("the binaries do not compile", "cargo says above what is wrong.")
    messages = (json.loads(line) for line in found.stdout.splitlines())
    return sorted(ROOT / message["executable"] for message in messages if message.get("executable"))


def _digest(files):
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
