#!/usr/bin/env python3
"""The gate: everything that must be green, side by side, so that the machine compiles while deployed tests wait.

    gate.py            run every part
    gate.py NAME…      run these parts and those that they need

Each part is a command that can be run alone. Cargo compiles one thing at a time, so parts that compile take turns, at
low priority: tests on a deployed stack wait for leases, retries and alarms, and must not starve when they are due. Nor
must they starve each other: two local clouds run at once. A part's output is printed when it ends; all of it is in
`.local/gate` too. Standard library only.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOGS = ROOT / ".local" / "gate"
DEPLOYED_AT_ONCE = 2
CLOUD = f"{sys.executable} tests/local_cloud/cloud.py"


@dataclasses.dataclass
class Part:
    """A command of the gate; `compiles` if cargo's target directory is locked by it, `deploys` if it starts local clouds,
    `patient` if nothing waits for it.
    """

    name: str
    command: str
    after: tuple = ()
    compiles: bool = False
    deploys: bool = False
    patient: bool = False
    process: subprocess.Popen | None = None
    began: float = 0
    took: float = 0
    worked: float = 0
    result: str = ""  # "ok", "FAILED", or "not run"


def parts():
    """In the order in which they start, where nothing holds them up.

    What others wait for comes first, and what mostly waits runs beside what compiles.
    """
    return [
        Part("python packages", f"{CLOUD} setup ministack tools scan canary contract release example examples"),
        Part("chromium", "make browser"),
        Part("programs", f"{CLOUD} build --with-wasf --test end_to_end", compiles=True),
        Part("connect", "make connect", after=("python packages", "chromium", "programs"), deploys=True),
        Part("alarms", "make alarms", after=("python packages", "programs"), deploys=True),
        Part("operate", "make operate", after=("programs as shipped",), deploys=True),
        Part("kills", "make kills", after=("python packages", "programs"), deploys=True),
        Part("emulator", "make emulator", after=("programs as shipped",), deploys=True),
        Part("bots", "make bots", after=("python packages", "programs"), deploys=True),
        Part("contract", "make contract", after=("python packages", "programs"), deploys=True),
        Part("meta", "make meta", after=("python packages", "programs"), deploys=True),
        Part("programs as shipped", f"{CLOUD} build --as-shipped --test operate", ("python packages",), compiles=True),
        Part("canary", "make dry-canary", after=("programs as shipped",), deploys=True),
        Part("unit", "make unit", compiles=True),
        Part("model", "make model", compiles=True),
        Part("rust", "make lint-rust", compiles=True),
        Part("template", "make lint-template", after=("python packages", "programs"), patient=True),
        Part("checks", "make checks", after=("python packages", "programs"), patient=True),
    ]


class Gate:
    """The parts, and which of them run."""

    def __init__(self, chosen):
        everything = {part.name: part for part in parts()}
        needed = set()

        def need(name):
            needed.add(name)
            for other in everything[name].after:
                need(other)

        for name in chosen or everything:
            need(name)
        self.parts = [part for part in everything.values() if part.name in needed]
        self.began = time.monotonic()

    def run(self):
        """Runs all; whether every part is ok."""
        shutil.rmtree(LOGS, ignore_errors=True)
        LOGS.mkdir(parents=True)
        try:
            while any(not part.result for part in self.parts):
                self._start_what_can()
                if any(part.process for part in self.parts):
                    self._collect()
        finally:
            self._end()
        self._report()
        return all(part.result == "ok" for part in self.parts)

    def _start_what_can(self):
        results = {part.name: part.result for part in self.parts}
        for part in self.parts:
            if part.process or part.result:
                continue
            if any(results[name] in ("FAILED", "not run") for name in part.after):
                part.result = results[part.name] = "not run"
            elif all(results[name] for name in part.after) and self._has_room(part):
                self._start(part)

    def _has_room(self, part):
        running = [other for other in self.parts if other.process]
        compiling, deployed = sum(other.compiles for other in running), sum(other.deploys for other in running)
        return not (part.compiles and compiling or part.deploys and deployed == DEPLOYED_AT_ONCE)

    def _start(self, part):
        self._say(f"{part.name} …")
        environment = {**os.environ, "GATE": "1", "CARGO_TERM_QUIET": "true", "MAKEFLAGS": "--no-print-directory"}
        command = ["nice", "-n", "10"] if part.compiles or part.patient else []
        with open(self._log(part), "wb") as log:
            part.process = subprocess.Popen(
                [*command, "bash", "-euc", part.command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that it can be ended with all that it started
            )
        if part.compiles or part.patient:
            # Linux groups processes by session for scheduling, and `nice` then only counts within one.
            with contextlib.suppress(OSError):
                pathlib.Path(f"/proc/{part.process.pid}/autogroup").write_text("10")
        part.began = time.monotonic()

    def _collect(self):
        """Waits for one part to end, and prints what it said."""
        pid, status, usage = os.wait4(-1, 0)
        for part in self.parts:
            if part.process and part.process.pid == pid:
                part.process.returncode = code = os.waitstatus_to_exitcode(status)
                part.process = None
                part.took, part.worked = time.monotonic() - part.began, usage.ru_utime + usage.ru_stime
                part.result = "FAILED" if code else "ok"
                print(f"\n── {part.name}: {part.result} ──", flush=True)
                sys.stdout.write(self._log(part).read_text(errors="replace"))
                self._say(f"{part.name}: {part.result} after {part.took:.0f} s")

    def _end(self):
        """Ends what still runs, where the gate itself is ended."""
        for part in self.parts:
            if part.process:
                os.killpg(part.process.pid, signal.SIGTERM)
        for part in self.parts:
            if part.process:
                part.process.wait()

    def _log(self, part):
        return LOGS / f"{part.name.replace(' ', '-')}.log"

    def _say(self, text):
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        print(f"[{minutes:2}:{seconds:02}] {text}", flush=True)

    def _report(self):
        print("\npart                   began  took  worked")
        for part in self.parts:
            began = f"{part.began - self.began:5.0f} s" if part.began else "      –"
            print(f"{part.name:20} {began} {part.took:4.0f} s  {part.worked:4.0f} s  {part.result}")
        self._say("all" if all(part.result == "ok" for part in self.parts) else "FAILED")


def main():
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(part.name for part in parts()))
    return 0 if Gate(parser.parse_args().names).run() else 1


if __name__ == "__main__":
    sys.exit(main())
