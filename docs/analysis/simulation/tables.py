"""What docs/SCALING.md shows of the simulation, beside what was measured.

    tables.py              print the tables of docs/SCALING.md
    tables.py --update     write them there

The second and the third set the local cloud's world beside what was measured: `measured.json` is a list of what
`docs/analysis/latency/latency.py --rate … --json …` wrote, `bursts.json` the same with `--burst`.
"""

import argparse
import json
import pathlib
import sys
import tomllib

from settings import ROOT, Settings
from simulate import Simulation, summary

HERE = pathlib.Path(__file__).parent
DOCUMENT = ROOT / "docs" / "SCALING.md"
_TAIL = (0.5, 0.95, 0.99, 0.999)
_TRIES = 30  # as `TRIES` of latency's walks.py


def inputs():
    return tomllib.loads((HERE / "inputs.toml").read_text())


def simulated(load, world="aws"):
    """A load of the inputs, with its own changes to world and parameters."""
    world = inputs()["worlds"][world] | load.get("world", {})
    return Simulation(Settings.read(load.get("parameters", {})), world, load).run()


def table():
    rows = [
        "| load | callbacks | refused | queue wait p50, p95 | to connected p50, p95 | to message p50, p95 "
        "| longest queue | functions at once | dead letters | not notified |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for load in inputs()["loads"]:
        found = simulated(load).report()
        times = " | ".join(_times(found[name]) for name in ("queue_wait", "to_connected", "to_message"))
        rows.append(
            f"| {load['name']} | {found['arrived']:,} | {found['refused']:,} | {times} | {found['peak_queue']:,} "
            f"| {found['peak_concurrency']:,} | {found['dead']:,} | {found['not_notified']:,} |"
        )
    return "\n".join(rows)


def predicted(run):
    """A run of `latency.py --rate`, simulated."""
    return simulated({"rate": run["rate"], "seconds": run["people"] / run["rate"]}, "local")


def predicted_burst(run):
    """A run of `latency.py --burst`, simulated; whoever finds no room reloads."""
    world = {"account_concurrency": run["account_concurrency"]}
    return simulated({"rate": run["burst"], "seconds": 1, "tries": _TRIES, "world": world}, "local")


def burst_comparison(measured):
    """Prediction beside measurement, for each run of `latency.py --burst`."""
    names = ("queue wait", "callback to connected", "callback to message")
    rows = [f"| callbacks, functions at once | | {' | '.join(f'{name} p50, p95, p99, p99.9' for name in names)} |", "| --- | --- | ---: | ---: | ---: |"]
    for run in measured:
        found = predicted_burst(run)
        waits = (found.queue_waits(), found.times_to("connected"), found.times_to("told"))
        cells = (", ".join(_seconds(value) for value in summary(values, _TAIL)) for values in waits)
        rows.append(f"| {run['burst']}, {run['account_concurrency']} | predicted | {' | '.join(cells)} |")
        seen = (run["stages"]["queue wait"], run["callback_to_connected"], run["callback_to_message"])
        cells = (", ".join(_seconds(one[f"p{at}_ms"] / 1000) for at in ("50", "95", "99", "999")) for one in seen)
        rows.append(f"| | measured | {' | '.join(cells)} |")
    return "\n".join(rows)


def comparison(measured):
    """Prediction beside measurement, for each run of `latency.py --rate`."""
    rows = [
        "| callbacks a second | | queue wait p50 | to connected p50, p95 | to message p50, p95 |",
        "| ---: | --- | ---: | ---: | ---: |",
    ]
    for run in measured:
        found = predicted(run).report()
        rows.append(
            f"| {run['rate']:g} | predicted | {_ms(found['queue_wait'][0])} "
            f"| {_ms(*found['to_connected'])} | {_ms(*found['to_message'])} |"
        )
        waited = run["stages"]["queue wait"]["p50_ms"]
        seen = (_ms(*(run[name][f"p{at}_ms"] / 1000 for at in (50, 95)))
                for name in ("callback_to_connected", "callback_to_message"))
        rows.append(f"| | measured | {_ms(waited / 1000)} | {' | '.join(seen)} |")
    return "\n".join(rows)


def measured(name):
    """What `latency.py` wrote: the runs with a rate, or the bursts."""
    return json.loads((HERE / f"{name}.json").read_text())


def documented():
    """The tables of the document, by their names there."""
    return {"simulated": table(), "checked": comparison(measured("measured")), "bursts": burst_comparison(measured("bursts"))}


def _times(pair):
    return "–" if pair[0] is None else ", ".join(_seconds(value) for value in pair)


def _seconds(value):
    return f"{value:.2f} s" if value < 10 else f"{value:,.0f} s"


def _ms(*values):
    return ", ".join(f"{1000 * value:,.0f} ms" for value in values)


def between(text, name):
    """What stands between a pair of markers in the document, and where."""
    begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    first = text.index(begin) + len(begin)
    return first, text.index(end, first)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write the tables into docs/SCALING.md")
    arguments = parser.parse_args()
    tables = documented()
    if arguments.update:
        text = DOCUMENT.read_text()
        for name, lines in tables.items():
            first, last = between(text, name)
            text = text[:first] + lines + text[last:]
        DOCUMENT.write_text(text)
    else:
        print("\n\n".join(tables.values()))


if __name__ == "__main__":
    sys.exit(main())
