"""A simulation of the sweep: how long it takes, how many refreshes a second follow, and who waits.

    sweep.py              print the table of docs/SCALING.md
    sweep.py --update     write it there

Segments, pauses and delays are the code's (`plan.rs`, `upkeep.rs`), concurrency and batch size the template's, prices those of
`docs/analysis/cost/cost.py`. It goes by seconds: in each, the pages that are due are read, the refreshes whose delay is over
queue up, and as many are done as the functions can do at once. Pages wait in the same queue.
"""

import argparse
import collections
import heapq
import math
import pathlib
import random
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "SCALING.md"
sys.path.insert(0, str(ROOT / "docs/analysis/cost"))
import cost  # noqa: E402

PLAN = "functions/token-refresher/src/sweep/plan.rs"
PAGES = "shared/src/custody/upkeep.rs"
HOUR = 3600
# Assumptions, beyond the code and the template.
ROW_BYTES = 3_000  # opaque tokens, a sealed refresh token; a JWT takes up to 2 kB more
REFRESH_S = (0.65, 3.0)  # median and 99th percentile: token endpoint 300 ms, introspection 150 ms, KMS and writes the rest
PAGE_S = 0.6  # a megabyte's Scan, two batches of messages
POLL_S = 1.0  # a message that becomes visible is received within so long
# name, rows, part of them that is due, changed settings: concurrency, refresh_s, known (rows, as DescribeTable has it)
LOADS = [
    ("100,000 connections that nobody uses", 100_000, 1 / 20, {}),
    ("a million", 1_000_000, 1 / 20, {}),
    ("ten million", 10_000_000, 1 / 20, {}),
    ("ten million, a refresh takes 3 s", 10_000_000, 1 / 20, {"refresh_s": (3.0, 10.0)}),
    ("ten million, all due: the first sweep of a stack that takes them over", 10_000_000, 1, {}),
    ("the same, `UpkeepConcurrency=40`", 10_000_000, 1, {"concurrency": 40}),
    ("ten million that were imported an hour ago: the table's size is not known yet", 10_000_000, 1 / 20, {"known": 0}),
]


def constant(name):
    """A number of the plan, or a duration of it in seconds."""
    source = (ROOT / PLAN).read_text() + (ROOT / PAGES).read_text()
    found = re.search(rf"const {name}: \w+ = (?:Duration::from_(\w+)\()?([\d_* ]+)\)?;", source)
    if not found:
        raise SystemExit(f"{PLAN} and {PAGES} no longer say {name}")
    return math.prod(int(part.replace("_", "")) for part in found[2].split("*")) * {"mins": 60, None: 1}[found[1]]


