#!/usr/bin/env python3
"""The local cloud's command line: the template, deployed on this machine.

    cloud.py up        start it, or bring a running one up to date; prints the address of the chat. BOT_WEBHOOK_URL in the
                       environment sends events to a bot of your own in place of the sandbox's
    cloud.py down      end it
    cloud.py status    say what runs, where, and what a bot of your own needs to call it
    cloud.py run [--with-plain-stack] [--with-proof-stack] [--with-proof-meta-stack] [--empty | --own-bot] [--chat-proof] [--concurrency N] [--built] -- COMMAND…
                       start another one just for COMMAND, which finds it by LOCAL_CLOUD_STATE; fails too where the
                       sandbox's bot was sent an event that is not as its schema says. --own-bot: events go
                       to COMMAND, at the main stack's BotWebhookUrl. --chat-proof: the main stack has ChatProof=Required,
                       as with `up`. --concurrency: so many functions run at once, all together, as in an account that
                       allows no more; 1000 where it is not given
    cloud.py build [--as-shipped | --with-wasf] [--test NAME]…
                       compile the functions, the sandbox and tests, and `wasf`; --as-shipped: by `sam build`, with `wasf`
    cloud.py setup [NAME…]
                       install Python tools into .local: ministack and tools, or what is named

Everything it writes is in `.local` and in cargo's target directory; everything it starts listens on loopback only.
"""

import argparse
import contextlib
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import addresses
import build
import processes
import tools
from instance import Instance
from tools import LOCAL, ROOT, Failed

UP = LOCAL / "cloud"
RUNS = LOCAL / "runs"
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_KEPT_RUNS = 3
_LOG_LINES = 25


def main():
    for number in _ENDING:
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    arguments = _arguments()
    try:
        return arguments.action(arguments)
    except Failed as failure:
        _explain(failure)
        return 1


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for action in (up, down, status, run, build_all, setup):
        name = action.__name__.replace("build_all", "build")
        subparser = actions.add_parser(name, help=action.__doc__)
        subparser.set_defaults(action=action)
        if action is run:
            more = {"dest": "stacks", "action": "append_const"}
            subparser.add_argument("--with-plain-stack", const="plain", **more, help="also one with StatePolicy=AcceptPlain")
            subparser.add_argument("--with-proof-stack", const="proof", **more, help="also one with ChatProof=Required")
            by_meta = "also one with ChatProof=Required that speaks to Meta"
            subparser.add_argument("--with-proof-meta-stack", const="proof-meta", **more, help=by_meta)
            which = subparser.add_mutually_exclusive_group()
            which.add_argument("--empty", action="store_true", help="an account without a stack or a secret")
            which.add_argument("--own-bot", action="store_true", help="COMMAND listens for the events")
            subparser.add_argument("--chat-proof", action="store_true", help="the main stack has ChatProof=Required")
            subparser.add_argument("--concurrency", type=int, metavar="N", help="functions that may run at once")
            subparser.add_argument("--built", action="store_true", help="do not compile: `build` has done so")
            subparser.add_argument("command", nargs="+", metavar="COMMAND")
        if action is build_all:
            subparser.add_argument("--as-shipped", action="store_true", help="by `sam build`, and `wasf`")
            subparser.add_argument("--with-wasf", action="store_true", help="also the operators' tool, which is in --as-shipped")
            subparser.add_argument("--test", action="append", default=[], metavar="NAME", help="linked in .local/tests")
        if action is setup:
            names = [name for name in tools.ENVIRONMENTS if name != "uv"]
            subparser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    arguments = parser.parse_args()
    if getattr(arguments, "empty", False) and (arguments.stacks or arguments.chat_proof):
        parser.error("an account that is --empty has no stack")
    return arguments


def up(_arguments):
    """start the local cloud, or bring a running one up to date"""
    tools.host()
    webhook = _bot_webhook_url()
    instance = Instance(UP)
    ports = instance.state.get("ports") if instance.lives("emulator") else None
    ports = (ports["emulator"], ports["sandbox"]) if ports else _ports()
    try:
        with tools.setup_beside("ministack"):
            built = build.build()
        state = instance.up(ports, built, bot_webhook_url=webhook, chat_proof="Required")
    except BaseException:
        if "main" not in instance.state.get("stacks", {}):
            instance.end()
        raise
    print(f"\nOpen {state['chat_url']}\n\n`make down` ends it. Logs: {UP.relative_to(ROOT)}/")
    return 0


def down(_arguments):
    """end the local cloud, and what a run that was killed has left"""
    left = [Instance(directory) for directory in (UP, *_runs()) if not _in_use(directory)]
    for instance in left:
        instance.end()
    print("Nothing runs any more." if not any(map(_in_use, _runs())) else "A run is still going on; it ends by itself.")
    return 0


