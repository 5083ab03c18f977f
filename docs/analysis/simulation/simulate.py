"""A queueing simulation of the pipeline: what a load does to waiting times, and where it ends.

    simulate.py              print the tables of docs/SCALING.md
    simulate.py --update     write them there

The second table sets the local cloud's world beside what was measured: `measured.json` is a list of what
`docs/analysis/latency/latency.py --rate … --json …` wrote.

A callback passes the API's throttle, the receiver, the exchange queue, a batch of the exchanger, the stream, and a
batch of the notifier; what WhatsApp refuses there comes back from the notifier's retry queue. Batch sizes, limits, retries
and pauses are the template's and the code's own (`settings.py`); every other number is in `inputs.toml`. It knows no prices, no DynamoDB or KMS limits (docs/SCALING.md does these by
arithmetic), and no duplicates.
"""

import argparse
import collections
import dataclasses
import heapq
import json
import math
import pathlib
import random
import sys
import tomllib

from capacity import Account, Bucket, Function
from settings import ROOT, Settings

HERE = pathlib.Path(__file__).parent
DOCUMENT = ROOT / "docs" / "SCALING.md"
HORIZON_SECONDS = 4 * 3600
_PAUSE, _LONGEST_PAUSE = 0.25, 4.0  # `Pauses` of shared's pauses.rs, without its chance


@dataclasses.dataclass(eq=False)
class Callback:
    """One person's callback, and after it their message in the queue."""

    arrived: float
    receives: int = 0
    visible: float = 0.0
    waited: float | None = None
    connected: float | None = None
    told: float | None = None


@dataclasses.dataclass(eq=False)
class Record:
    """A record of the stream that passes the notifier's filter: an outcome. And after it the pointer on the retry queue."""

    callback: Callback
    handed_over: float | None = None


