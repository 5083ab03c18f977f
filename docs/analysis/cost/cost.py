"""What the stack costs in a month, from AWS's list prices and what one connect does.

    python cost.py            prints the tables of docs/COST.md
    python cost.py --update   writes them into it

Prices are those of us-east-1 as published in November 2026, without free tiers; the durations are assumptions.
"""

import argparse
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[3]
DOCUMENT = ROOT / "docs/COST.md"
VOLUMES = (1_000, 100_000, 10_000_000)
MONTH_MINUTES = 730 * 60
MEMORY_GB = 0.25

# What one connect does: name, how often, dollars for one, and why so often.
PER_CONNECT = [
    ("HTTP API requests", 5, 1.00e-6, "link, preview, page, button, callback"),
    ("Lambda requests", 8, 0.20e-6, "those five, one exchange, two of the notifier: telling, and asking Twilio what became of the message"),
    ("Lambda time, GB s", MEMORY_GB * (5 * 0.02 + 0.7 + 0.5 + 0.2), 13.3334e-6, "arm64, 256 MB: 5 × 20 ms, 700 ms with Salesforce, 500 ms with WhatsApp and the bot, 200 ms with Twilio later"),
    ("SQS requests", 7, 0.40e-6, "send, receive, delete for the exchange, and for asking Twilio; the bot's queue"),
    ("DynamoDB write units", 21, 0.625e-6, "the button's limit 1; claim 1; transaction 2 × (3 for 3 kB of tokens, 1 for the outcome); marks 2; the message's state 1; for each of two indexes claim 1, outcome 2 (it moves), end mark 1"),
    ("DynamoDB read units", 4, 0.125e-6, "the token row before the exchange, the attempt, the notifier's two"),
    ("DynamoDB storage, GB months", 24.9e-6, 0.45, "with point-in-time recovery: attempts 1 kB for 90 days, with indexes 0.8 kB more; tokens 3 kB, on average over the first year if all people are new"),
    ("KMS, symmetric and MAC", 2, 3.0e-6, "the PKCE verifier, at the button and at the exchange; a link costs one call at each start of a function, none for itself"),
    ("KMS, signatures", 1, 15.0e-6, "the state"),
    ("Logs, GB", 14e-6, 0.50, "about 50 lines: Lambda's three for each invocation, ours, metrics, the API's"),
]  # fmt: skip

# Fixed costs, while nobody connects: name, how many, dollars a month for one, why.
STANDING = [
    ("KMS keys", "AWS::KMS::Key", 1.00, "state, PKCE, links, encryption, the token table's; rotated keys cost up to $2 more each after two years"),
    ("Secrets", 4, 0.40, "two of Salesforce, WhatsApp, webhook"),
    ("Secrets Manager calls", 30_000, 5.0e-6, "each execution environment, every five minutes"),
    ("Alarms' metrics", "alarms", 0.10, "one for most of the alarms, two to nine for those that compute with several"),
    ("Dashboard", 1, 3.00, "the account's first three are free"),
    ("Metrics", 40, 0.30, "combinations of name and dimensions that occur within a month"),
    ("SQS polling", 2 * 5 * 3 * MONTH_MINUTES, 0.40e-6, "Lambda's five long polls of 20 s, of the exchange and the retry queue"),
]


# An hour of the most that the API lets in (ThrottlingRateLimit).
ATTACK_REQUESTS = 1_000 * 3600
# What any request costs, in dollars: the API, the function, about six lines of log.
REQUEST = 1.00e-6 + 0.20e-6 + MEMORY_GB * 0.02 * 13.3334e-6 + 1.7e-6 * 0.50
# What an exchange costs that fails, in 0.1.0: queue, exchanger, verifier, rows, notifier, a new link, log.
FAILED_EXCHANGE = (
    3 * 0.40e-6 + (0.20e-6 + MEMORY_GB * 0.7 * 13.3334e-6) + 3.0e-6 + 4 * 0.625e-6 + 3 * 0.125e-6
    + (2 * 0.20e-6 + MEMORY_GB * 0.5 * 13.3334e-6) + 3.0e-6 + 11e-6 * 0.50
)  # fmt: skip
# A callback whose attempt has had its codes: queue, a tenth of an invocation, the attempt's row, log.
REFUSED_EXCHANGE = 3 * 0.40e-6 + (0.20e-6 / 10 + MEMORY_GB * 0.02 * 13.3334e-6) + 0.125e-6 + 0.6e-6 * 0.50

