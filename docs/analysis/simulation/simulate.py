"""A queueing simulation of the pipeline: what a load does to waiting times, and where it ends.

A callback passes the API's throttle, the receiver, the exchange queue, a batch of the exchanger, the stream, and a
batch of the notifier; what WhatsApp refuses there comes back from the notifier's retry queue. Batch sizes, limits, retries
and pauses are the template's and the code's own (`settings.py`); every other number is in `inputs.toml`. It knows no prices, no DynamoDB or KMS limits (docs/SCALING.md does these by
arithmetic), and no duplicates. What the document shows of it is in `tables.py`.
"""

import collections
import dataclasses
import heapq
import math
import random

from capacity import Account, Bucket, Function

HORIZON_SECONDS = 4 * 3600
_PAUSE, _LONGEST_PAUSE = 0.25, 4.0  # `Pauses` of shared's pauses.rs, without its chance
# What a callback passes on its way.
_STAGES = (
    "api receiver queue_to_function claim exchange userinfo store stream_to_function read send mark bot"
).split()
_LONGEST_RELOAD = 5  # seconds, as `Walk.call_back` of latency's walks.py


@dataclasses.dataclass(eq=False)
class Callback:
    """One person's callback, and after it their message in the queue."""

    arrived: float
    receives: int = 0
    queued: float = 0.0
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
        # A server that everything shares stretches every stage, as in an M/M/1 queue with shared time; and by no more than so
        # many functions as may run at once can be in each other's way there.
        most = world["account_concurrency"] * world["busy_per_callback"] / sum(_median(world[stage]) for stage in _STAGES)
        self.stretch = max(1, min(1 / (1 - min(busy, 0.95)), most))
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

    def arrive(self, first=None, tries=1):
        """Somebody comes; where there is no room and people reload, they come again."""
        if first is None:
            self.arrived, first = self.arrived + 1, self.now
        if not self.throttle.admits(self.now):
            self.throttled += 1
            return
        ready = self.receiver.take(self.now)
        if ready is None:
            if tries < self.load.get("tries", 1):
                self.at(self.now + min(tries, _LONGEST_RELOAD), self.arrive, first, tries + 1)
            else:
                self.unserved += 1
            return
        callback = Callback(first)
        self.receiving.add(callback)
        self.at(self.now + self.takes("api") + ready + self.takes("receiver"), self.enqueue, callback)

    def enqueue(self, callback):
        self.receiver.give()
        self.receiving.remove(callback)
        callback.queued = self.now
        self.show(callback)

    # The exchange queue

    def show(self, callback):
        self.hidden.discard(callback)
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
            batch = []
            while len(batch) < self.settings.exchange_batch and self.remove_dead_letters():
                batch.append(self.queue.popleft())
                batch[-1].receives += 1
            self.in_hand.update(batch)
            self.batches += 1
            self.at(self.now + self.takes("queue_to_function"), self.invoke, batch)
        if not self.batches:
            self.polling_since = None

    def invoke(self, batch):
        """Hands the batch to the exchanger. One that is throttled has been received: it comes back with its visibility timeout."""
        ready = self.exchanger.take(self.now)
        if ready is not None:
            self.at(self.now + ready, self.exchange, batch)
            return
        self.batches -= 1
        for callback in batch:
            self.in_hand.remove(callback)
            self.hidden.add(callback)
            self.at(self.now + self.settings.visibility_timeout, self.show, callback)
        self.poll_again(1)

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
                callback.waited = self.now - callback.queued
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
        return {
            "arrived": self.arrived,
            "refused": self.throttled + self.unserved,
            "connected": self.outcomes["connected"],
            "dead": len(self.dead),
            "not_notified": len(self.untold),
            "peak_queue": self.peak_queue,
            "peak_concurrency": self.account.peak,
            "queue_wait": summary(self.queue_waits()),
            "to_connected": summary(self.times_to("connected")),
            "to_message": summary(self.times_to("told")),
        }

    def queue_waits(self):
        """From the queue's first sight of each callback to the exchanger's."""
        return [found.waited for found in (*self.done, *self.dead) if found.waited is not None]

    def times_to(self, name):
        """From each callback to what came of it, `connected` or `told`, where it did."""
        ends = ((found, getattr(found, name)) for found in (*self.done, *self.dead))
        return [end - found.arrived for found, end in ends if end is not None]


def _median(stage):
    return stage[0] if isinstance(stage, list) else stage


def summary(values, shares=(0.5, 0.95)):
    """Median and 95th percentile, or what is asked for."""
    ordered = sorted(values)
    if not ordered:
        return (None,) * len(shares)
    return tuple(ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in shares)