class Simulation:
    """One load on one world."""

    def __init__(self, settings, world, load, seed=1):
        self.settings, self.world, self.load = settings, world, load
        self.chance, self.now, self.events, self.order = random.Random(seed), 0.0, [], 0
        self.down = load.get("down", (math.inf, -math.inf))
        busy = load["rate"] * world["busy_per_callback"] / 1000
        # A server that everything shares stretches every stage, as in an M/M/1 queue with shared time.
        self.stretch = 1 / (1 - min(busy, 0.95))
        self.throttle = Bucket(settings.api_rate, settings.api_burst)
        account = self.account = Account(world["account_concurrency"])
        self.receiver, self.exchanger, self.notifier = (Function(account, world) for _ in range(3))
        self.whatsapp = Bucket(world["whatsapp_per_second"], world["whatsapp_per_second"])
        # What is where
        self.receiving, self.queue, self.hidden, self.in_hand = set(), collections.deque(), set(), set()
        lanes = max(1, round(world["shards"] * settings.parallelization))
        self.lanes = [collections.deque() for _ in range(lanes)]
        self.untold, self.lane_busy = set(), [False] * lanes
        self.retry_queue, self.retries, self.retry_due = collections.deque(), 0, False
        # Counters
        self.arrived = self.throttled = self.unserved = self.peak_queue = 0
        self.outcomes = collections.Counter()
        self.done, self.dead, self.told = [], [], []
        self.batches, self.polling_since, self.poll_due = 0, None, False

    def run(self, until=HORIZON_SECONDS):
        """Goes on until nothing happens any more, or until then."""
        due = 0.0
        for _ in range(round(self.load["rate"] * self.load["seconds"])):
            due += self.chance.expovariate(self.load["rate"])
            self.at(due, self.arrive)
        while self.events and self.events[0][0] <= until:
            self.now, _, action, arguments = heapq.heappop(self.events)
            action(*arguments)
        return self

    def at(self, time, action, *arguments):
        self.order += 1
        heapq.heappush(self.events, (time, self.order, action, arguments))

    def takes(self, stage, ours=True):
        """How long a stage takes now, in seconds."""
        found = self.world[stage]
        if isinstance(found, list):
            median, late = found
            found = median * math.exp(self.chance.gauss(0, math.log(late / median) / 2.326))
        return found / 1000 * (self.stretch if ours else 1)

    # Arrival

    def arrive(self):
        self.arrived += 1
        if not self.throttle.admits(self.now):
            self.throttled += 1
            return
        ready = self.receiver.take(self.now)
        if ready is None:
            self.unserved += 1
            return
        callback = Callback(self.now)
        self.receiving.add(callback)
        self.at(self.now + self.takes("api") + ready + self.takes("receiver"), self.enqueue, callback)

    def enqueue(self, callback):
        self.receiver.give()
        self.receiving.remove(callback)
        self.show(callback)

    # The exchange queue

    def show(self, callback):
        self.hidden.discard(callback)
        callback.visible = self.now
        self.queue.append(callback)
        self.peak_queue = max(self.peak_queue, len(self.queue))
        self.poll()

    def poll(self):
        """Hands out batches as far as pollers and environments go."""
        if self.polling_since is None:
            self.polling_since = self.now
        while self.remove_dead_letters():
            pollers = self.world["pollers"] + (self.now - self.polling_since) * self.world["pollers_per_second"]
            if self.batches >= min(pollers, self.settings.maximum_concurrency):
                if pollers < self.settings.maximum_concurrency:
                    self.poll_again(0.2)
                return
            ready = self.exchanger.take(self.now)
            if ready is None:
                self.poll_again(1)
                return
            batch = []
            while len(batch) < self.settings.exchange_batch and self.remove_dead_letters():
                batch.append(self.queue.popleft())
                batch[-1].receives += 1
            self.in_hand.update(batch)
            self.batches += 1
            self.at(self.now + self.takes("queue_to_function") + ready, self.exchange, batch)
        if not self.batches:
            self.polling_since = None

    def remove_dead_letters(self):
        """Moves what was received too often to the dead-letter queue, up to the first that was not: is there one?"""
        while self.queue and self.queue[0].receives >= self.settings.max_receives:
            self.dead.append(self.queue.popleft())
        return bool(self.queue)

    def poll_again(self, pause):
        if not self.poll_due:
            self.poll_due = True
            self.at(self.now + pause, self.due_poll)

    def due_poll(self):
        self.poll_due = False
        self.poll()

    def exchange(self, batch):
        ends = [self.now]
        for callback in batch:
            if callback.waited is None:
                callback.waited = self.now - callback.visible
            end, outcome = self.receive(callback)
            ends.append(end)
            self.at(end, self.end_of_try, callback, outcome)
        self.at(max(ends), self.end_of_batch)

    def receive(self, callback):
        """When this receive ends, and with which outcome, if with one."""
        now, settings = self.now, self.settings
        if now - callback.arrived >= settings.code_lifetime:
            return now + self.takes("claim"), "expired"
        if callback.receives > settings.max_tries:
            return now + self.takes("claim"), None
        time, pause = now + self.takes("claim"), _PAUSE
        until = time + settings.exchange_budget
        while self.down[0] <= time < self.down[1]:
            time += self.takes("salesforce_down_answers", ours=False)
            if time + pause >= until:
                return time, "delayed" if callback.receives == settings.max_tries else None
            time, pause = time + pause, min(2 * pause, _LONGEST_PAUSE)
        salesforce = self.takes("exchange", ours=False) + self.takes("userinfo", ours=False)
        return time + salesforce + self.takes("store"), "connected"

    def end_of_try(self, callback, outcome):
        self.in_hand.remove(callback)
        if outcome:
            self.outcomes[outcome] += 1
            self.record(Record(callback))
        if outcome == "connected":
            callback.connected = self.now
        if outcome in ("connected", "expired"):
            self.done.append(callback)
            return
        pause = 1.0
        if callback.receives < self.settings.max_tries:
            pause = self.settings.pauses[min(callback.receives, len(self.settings.pauses)) - 1]
            life = callback.arrived + self.settings.code_lifetime - self.now
            pause = min(pause, life + 1) if life > 0 else pause
        self.hidden.add(callback)
        self.at(self.now + pause, self.show, callback)

    def end_of_batch(self):
        self.exchanger.give()
        self.batches -= 1
        self.poll()

    # The stream

    def record(self, record):
        self.untold.add(record)
        lane = self.chance.randrange(len(self.lanes))
        self.at(self.now + self.takes("stream_to_function"), self.reach, lane, record)

    def reach(self, lane, record):
        self.lanes[lane].append(record)
        self.notify(lane)

    def notify(self, lane):
        """Hands the lane's next batch to the notifier: one at a time."""
        if self.lane_busy[lane] or not self.lanes[lane]:
            return
        ready = self.notifier.take(self.now)
        self.lane_busy[lane] = True
        if ready is None:
            self.at(self.now + 1, self.free, lane)
            return
        self.at(self.now + ready + self.takes("lane_pause", ours=False), self.notify_batch, lane)

    def notify_batch(self, lane):
        most = max(1, round(self.settings.notify_batch * self.world["batch_share"]))
        batch = [self.lanes[lane].popleft() for _ in range(min(len(self.lanes[lane]), most))]
        self.at(max(self.tell(record) for record in batch), self.end_of_notice, lane)

    def tell(self, record):
        """Tells the person and the bot, all of a batch at once; when that ends. The bot hears it in any case."""
        end = self.now + self.takes("read") + self.takes("mark") + self.takes("send", ours=False)
        if self.whatsapp.admits(self.now):
            record.callback.told = end
            self.untold.remove(record)
            self.told.append(record)
        else:
            if record.handed_over is None:
                pause = self.settings.retry_first
                record.handed_over = end
            else:
                age = end - record.handed_over
                pause = next((pause for until, pause in self.settings.retry_pauses if age < until), 0)
            self.at(end + pause, self.return_to_notifier, record)
        return end + self.takes("mark") + self.takes("bot", ours=False) + self.takes("mark")

    def end_of_notice(self, lane):
        self.notifier.give()
        self.free(lane)

    def free(self, lane):
        self.lane_busy[lane] = False
        self.notify(lane)

    # The notifier's retry queue

    def return_to_notifier(self, record):
        self.retry_queue.append(record)
        self.retry()

    def retry(self):
        """Hands out batches of what is due, as far as environments go."""
        while self.retry_queue and self.retries < self.settings.maximum_concurrency:
            ready = self.notifier.take(self.now)
            if ready is None:
                if not self.retry_due:
                    self.retry_due = True
                    self.at(self.now + 1, self.due_retry)
                return
            size = min(len(self.retry_queue), self.settings.retry_batch)
            batch = [self.retry_queue.popleft() for _ in range(size)]
            self.retries += 1
            self.at(self.now + self.takes("queue_to_function") + ready, self.retry_batch, batch)

    def due_retry(self):
        self.retry_due = False
        self.retry()

    def retry_batch(self, batch):
        self.at(max(self.tell(record) for record in batch), self.end_of_retry)

    def end_of_retry(self):
        self.notifier.give()
        self.retries -= 1
        self.retry()

    # What came of it

    def report(self):
        finished = [*self.done, *self.dead]
        return {
            "arrived": self.arrived,
            "refused": self.throttled + self.unserved,
            "connected": self.outcomes["connected"],
            "dead": len(self.dead),
            "not_notified": len(self.untold),
            "peak_queue": self.peak_queue,
            "peak_concurrency": self.account.peak,
            "queue_wait": _summary(found.waited for found in finished),
            "to_connected": _summary(found.connected and found.connected - found.arrived for found in finished),
            "to_message": _summary(found.told and found.told - found.arrived for found in finished),
        }


def _summary(values):
    """Median and 95th percentile of those that are there."""
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return None, None
    return tuple(ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95))


# The tables


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
    parser.add_argument("--update", action="store_true", help="write both tables into docs/SCALING.md")
    arguments = parser.parse_args()
    tables = {"simulated": table(), "checked": comparison(json.loads((HERE / "measured.json").read_text()))}
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