# What an attacker can send, what one of it costs beside the request in 0.1.0 and now, and why.
ATTACKS = [
    ("`GET /connect/…` with garbage", 3.0e-6, 0, "0.1.0 asked KMS to open it; now a key in the function's memory does, and KMS is not called"),
    ("`POST /connect/…` with garbage", 3.0e-6, 0, "the same"),
    ("the button of one's own link", 21.0e-6, 0.625e-6, "0.1.0: open, verifier, signature (3 + 3 + 15 a million); now 20 presses for each link, after which each costs one conditional write"),
    ("`/callback` with a forged state, or none", 0, 0, "checked with a public key, without a call"),
    ("`/callback` with one's own state and invented codes", FAILED_EXCHANGE, REFUSED_EXCHANGE, "0.1.0 tried each code at Salesforce, and sent a message and an event for each; now three codes for each attempt, and three messages to a chat in a quarter of an hour"),
]  # fmt: skip


def attacks():
    lines = ["| an hour of 1,000 requests a second | 0.1.0, $ | now, $ | why |", "|---|--:|--:|---|"]
    for name, before, after, why in ATTACKS:
        hour = [ATTACK_REQUESTS * (REQUEST + extra) for extra in (before, after)]
        lines.append(f"| {name} | {hour[0]:.0f} | {hour[1]:.0f} | {why} |")
    return "\n".join(lines) + "\n"


def alarm_metrics():
    """How many metrics the alarms read: CloudWatch bills each of an alarm that computes with several."""
    template = (ROOT / "template.yaml").read_text()
    of_several = template.count("\n      Metrics:\n")
    return in_template("AWS::CloudWatch::Alarm") - of_several + template.count("\n          MetricStat:\n")


def in_template(kind):
    """How many resources of a type the template has."""
    return len(re.findall(rf"Type: {kind}$", (ROOT / "template.yaml").read_text(), flags=re.MULTILINE))


def standing():
    counts = {"alarms": alarm_metrics, "AWS::KMS::Key": lambda: in_template("AWS::KMS::Key")}
    return [(name, counts[count]() if count in counts else count, price, why) for name, count, price, why in STANDING]


def dollars(amount):
    return f"{amount:,.2f}" if amount < 1000 else f"{amount:,.0f}"


def number(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:.3g}"


def tables():
    lines = ["| per connect | count | $ per million | $ per million connects | why |", "|---|--:|--:|--:|---|"]
    for name, count, price, why in PER_CONNECT:
        lines.append(f"| {name} | {number(count) if count >= 1 else f'{count:.6g}'} | {price * 1e6:,.2f} | {count * price * 1e6:,.2f} | {why} |")
    per_connect = sum(count * price for _, count, price, _ in PER_CONNECT)
    lines.append(f"| **total** | | | **{per_connect * 1e6:,.2f}** | |")
    lines += ["", "| fixed | count | $ a month | why |", "|---|--:|--:|---|"]
    for name, count, price, why in standing():
        lines.append(f"| {name} | {number(count)} | {count * price:,.2f} | {why} |")
    fixed = sum(count * price for _, count, price, _ in standing())
    lines.append(f"| **total** | | **{fixed:,.2f}** | |")
    lines += ["", "| connects a month | fixed, $ | connects, $ | total, $ | $ per connect |", "|--:|--:|--:|--:|--:|"]
    for volume in VOLUMES:
        total = fixed + volume * per_connect
        lines.append(f"| {volume:,} | {dollars(fixed)} | {dollars(volume * per_connect)} | **{dollars(total)}** | {total / volume:.5f} |")
    return "\n".join(lines) + "\n"


def document():
    text = DOCUMENT.read_text()
    for name, made in (("tables", tables()), ("attacks", attacks())):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        text = text[: text.index(begin) + len(begin)] + "\n" + made + "\n" + text[text.index(end) :]
    return text


def main():
    parser = argparse.ArgumentParser(description="The cost of a month")
    parser.add_argument("--update", action="store_true", help="write the tables into docs/COST.md")
    if parser.parse_args().update:
        DOCUMENT.write_text(document())
    else:
        print(tables(), attacks(), sep="\n")


if __name__ == "__main__":
    main()
