"""Starts `launcher.py`: AWS in a process. Standard library only."""

import pathlib

import processes

HERE = pathlib.Path(__file__).resolve().parent
REGION = "us-east-1"
ACCESS_KEY_ID = SECRET_ACCESS_KEY = "test"  # the account's root, as MiniStack knows it


def start(python, port, state, *, functions_endpoint=None, account_concurrency=None, without=()):
    """Starts an emulator with nothing of our environment, because every function would inherit it."""
    state.mkdir(parents=True, exist_ok=True)
    command = [python, HERE / "launcher.py", "--port", port, "--state", state]
    if functions_endpoint:
        command += ["--functions-endpoint", functions_endpoint]
    if account_concurrency:
        command += ["--account-concurrency", account_concurrency]
    if without:
        command += ["--without", ",".join(without)]
    return processes.start(command, log(state), {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})


def log(state):
    return state / "emulator.log"


def endpoint(port):
    return f"http://127.0.0.1:{port}"


def ready_url(port):
    return f"{endpoint(port)}/_ministack/ready"
