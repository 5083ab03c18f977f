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
    ("HTTP API requests", 8, 1.00e-6, "link, preview, page, button, callback; the last page asks three times how it went, 80 times at most"),
    ("Lambda requests", 11, 0.20e-6, "those eight, one exchange, two of the notifier: telling, and asking Twilio what became of the message"),
    ("Lambda time, GB s", MEMORY_GB * (8 * 0.02 + 0.7 + 0.5 + 0.2), 13.3334e-6, "arm64, 256 MB: 8 × 20 ms, 700 ms with Salesforce, 500 ms with WhatsApp and the bot, 200 ms with Twilio later"),
    ("SQS requests", 7, 0.40e-6, "send, receive, delete for the exchange, and for asking Twilio; the bot's queue"),
    ("DynamoDB write units", 21, 0.625e-6, "the button's limit 1; claim 1; transaction 2 × (3 for 3 kB of tokens, 1 for the outcome); marks 2; the message's state 1; for each of two indexes claim 1, outcome 2 (it moves), end mark 1"),
    ("DynamoDB read units", 5.5, 0.125e-6, "the token row before the exchange, the attempt, the notifier's two; half a unit for each time that the page asks"),
    ("DynamoDB storage, GB months", 24.9e-6, 0.45, "with point-in-time recovery: attempts 1 kB for 90 days, with indexes 0.8 kB more; tokens 3 kB, on average over the first year if all people are new"),
    ("KMS, symmetric and MAC", 2, 3.0e-6, "the PKCE verifier, at the button and at the exchange; a link costs one call at each start of a function, none for itself"),
    ("KMS, signatures", 1, 15.0e-6, "the state"),
    ("Logs, GB", 17e-6, 0.50, "about 62 lines: Lambda's three for each invocation, ours, metrics, the API's"),
]  # fmt: skip

# Fixed costs, while nobody connects: name, how many, dollars a month for one, why.
STANDING = [
    ("KMS keys", "AWS::KMS::Key", 1.00, "state, PKCE, links, encryption, the token table's, the refresh tokens'; rotated keys cost up to $2 more each after two years"),
    ("Secrets", 4, 0.40, "two of Salesforce, WhatsApp, webhook"),
    ("Secrets Manager calls", 30_000, 5.0e-6, "each execution environment, every five minutes"),
    ("Alarms' metrics", "alarms", 0.10, "one for most of the alarms, two to ten for those that compute with several"),
    ("Dashboard", 1, 3.00, "the account's first three are free"),
    ("Metrics", 52, 0.30, "combinations of name and dimensions that occur within a month"),
    ("SQS polling", 3 * 5 * 3 * MONTH_MINUTES, 0.40e-6, "Lambda's five long polls of 20 s, of the exchange, the retry and the upkeep queue"),
]


# What a connect has more to do with ChatProof=Required, as above.
PROOF = [
    ("HTTP API requests", 1, 1.00e-6, "`POST /confirmations`"),
    ("Lambda requests", 4, 0.20e-6, "that call; the exchanger's for the decision and for the end of the time; the refresher's, which hands the latter over"),
    ("Lambda time, GB s", MEMORY_GB * (0.03 + 0.1 + 2 * 0.02), 13.3334e-6, "arm64, 256 MB: 30 ms, 100 ms, 2 × 20 ms"),
    ("SQS requests", 9, 0.40e-6, "send, receive, delete for the decision, for the end of the time, and for handing it over"),
    ("DynamoDB write units", 28, 0.625e-6, "holding 2 × (5 for 5 kB of sealed tokens, 1 for the attempt), in each of two indexes 2; the sender 5; the tokens leave 5; the guess 1, and given back 1"),
    ("DynamoDB read units", 6, 0.125e-6, "the row twice, once more what is read before tokens are stored, and whether a later login counts"),
    ("KMS, symmetric and MAC", 2, 3.0e-6, "a data key for the tokens that wait, and to open it"),
    ("Logs, GB", 7e-6, 0.50, "about 24 lines"),
]  # fmt: skip
# And each month.
PROOF_STANDING = [
    ("Alarms' metrics", "alarms", 0.10, "`UnconfirmedLoginsAlarm`, `WrongChatsAlarm`"),
    ("Metrics", 7, 0.30, "codes by result, failures by two reasons, tokens held"),
]

