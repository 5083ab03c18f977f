"""A queueing simulation of the pipeline: what a load does to waiting times, and where it ends.

    simulate.py              print the tables of docs/SCALING.md
    simulate.py --update     write them there

The second table sets the local cloud's world beside what was measured: `measured.json` is a list of what
`docs/analysis/latency/latency.py --rate … --json …` wrote.

A callback passes the API's throttle, the receiver, the exchange queue, a batch of the exchanger, the stream, and a
batch of the notifier. Batch sizes, limits, retries and pauses are the template's and the code's own, read from there;
every other number is in `inputs.toml`. It knows no prices, no DynamoDB or KMS limits (docs/SCALING.md does these by
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
import re
import sys
import tomllib

import yaml

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
DOCUMENT = ROOT / "docs" / "SCALING.md"
HORIZON_SECONDS = 4 * 3600
_PAUSE, _LONGEST_PAUSE = 0.25, 4.0  # `Pauses` of the exchanger's retry.rs, without its chance


# What the template and the code say


@dataclasses.dataclass
class Settings:
    """The deployed settings."""

    api_rate: float
    api_burst: float
    exchange_batch: int
    maximum_concurrency: int
    max_receives: int
    max_tries: int
    pauses: list
    code_lifetime: float
    exchange_budget: float
    notify_batch: int
    parallelization: int
    stream_retries: int
    stream_age: float

    @classmethod
    def read(cls, parameters):
        template = yaml.load((ROOT / "template.yaml").read_text(), _Template)
        resources = template["Resources"]
        given = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()} | parameters

        def value(found):
            return given[found["Ref"]] if isinstance(found, dict) else found

        throttle = resources["Api"]["Properties"]["DefaultRouteSettings"]
        exchanger = resources["TokenExchangerFunction"]["Properties"]
        queue = exchanger["Events"]["Exchange"]["Properties"]
        stream = resources["NotifierFunction"]["Properties"]["Events"]["Outcome"]["Properties"]
        return cls(
            api_rate=throttle["ThrottlingRateLimit"],
            api_burst=throttle["ThrottlingBurstLimit"],
            exchange_batch=queue["BatchSize"],
            maximum_concurrency=value(queue["ScalingConfig"]["MaximumConcurrency"]),
            max_receives=resources["ExchangeQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"],
            max_tries=int(exchanger["Environment"]["Variables"]["MAX_TRIES"]),
            pauses=[int(found) for found in _rust("functions/token-exchanger/src/retry.rs", r"VISIBILITY_SECONDS: .*= \[(.*)\]").split(",")],
            code_lifetime=60 * int(_rust("shared/src/exchange.rs", r"CODE_LIFETIME: .*from_mins\((\d+)\)")),
            exchange_budget=int(_rust("functions/token-exchanger/src/budget.rs", r"EXCHANGE_LIMIT: .*from_secs\((\d+)\)")),
            notify_batch=stream["BatchSize"],
            parallelization=stream["ParallelizationFactor"],
            stream_retries=stream["MaximumRetryAttempts"],
            stream_age=stream["MaximumRecordAgeInSeconds"],
        )


def _rust(path, pattern):
    found = re.search(pattern, (ROOT / path).read_text())
    if not found:
        raise SystemExit(f"{path} no longer says {pattern}")
    return found[1]


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short functions, each as {name: argument}."""


def _short_function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    construct = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return {suffix: construct(node, deep=True)}


_Template.add_multi_constructor("!", _short_function)


# What stands in a callback's way


class Bucket:
    """A token bucket."""

    def __init__(self, per_second, burst):
        self.per_second, self.burst = per_second, burst
        self.tokens, self.since = burst, 0.0

    def admits(self, now):
        self.tokens = min(self.burst, self.tokens + (now - self.since) * self.per_second)
        self.since = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class Account:
    """The concurrency that all functions share."""

    def __init__(self, limit):
        self.limit, self.busy, self.peak = limit, 0, 0


class Function:
    """The execution environments of a function: one that is warm is used again, a new one has to start."""

    def __init__(self, account, world):
        self.account, self.warm = account, world["warm"]
        self.cold_start = world["cold_start"] / 1000
        self.new = Bucket(world["scaling_per_second"], world["scaling_burst"])

    def take(self, now):
        """The seconds until one is ready; None where there is none now."""
        if self.account.busy >= self.account.limit:
            return None
        if not self.warm and not self.new.admits(now):
            return None
        self.account.busy += 1
        self.account.peak = max(self.account.peak, self.account.busy)
        if self.warm:
            self.warm -= 1
            return 0.0
        return self.cold_start

    def give(self):
        self.account.busy -= 1
        self.warm += 1


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
    """A record of the stream that passes the notifier's filter."""

    callback: Callback
    born: float
    done: bool = False  # nothing is left to tell: such a record costs its reading alone
    tries: int = 0


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
        self.in_stream, self.lane_busy = set(), [False] * lanes
        # Counters
        self.arrived = self.throttled = self.unserved = self.peak_queue = 0
        self.outcomes = collections.Counter()
        self.done, self.dead, self.told, self.not_notified = [], [], [], []
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
            self.record(Record(callback, self.now))
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
        self.in_stream.add(record)
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
        begin, ends, failed = self.now, [], None
        for place, record in enumerate(batch):
            end = begin + self.takes("read")
            if not record.done:
                if self.whatsapp.admits(self.now):
                    end += self.takes("send", ours=False)
                    record.callback.told, record.done = end, True
                    self.at(end + self.takes("mark"), self.mark, lane, record)
                    end += self.takes("mark") + self.takes("bot", ours=False) + self.takes("mark")
                else:
                    record.tries += 1
                    failed = place if failed is None else failed
                    end += self.takes("bot", ours=False) + self.takes("mark")
            ends.append(end)
        self.at(max(ends), self.end_of_notice, lane, batch, failed)

    def mark(self, lane, record):
        """The mark of the message is itself a record that passes the filter, and then needs nothing."""
        echo = Record(record.callback, self.now, done=True)
        self.at(self.now + self.takes("stream_to_function"), self.reach, lane, echo)

    def end_of_notice(self, lane, batch, failed):
        self.notifier.give()
        kept = []
        for place, record in enumerate(batch):
            over = record.tries > self.settings.stream_retries or self.now - record.born > self.settings.stream_age
            if record.done:
                if record in self.in_stream:
                    self.in_stream.remove(record)
                    self.told.append(record)
            elif over:
                self.in_stream.remove(record)
                self.not_notified.append(record)
            # From the first failure on the batch comes again, also what is done.
            if failed is not None and place >= failed and not over:
                kept.append(record)
        self.lanes[lane].extendleft(reversed(kept))
        if kept:
            self.at(self.now + self.world["stream_retry"] / 1000, self.free, lane)
        else:
            self.free(lane)

    def free(self, lane):
        self.lane_busy[lane] = False
        self.notify(lane)

    # What came of it

    def report(self):
        finished = [*self.done, *self.dead]
        return {
            "arrived": self.arrived,
            "refused": self.throttled + self.unserved,
            "connected": self.outcomes["connected"],
            "dead": len(self.dead),
            "not_notified": len(self.not_notified),
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