def template():
    """What the template says: batches at once, messages of a batch, hours of a sweep, days of keep-alive."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: None)
    found = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    refresher = found["Resources"]["TokenRefresherFunction"]["Properties"]
    return {
        "concurrency": found["Parameters"]["UpkeepConcurrency"]["Default"],
        "batch": refresher["Events"]["Upkeep"]["Properties"]["BatchSize"],
        "hours": int(refresher["Environment"]["Variables"]["SWEEP_HOURS"]),
    }


def plan(rows, row_bytes, hours):
    """Segments and pause, as `Plan::new` has them."""
    pages = page_count(rows, row_bytes)
    time = hours * HOUR
    segments = min(max(1, -(-pages * constant("PACE") // time)), constant("MAX_SEGMENTS"))
    return segments, min(time * segments // pages, constant("MAX_PAUSE"))


def page_count(rows, row_bytes):
    return max(1, -(-rows * row_bytes // constant("PAGE_BYTES")), -(-rows // constant("PAGE_ROWS")))


class Sweep:
    """One sweep of one table."""

    def __init__(self, rows, part_due, settings, *, concurrency=None, refresh_s=REFRESH_S, known=None, seed=1):
        self.chance, self.hours, self.rows = random.Random(seed), settings["hours"], rows
        self.batch = settings["batch"]
        self.slots = (concurrency or settings["concurrency"]) * self.batch
        self.segments, self.pause = plan(rows if known is None else known, ROW_BYTES, self.hours)
        pages = page_count(rows, ROW_BYTES)
        self.left = [pages // self.segments + (segment < pages % self.segments) for segment in range(self.segments)]
        self.pages, self.due_a_page, self.short = pages, rows * part_due / pages, 0.0
        # A batch is done when its slowest message is.
        sigma = math.log(refresh_s[1] / refresh_s[0]) / 2.326
        slowest = [
            max(refresh_s[0] * math.exp(self.chance.gauss(0, sigma)) for _ in range(self.batch)) for _ in range(20_000)
        ]
        self.a_second = self.slots / (sum(slowest) / len(slowest))
        self.due, self.done, self.longest_queue, self.longest_wait = 0, 0, 0.0, 0.0
        self.by_minute, self.ended = collections.Counter(), None

    def run(self):
        """Goes on until every page is read and every due row refreshed."""
        coming = collections.Counter()
        reading = [(int(self.pause * segment / self.segments), segment) for segment in range(self.segments)]
        heapq.heapify(reading)
        second, queue = 0, 0.0
        while reading or queue >= 1 or coming:
            queue += coming.pop(second, 0)
            wait = queue / self.a_second
            while reading and reading[0][0] <= second:
                _, segment = heapq.heappop(reading)
                self.read(second + wait, segment, coming, reading)
            served = min(queue, self.a_second)
            queue -= served
            self.done += served
            self.by_minute[second // 60] += served
            self.longest_queue, self.longest_wait = max(self.longest_queue, queue), max(self.longest_wait, wait)
            second += 1
            if not queue and not coming and reading:
                second = max(second, reading[0][0])
        self.finished = second
        return self

    def read(self, at, segment, coming, reading):
        """A page of a segment: its due rows come within the pause, the next page after it."""
        pause = 0 if at > self.hours * HOUR else self.pause
        exact = self.due_a_page + self.short
        due = min(int(exact), self.rows - self.due)
        self.short, self.due = exact - due, self.due + due
        first = math.ceil(at + PAGE_S)
        seconds = max(pause, 1)
        share, rest = divmod(due, seconds)
        for late in range(seconds if share else 0):
            coming[first + late] += share
        for _ in range(rest):
            coming[first + self.chance.randrange(seconds)] += 1
        self.left[segment] -= 1
        if self.left[segment]:
            heapq.heappush(reading, (math.ceil(at + PAGE_S + pause + self.chance.random() * POLL_S), segment))
        else:
            self.ended = max(self.ended or 0, at + PAGE_S)

    def dollars(self):
        """What the day costs: the pages, and the refreshes."""
        return self.rows * cost.price(cost.SWEPT_MONTH) / cost.SWEEP_DAYS + self.due * cost.price(cost.REFRESH)


def took(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"


def table():
    lines = [
        "| table | segments | pause | the last page after | due rows | refreshes a second: mean, busiest minute | longest wait | longest queue | the last refresh after | $ for that day |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, rows, part_due, changed in LOADS:
        found = Sweep(rows, part_due, template(), **changed).run()
        busiest = max(found.by_minute.values()) / 60
        lines.append(
            f"| {name} | {found.segments} | {found.pause} s | {took(found.ended)} | {found.due:,} "
            f"| {found.due / found.finished:.1f}, {busiest:.1f} | {took(found.longest_wait)} | {found.longest_queue:,.0f} "
            f"| {took(found.finished)} | {found.dollars():,.2f} |"
        )
    return "\n".join(lines) + "\n"


def document():
    text, begin, end = DOCUMENT.read_text(), "<!-- swept -->\n", "<!-- /swept -->"
    return text[: text.index(begin) + len(begin)] + table() + text[text.index(end) :]


def main():
    parser = argparse.ArgumentParser(description="A simulation of the sweep")
    parser.add_argument("--update", action="store_true", help="write the table into docs/SCALING.md")
    if parser.parse_args().update:
        DOCUMENT.write_text(document())
    else:
        print(table())


if __name__ == "__main__":
    main()