# What keeps a connection: of each thing its parts, as for a connect.
REFRESH = [
    ("KMS", 2, 3.0e-6, "open the old token, a data key for the new one"),
    ("DynamoDB write units", 9, 0.625e-6, "lease, tokens and end of the access token, each a write of 3 kB"),
    ("DynamoDB read units", 2, 0.125e-6, "the row, before and after"),
    ("SQS requests", 2.2, 0.40e-6, "send; receive and delete, in batches; none where a call refreshes"),
    ("Lambda time, GB s", MEMORY_GB * 1.0, 13.3334e-6, "arm64, 256 MB: 1 s with Salesforce, introspection included"),
    ("Logs, GB", 1.5e-6, 0.50, "a line, two metrics, Lambda's own"),
]  # fmt: skip
TOKEN_CALL = [
    ("HTTP API request", 1, 1.00e-6, ""),
    ("Lambda request", 1, 0.20e-6, ""),
    ("Lambda time, GB s", MEMORY_GB * 0.01, 13.3334e-6, "arm64, 256 MB: 10 ms"),
    ("DynamoDB read units", 1, 0.125e-6, "the row; no other call is made while the token is young enough"),
    ("Logs, GB", 1.0e-6, 0.50, "a line, a metric, Lambda's own, the API's"),
]  # fmt: skip
SWEEP_DAYS, ROW_KB, PAGE_ROWS = 30, 3, 340
SWEPT_MONTH = [
    ("DynamoDB read units", SWEEP_DAYS * ROW_KB / 4 / 2, 0.125e-6, "3 kB a day, eventually consistent"),
    ("SQS requests", SWEEP_DAYS * 3 / PAGE_ROWS, 0.40e-6, "a message for each page of 1 MB"),
    ("Lambda time, GB s", SWEEP_DAYS * MEMORY_GB * 0.5 / PAGE_ROWS, 13.3334e-6, "0.5 s a page"),
]  # fmt: skip
# Sealing a plain row once, on the way of the first sweep.
SEALED_ONCE = [("KMS", 1 / PAGE_ROWS, 3.0e-6, "a data key for each page"), ("DynamoDB write units", ROW_KB, 0.625e-6, "the row")]
CUSTODY = [
    ("a refresh", REFRESH, "two calls of KMS, nine write units, a second of Lambda"),
    ("a call for a token that is young enough", TOKEN_CALL, "the API, 10 ms, one read"),
    ("a row that is swept for a month", SWEPT_MONTH, "read once a day"),
    ("a plain row that is sealed, once", SEALED_ONCE, "on the first sweep with `TokenCustody=Stack`"),
]  # fmt: skip
# A month of a connection: calls for a token, refreshes, why.
USES = [
    ("nobody uses it", 0, 1.5, "kept alive every 20 days"),
    ("used on 20 days, 10 times a day", 200, 100, "every second call finds a token older than an hour"),
    ("used all day long, once a minute", 43_800, 730, "one refresh an hour"),
]  # fmt: skip
# Networks: two NAT gateways and two public addresses, dollars an hour for one, and a gigabyte through them.
NAT_HOUR, ADDRESS_HOUR, NAT_GB, EXCHANGE_GB = 0.045, 0.005, 0.045, 20e-6

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


def price(parts):
    return sum(count * each for _, count, each, _ in parts)


def proof():
    lines = per_connect_rows("a connect with `ChatProof=Required` also", PROOF)
    lines += ["", "| fixed | count | $ a month | why |", "|---|--:|--:|---|"]
    for name, count, each, why in PROOF_STANDING:
        count = alarm_metrics(with_proof=True) if count == "alarms" else count
        lines.append(f"| {name} | {count} | {count * each:,.2f} | {why} |")
    return "\n".join(lines) + "\n"


