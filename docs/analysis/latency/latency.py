"""How long it takes from the callback to the message in WhatsApp, stage by stage, on the local cloud.

    cloud.py run -- python latency.py [--people 60] [--rate 10 --seconds 60] [--burst 500] [--token-calls 1000]
                                      [--salesforce-ms 0] [--json FILE]

Without a rate one person follows another; with one they come at random moments, so many a second on average; in a burst
all of them come within one second. Then, if asked for, calls for tokens follow within one second, too. Every
time is taken from outside: when the callback was sent, what the sandbox's journal and the functions' own log lines
say. One machine, so one clock. Log lines give durations in whole milliseconds, so a stage is right to a millisecond
or two; the stages of one person add up to the whole.

A stage that is ours holds the calls to AWS that it waits for, which the emulator answers in one Python process.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import statistics
import sys
import threading
import time

from walks import Cloud

# Each stage, whose time it is, and what ends it. The first begins when the callback is sent.
STAGES = (
    ("way in", "cloud", "API Gateway, and the receiver is called"),
    ("receiver", "ours", "state checked, SendMessage, answered"),
    ("queue wait", "cloud", "SQS to the exchanger"),
    ("claim", "ours", "attempt claimed and verifier made, beside the connection to Salesforce"),
    ("exchange", "Salesforce", "code for tokens"),
    ("userinfo", "Salesforce", "the account's name, over the same connection"),
    ("transaction", "ours", "tokens and outcome stored, and logged"),
    ("stream wait", "cloud", "DynamoDB's stream to the notifier"),
    ("read", "ours", "outcome read again and marked, beside the connection to WhatsApp"),
    ("send", "WhatsApp", "the message is taken"),
)
# Shares of a sample.
TAIL = {"p95_ms": 0.95, "p99_ms": 0.99, "p999_ms": 0.999}
PATIENCE_SECONDS = 300
TOKEN_TRIES = 30


def main():
    arguments = _arguments()
    cloud = Cloud()
    _warm_up(cloud)
    if arguments.salesforce_ms:
        for endpoint in ("salesforce.token", "salesforce.userinfo"):
            cloud.control("/control/faults", _slow(endpoint, arguments.salesforce_ms))
    print(f"{arguments.people} people log in …", file=sys.stderr)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        people = list(pool.map(cloud.new_walk, range(1, arguments.people + 1)))
    print("… and come back", file=sys.stderr)
    before = cloud.emulator_cpu_seconds()
    arrive = _in_a_second if arguments.burst else _at_rate if arguments.rate else _one_by_one
    arrive(cloud, people, arguments)
    after = cloud.emulator_cpu_seconds()
    report = _report(cloud, people, arguments)
    report["emulator_cpu_ms"] = round(1000 * (after - before) / len(people), 1)
    if arguments.token_calls:
        report["token_calls"] = _token_calls(cloud, people, arguments.token_calls)
    _print(report)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    is_whole = report["connected"] == report["people"] and report["dead_letters"] == 0
    return 0 if is_whole and report.get("token_calls", {}).get("not_answered", 0) == 0 else 1


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=60, help="how many (without a rate)")
    parser.add_argument("--rate", type=float, help="callbacks a second, at random moments")
    parser.add_argument("--seconds", type=float, default=60, help="for how long, with a rate")
    parser.add_argument("--burst", type=int, help="so many callbacks within a second")
    parser.add_argument("--token-calls", type=int, help="so many calls for tokens within a second, afterwards")
    parser.add_argument("--salesforce-ms", type=int, default=0, help="what Salesforce takes for an answer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.rate:
        arguments.people = round(arguments.rate * arguments.seconds)
    arguments.people = arguments.burst or arguments.people
    return arguments


def _slow(endpoint, delay_ms):
    return {"endpoint": endpoint, "times": 1_000_000, "action": {"delay_ms": delay_ms}}


def _warm_up(cloud):
    """Three people whose times do not count: they start the functions."""
    people = [cloud.new_walk(90_000 + n) for n in range(3)]
    for walk in people:
        walk.call_back()
    _wait(cloud, people, "the first people")


def _one_by_one(cloud, people, _arguments):
    for walk in people:
        walk.call_back()
        _wait(cloud, [walk], "the message")


def _at_rate(cloud, people, arguments):
    """Poisson arrivals: the pauses are drawn beforehand, and nobody waits for another's answer."""
    chance, threads = random.Random(arguments.seed), []
    due = time.monotonic()
    for walk in people:
        due += chance.expovariate(arguments.rate)
        time.sleep(max(0.0, due - time.monotonic()))
        threads.append(threading.Thread(target=walk.call_back))
        threads[-1].start()
    for thread in threads:
        thread.join()
    _wait(cloud, people, "the last messages")


def _in_a_second(cloud, people, _arguments):
    _within_a_second([walk.call_back for walk in people])
    _wait(cloud, people, "the last messages")


def _within_a_second(calls):
    """Makes all calls, evenly spread over one second, and waits for them."""
    began, threads = time.monotonic(), []
    for number, call in enumerate(calls):
        time.sleep(max(0.0, began + number / len(calls) - time.monotonic()))
        threads.append(threading.Thread(target=call))
        threads[-1].start()
    for thread in threads:
        thread.join()