def status(_arguments):
    """say what runs"""
    instance = Instance(UP)
    running = [name for name in ("emulator", "sandbox") if instance.lives(name)]
    if not running:
        print("The local cloud is down; `make up` starts it.")
        return 1
    print(f"{' and '.join(running)} up since {instance.state['processes'][running[0]]['started']}")
    print("\n".join(addresses.overview(instance.state)))
    for name, log in instance.state["logs"].items():
        print(f"{'log:':9}{pathlib.Path(log).relative_to(ROOT)} ({name})")
    lines = addresses.for_a_bot(instance.state, instance.file.relative_to(ROOT))
    print("\nFor a bot of your own, in a shell at the top of this checkout:\n" + "\n".join(f"  {line}" for line in lines))
    return 0


def run(arguments):
    """start a local cloud just for a command, and end it after the command"""
    tools.host()
    directory = RUNS / str(os.getpid())
    instance = Instance(directory, arguments.concurrency)
    stacks = () if arguments.empty else ("main", *(arguments.stacks or ()))
    command, code = None, 1
    try:
        _claim(directory)
        with tools.setup_beside("ministack"):
            if arguments.empty:
                built = build.built_as_shipped() if arguments.built else build.as_shipped()
            else:
                built = build.built() if arguments.built else build.build()
        webhook = None
        if arguments.own_bot:
            webhook = f"http://127.0.0.1:{processes.free_port()}/events"
        proof = "Required" if arguments.chat_proof else "Off"
        instance.up((processes.free_port(), processes.free_port()), built, stacks, webhook, proof)
        environment = {**os.environ, "LOCAL_CLOUD_STATE": str(instance.file)}
        command = subprocess.Popen(arguments.command, env=environment, start_new_session=True)
        instance.adopt("command", command)
        code = command.wait() or _hear(instance)
        return code
    finally:
        with _uninterrupted():
            if command:
                processes.end_group(command.pid)  # also what it may have left behind
            instance.end()
            if code == 0:
                shutil.rmtree(directory)
            else:
                print(f"Logs: {directory.relative_to(ROOT)}/", file=sys.stderr)


def _hear(instance):
    """Whether every event that the bot was sent is as its schema says: 0, or 1."""
    script = tools.HERE / "heard.py"
    return subprocess.run([str(tools.python("ministack")), str(script), instance.state["sandbox_url"]]).returncode


def build_all(arguments):
    """compile the functions, the sandbox and tests"""
    tools.host()
    if arguments.as_shipped:
        build.as_shipped(*arguments.test)
    else:
        build.build(*arguments.test, wasf=arguments.with_wasf)
    return 0


def setup(arguments):
    """install Python tools into .local"""
    tools.host()
    tools.setup(*(arguments.names or ("ministack", "tools")))
    return 0


def _bot_webhook_url():
    try:
        return addresses.bot_webhook_url()
    except ValueError as reason:
        raise Failed(f"{reason}", "It must be https, or http to this machine: http://127.0.0.1:3000/events") from None


def _ports():
    """The emulator's port and the sandbox's: the same for a checkout each time, unless something else has them."""
    asked = os.environ.get("PORT")
    if asked:
        if not asked.isdecimal() or not 0 < int(asked) < 65535:
            raise Failed(f"PORT={asked} is not a port number", "Give a number from 1 to 65534.")
        chosen = int(asked) + 1, int(asked)
        for port in chosen:
            if processes.free_port(port) is None:
                raise Failed(f"port {port} is taken", "Give another PORT (it and the next one are used), or none.")
        return chosen
    first = 20_000 + int(hashlib.sha256(str(ROOT).encode()).hexdigest(), 16) % 1_200 * 10
    sandbox, emulator = processes.free_port(first, tries=5), processes.free_port(first + 5, tries=5)
    if not sandbox or not emulator:
        raise Failed(f"ports {first} to {first + 9} are taken", "Give a free one: make up PORT=8080")
    return emulator, sandbox


def _runs():
    return sorted(RUNS.iterdir()) if RUNS.exists() else []


def _claim(directory):
    """Makes the directory of this run, and forgets the oldest of the runs that failed."""
    over = [run for run in sorted(_runs(), key=lambda run: run.stat().st_mtime) if not _in_use(run)]
    for run in [*over[:-_KEPT_RUNS], directory]:
        Instance(run).end()
        shutil.rmtree(run, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "owner").write_text(processes.started_at(os.getpid()))


def _in_use(directory):
    """Whether the `run` that this directory belongs to is still alive."""
    owner = directory / "owner"
    return owner.exists() and processes.started_at(int(directory.name)) == owner.read_text()


@contextlib.contextmanager
def _uninterrupted():
    """A second Ctrl-C does not stop the clean-up."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _explain(failure):
    print(f"\n{failure.what}", file=sys.stderr)
    if failure.log and failure.log.exists():
        lines = failure.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        print("\n".join(f"  | {line}" for line in lines), file=sys.stderr)
        print(f"The whole log: {failure.log}", file=sys.stderr)
    if failure.advice:
        print(failure.advice, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
