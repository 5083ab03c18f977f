"""Background processes of the local cloud: started in a session of their own, found again, ended with all they started.

Standard library only, like everything that runs before the virtual environments exist.
"""

import os
import signal
import socket
import subprocess
import time
import urllib.request

_END_SECONDS = 10


class DidNotStart(Exception):
    """A process ended, or did not answer in time, before it was ready."""


def start(command, log, environment):
    """Starts a process with just this environment; its output goes to `log`."""
    with open(log, "wb") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until_ready(process, url, seconds=60):
    """Returns once `url` answers 200 and the process still lives."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DidNotStart(f"it ended with exit code {process.returncode}")
        if answers(url):
            return
        time.sleep(0.05)
    raise DidNotStart(f"{url} did not answer within {seconds} s")


def answers(url):
    """Whether `url` answers 200 now."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def started_at(pid):
    """When the process with this id started, or None: tells it from a later process with the same id."""
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    return found.stdout.strip() or None


def end_group(pid):
    """Ends a process that leads a session, with everything it started: by SIGTERM, and after a while by SIGKILL."""
    deadline = time.monotonic() + _END_SECONDS
    _signal_group(pid, signal.SIGTERM)
    while _group_lives(pid):
        if time.monotonic() > deadline:
            _signal_group(pid, signal.SIGKILL)
            return
        time.sleep(0.05)


def _signal_group(pid, number):
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        pass


def _group_lives(pid):
    """Whether a process of the group still runs; one that has ended may wait long for its parent to collect it."""
    found = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True)
    return any(
        group == str(pid) and not state.startswith("Z") for group, state in map(str.split, found.stdout.splitlines())
    )


def free_port(first=0, tries=1):
    """The first free loopback port from `first` on, or any free one for 0; None if all are taken."""
    for candidate in range(first, first + tries):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return probe.getsockname()[1]
    return None