def _token_calls(cloud, people, count):
    """Asks for the tokens of those who are connected. A call that is throttled or finds no room is made again, as a bot does it."""
    answers = []

    def call(number):
        walk, began, tries = people[number % len(people)], time.monotonic(), 0
        status = 0
        while status != 200 and tries < TOKEN_TRIES:
            tries += 1
            status = cloud.token(walk.wa_id)
            if status != 200:
                time.sleep(min(tries, 5) * random.uniform(0.5, 1.5))
        answers.append((status, tries, 1000 * (time.monotonic() - began)))

    _within_a_second([lambda number=number: call(number) for number in range(count)])
    return {
        "calls": count,
        "not_answered": sum(status != 200 for status, _, _ in answers),
        "made_again": sum(tries - 1 for _, tries, _ in answers),
        **_summary([ms for status, _, ms in answers if status == 200]),
    }


def _wait(cloud, people, what):
    """Until everyone has their message, and nobody's is on its way any more."""
    until = time.monotonic() + PATIENCE_SECONDS
    missing = {walk.wa_id for walk in people if walk.status in (0, 200)}
    while missing:
        told = {chat for endpoint, chat in cloud.journal() if endpoint == "twilio.messages"}
        missing -= told
        if missing and time.monotonic() > until:
            print(f"waited {PATIENCE_SECONDS} s for {what}; {len(missing)} people have none", file=sys.stderr)
            return
        time.sleep(0.05 if len(people) == 1 else 0.5)


def _report(cloud, people, arguments):
    journal, lines = cloud.journal(), cloud.log_lines()
    found = [times for walk in people if (times := _times(walk, journal, lines.get(walk.attempt_id, [])))]
    queued, dead = cloud.waiting()
    total = [sum(times["stages"].values()) for times in found]
    stages = {}
    for name, owner, what in STAGES:
        values = [times["stages"][name] for times in found]
        share = sum(values) / sum(total) if total else 0
        stages[name] = {"owner": owner, "what": what, "share": round(share, 4), **_summary(values)}
    return {
        "people": len(people),
        "answered_200": sum(walk.status == 200 for walk in people),
        "reloaded": sum(walk.tries - 1 for walk in people),
        "connected": len(found),
        "still_queued": queued,
        "dead_letters": dead,
        "rate": arguments.rate,
        "burst": arguments.burst,
        "account_concurrency": cloud.account_concurrency(),
        "salesforce_ms": arguments.salesforce_ms,
        "load_average": round(os.getloadavg()[0], 1),
        "stages": stages,
        "browser_waits": _summary([times["browser"] for times in found]),
        "callback_to_connected": _summary([times["connected"] for times in found]),
        "callback_to_message": _summary(total),
        "message_to_bot": _summary([times["bot"] for times in found if times["bot"] is not None]),
    }


def _times(walk, journal, lines):
    """One person's stages in milliseconds; None where a part of the way is missing."""

    def seen(endpoint):
        return next(iter(journal.get((endpoint, walk.wa_id), [])), None)

    def logged(target, message):
        return next((line for line in lines if line["target"].split("::")[0] == target and line["message"] == message), None)

    receiver = logged("callback_receiver", "callback accepted")
    exchanger = logged("token_exchanger", "attempt finished")
    notifier = logged("notifier", "notification complete")
    token, userinfo, message = seen("salesforce.token"), seen("salesforce.userinfo"), seen("twilio.messages")
    if not all((receiver, exchanger, notifier, token, userinfo, message)):
        return None

    def began(line):
        return 1000 * line["at"] - line["duration_ms"]

    ends = (
        began(receiver),
        1000 * receiver["at"],
        began(exchanger),
        token["asked"]["at_ms"],
        token["at_ms"],
        userinfo["at_ms"],
        1000 * exchanger["at"],
        began(notifier),
        message["asked"]["at_ms"],
        message["at_ms"],
    )
    begins = (1000 * walk.sent, *ends[:-1])
    bot = seen("bot.events")
    return {
        "stages": {stage[0]: end - begin for stage, begin, end in zip(STAGES, begins, ends, strict=True)},
        "browser": 1000 * (walk.answered - walk.sent),
        "connected": 1000 * (exchanger["at"] - walk.sent),
        "bot": bot["at_ms"] - message["at_ms"] if bot else None,
    }


def _summary(values):
    if not values:
        return dict.fromkeys(("p50_ms", *TAIL))
    ordered = sorted(values)
    tail = {name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) for name, share in TAIL.items()}
    return {"p50_ms": round(statistics.median(ordered), 1), **tail}


def _print(report):
    print(f"\n{report['answered_200']} of {report['people']} people were answered 200, {report['connected']} connected, {report['reloaded']} reloads, {report['dead_letters']} dead letters")
    print(f"load average {report['load_average']}\n")
    if not report["connected"]:
        return
    print(f"  {'stage':<12} {'whose':<11} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'p99.9':>8} {'share':>6}   what")
    for name, stage in report["stages"].items():
        numbers = f"{_numbers(stage)} {stage['share']:>6.0%}"
        print(f"  {name:<12} {stage['owner']:<11} {numbers}   {stage['what']}")
    owners = {}
    for stage in report["stages"].values():
        owners[stage["owner"]] = owners.get(stage["owner"], 0) + stage["share"]
    print("  " + ", ".join(f"{owner} {share:.0%}" for owner, share in owners.items()))
    print(f"  the emulator's processor time for a person: {report['emulator_cpu_ms']} ms")
    for name in ("browser_waits", "callback_to_connected", "callback_to_message", "message_to_bot"):
        print(f"  {name.replace('_', ' '):<24} {_numbers(report[name])}")
    if calls := report.get("token_calls"):
        print(f"  {'calls for tokens':<24} {_numbers(calls)}")
        print(f"  {calls['calls']} of them, {calls['not_answered']} not answered, {calls['made_again']} made again")


def _numbers(summary):
    return " ".join(f"{summary[name] if summary[name] is not None else '–':>8}" for name in ("p50_ms", *TAIL))


if __name__ == "__main__":
    sys.exit(main())