def custody():
    lines = ["| | $ per million | why |", "|---|--:|---|"]
    lines += [f"| {name} | {price(parts) * 1e6:,.2f} | {why} |" for name, parts, why in CUSTODY]
    lines += ["", "| a month of a connection | calls | refreshes | $ per million connections | why |", "|---|--:|--:|--:|---|"]
    for name, calls, refreshes, why in USES:
        month = calls * price(TOKEN_CALL) + refreshes * price(REFRESH) + price(SWEPT_MONTH)
        lines.append(f"| {name} | {calls:,} | {refreshes:,} | {month * 1e6:,.2f} | {why} |")
    return "\n".join(lines) + "\n"


def egress():
    hours = MONTH_MINUTES / 60
    lines = ["| fixed addresses | count | $ a month | why |", "|---|--:|--:|---|"]
    lines.append(f"| NAT gateways | 2 | {2 * hours * NAT_HOUR:,.2f} | one in each zone, ${NAT_HOUR} an hour |")
    lines.append(f"| Public addresses | 2 | {2 * hours * ADDRESS_HOUR:,.2f} | ${ADDRESS_HOUR} an hour |")
    lines.append(f"| **total** | | **{2 * hours * (NAT_HOUR + ADDRESS_HOUR):,.2f}** | |")
    lines.append(f"| for a million exchanges or refreshes | {EXCHANGE_GB * 1e6:.0f} GB | {EXCHANGE_GB * 1e6 * NAT_GB:,.2f} | ${NAT_GB} a GB; 20 kB each with its TLS handshakes, KMS and SQS |")
    return "\n".join(lines) + "\n"


def alarm_metrics(with_proof=False):
    """How many metrics the alarms read, those of ChatProof=Required or the others: CloudWatch bills each of an alarm that
    computes with several.
    """
    resources = re.split(r"\n  (?=\w+:\n)", (ROOT / "template.yaml").read_text())
    alarms = [each for each in resources if "\n    Type: AWS::CloudWatch::Alarm\n" in each]
    billed = [each for each in alarms if ("\n    Condition: RequiresProof\n" in each) == with_proof]
    return sum(each.count("\n          MetricStat:\n") or 1 for each in billed)


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


def per_connect_rows(title, parts):
    lines = [f"| {title} | count | $ per million | $ per million connects | why |", "|---|--:|--:|--:|---|"]
    for name, count, each, why in parts:
        lines.append(f"| {name} | {number(count) if count >= 1 else f'{count:.6g}'} | {each * 1e6:,.2f} | {count * each * 1e6:,.2f} | {why} |")
    return [*lines, f"| **total** | | | **{price(parts) * 1e6:,.2f}** | |"]


def tables():
    lines, per_connect = per_connect_rows("per connect", PER_CONNECT), price(PER_CONNECT)
    lines += ["", "| fixed | count | $ a month | why |", "|---|--:|--:|---|"]
    for name, count, each, why in standing():
        lines.append(f"| {name} | {number(count)} | {count * each:,.2f} | {why} |")
    fixed = price(standing())
    lines.append(f"| **total** | | **{fixed:,.2f}** | |")
    lines += ["", "| connects a month | fixed, $ | connects, $ | total, $ | $ per connect |", "|--:|--:|--:|--:|--:|"]
    for volume in VOLUMES:
        total = fixed + volume * per_connect
        lines.append(f"| {volume:,} | {dollars(fixed)} | {dollars(volume * per_connect)} | **{dollars(total)}** | {total / volume:.5f} |")
    return "\n".join(lines) + "\n"


def document():
    text = DOCUMENT.read_text()
    for name, made in (("tables", tables()), ("proof", proof()), ("custody", custody()), ("egress", egress()), ("attacks", attacks())):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        text = text[: text.index(begin) + len(begin)] + "\n" + made + "\n" + text[text.index(end) :]
    return text


def main():
    parser = argparse.ArgumentParser(description="The cost of a month")
    parser.add_argument("--update", action="store_true", help="write the tables into docs/COST.md")
    if parser.parse_args().update:
        DOCUMENT.write_text(document())
    else:
        print(tables(), proof(), custody(), egress(), attacks(), sep="\n")


if __name__ == "__main__":
    main()
