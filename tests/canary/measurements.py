"""What a canary has measured: cold starts, from Lambda's own REPORT lines, and the times of the stages of a connect."""

import re
import statistics
import time

import boto3

FUNCTIONS = ("ConnectLink", "CallbackReceiver", "TokenExchanger", "Notifier", "TokenKeeper", "TokenRefresher")
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
_REPORT = re.compile(r"Duration: ([\d.]+) ms.*?Max Memory Used: (\d+) MB(?:.*?Init Duration: ([\d.]+) ms)?", re.DOTALL)
_LATE_SECONDS = 30  # CloudWatch Logs shows lines some seconds late


def stages(took, attempt, seen):
    """Milliseconds from the approval to each step that the attempt's row and the stand-in know."""
    steps = {step["what"]: step["at_ms"] - took["approved_at"] for step in attempt["timeline"]}
    return {**steps, "message at WhatsApp": seen["message"] - took["approved_at"], "event at the bot": seen["event"] - took["approved_at"]}


def reports(outputs):
    """(function, duration, memory, init or None) of each invocation, in milliseconds and MB."""
    logs, functions = boto3.client("logs"), boto3.client("lambda")
    found = []
    for function in FUNCTIONS:
        name = outputs[f"{function}FunctionName"]
        group = functions.get_function_configuration(FunctionName=name)["LoggingConfig"]["LogGroup"]
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern="REPORT")
        for event in (event for page in pages for event in page["events"]):
            if line := _REPORT.search(event["message"]):
                found.append((function, float(line[1]), int(line[2]), float(line[3]) if line[3] else None))
    return found


def report(canary):
    """Prints what was found, step by step, and what was measured."""
    print(f"\n{'step':24}result")
    for name, well, found in canary.results:
        print(f"{name:24}{'ok' if well else 'FAILED'}  {found}")
    if canary.stages:
        print(f"\n{'stage, milliseconds':44}{'median':>10}{'most':>10}")
        for name in dict.fromkeys(name for each in canary.stages for name in each if name != "approved_at"):
            values = [each[name] for each in canary.stages if name in each]
            print(f"{name:44}{statistics.median(values):10.0f}{max(values):10.0f}")
    if canary.outputs:
        time.sleep(_LATE_SECONDS)
        _starts(reports(canary.outputs))


def _starts(found):
    print(f"\n{'function':20}{'starts':>8}{'init ms, median':>18}{'most':>8}{'duration ms, median':>22}{'memory MB':>12}")
    for function in FUNCTIONS:
        of = [each for each in found if each[0] == function]
        init = [each[3] for each in of if each[3] is not None]
        median, most = (f"{statistics.median(init):.0f}", f"{max(init):.0f}") if init else ("–", "–")
        duration = f"{statistics.median(each[1] for each in of):.0f}" if of else "–"
        memory = max((each[2] for each in of), default="–")
        print(f"{function:20}{len(init):8}{median:>18}{most:>8}{duration:>22}{memory:>12}")
