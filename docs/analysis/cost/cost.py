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
    ("Lambda requests", 8, 0.20e-6, "those five, one exchange, two of the notifier (the second finds everything marked)"),
    ("Lambda time, GB s", MEMORY_GB * (5 * 0.02 + 0.7 + 0.5), 13.3334e-6, "arm64, 256 MB: 5 × 20 ms, 700 ms with Salesforce, 500 ms with WhatsApp and the bot"),
    ("SQS requests", 4, 0.40e-6, "send, receive, delete; the bot's queue"),
    ("DynamoDB write units", 11, 0.625e-6, "claim 1; transaction 2 × (3 for 3 kB of tokens, 1 for the outcome); marks 2"),
    ("DynamoDB read units", 4, 0.125e-6, "the token row before the exchange, the attempt, the notifier's two"),
    ("DynamoDB storage, GB months", 22.5e-6, 0.45, "with point-in-time recovery: attempts 1 kB for 90 days; tokens 3 kB, on average over the first year if all people are new"),
    ("KMS, symmetric and MAC", 6, 3.0e-6, "seal a link 1, open it 3, PKCE verifier 2"),
    ("KMS, signatures", 1, 15.0e-6, "the state"),
    ("Logs, GB", 14e-6, 0.50, "about 50 lines: Lambda's three for each invocation, ours, metrics, the API's"),
]  # fmt: skip

# Fixed costs, while nobody connects: name, how many, dollars a month for one, why.
STANDING = [
    ("KMS keys", "AWS::KMS::Key", 1.00, "state, PKCE, encryption, the token table's; rotated keys cost up to $2 more each after two years"),
    ("Secrets", 4, 0.40, "two of Salesforce, WhatsApp, webhook"),
    ("Secrets Manager calls", 30_000, 5.0e-6, "each execution environment, every five minutes"),
    ("Alarms", "AWS::CloudWatch::Alarm", 0.10, "one metric each"),
    ("Dashboard", 1, 3.00, "the account's first three are free"),
    ("Metrics", 40, 0.30, "combinations of name and dimensions that occur within a month"),
    ("SQS polling", 5 * 3 * MONTH_MINUTES, 0.40e-6, "Lambda's five long polls of 20 s"),
]


def in_template(kind):
    """How many resources of a type the template has."""
    return len(re.findall(rf"Type: {kind}$", (ROOT / "template.yaml").read_text(), flags=re.MULTILINE))


def standing():
    return [(name, in_template(count) if isinstance(count, str) else count, price, why) for name, count, price, why in STANDING]


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
    begin, end = "<!-- tables -->\n", "<!-- end of tables -->"
    return text[: text.index(begin) + len(begin)] + "\n" + tables() + "\n" + text[text.index(end) :]


def main():
    parser = argparse.ArgumentParser(description="The cost of a month")
    parser.add_argument("--update", action="store_true", help="write the tables into docs/COST.md")
    if parser.parse_args().update:
        DOCUMENT.write_text(document())
    else:
        print(tables())


if __name__ == "__main__":
    main()
