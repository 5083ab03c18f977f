"""Types answers on a terminal: a command on a pseudo-terminal of its own, and an answer for each question that it asks.

A request in JSON on standard input: `{"command": […], "answers": [["part of a question", "answer"], …]}`. Prints what the
terminal has shown, and ends as the command does; with 99 where a question is not asked in time, or one more is. Standard library only.
"""

import json
import os
import pty
import select
import sys
import time

PATIENCE_SECONDS = 60


def main():
    request = json.load(sys.stdin)
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(request["command"][0], request["command"])
    shown, begin = "", 0
    for question, answer in request["answers"]:
        while question not in shown[begin:]:
            if not (more := _read(terminal)):
                return _end(child, shown, f"not asked: {question}")
            shown += more
        begin = len(shown)
        os.write(terminal, f"{answer}\n".encode())
    while more := _read(terminal):
        shown += more
    return _end(child, shown, "it waits for another answer" if more is None else None)


def _read(terminal):
    """What the terminal shows next; empty where it has ended, and nothing where it says no more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            return os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # Linux says so of a terminal that nobody has open
            return ""
    return None


def _end(child, shown, missing):
    print(shown.replace("\r\n", "\n"))
    if missing:
        print(missing, file=sys.stderr)
        os.kill(child, 9)
    _, status = os.waitpid(child, 0)
    return 99 if missing else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
