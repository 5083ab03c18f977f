"""What bounds how much may happen at once: rates, the account's concurrency, execution environments."""


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
