"""Alarms, dashboard, runbook and code agree on what is measured and what is to be done."""

import json
import re

import pytest
from conftest import ROOT, resources

OURS = "WhatsAppSalesforceConnect"
RUNBOOK = (ROOT / "docs/RUNBOOK.md").read_text()
# Sections that no alarm leads to.
REFERENCE = {"an-assistant-that-looks", "rotating-secrets", "ending-a-connection", "erasing-a-person", "metrics"}


def _anchor(title):
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def _sections():
    parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)[1:]
    return {_anchor(title): text for title, text in zip(parts[::2], parts[1::2], strict=True)}


def _alarms(template):
    return {name: each["Properties"] for name, each in resources(template, "AWS::CloudWatch::Alarm")}


def _read_by(alarm):
    """The metrics that an alarm reads, one or as many as it computes with: namespace, name and dimensions."""
    for metric in [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each] or [alarm]:
        yield metric["Namespace"], metric["MetricName"], {each["Name"]: each["Value"] for each in metric["Dimensions"]}


def _measured():
    """What the code measures: the names of the metrics, each with those of its dimensions."""
    source = (ROOT / "shared/src/metrics.rs").read_text()
    names = set(re.findall(r'Self::\w+ => "(\w+)"', source))
    measuring = [*ROOT.glob("functions/*/src/**/*.rs"), *ROOT.glob("shared/src/custody/*.rs")]
    calls = "".join(path.read_text() for path in measuring)
    measured = {}
    for name, by in re.findall(r"Metric::(\w+), &\[(.*?)\]\)", calls, flags=re.DOTALL):
        measured.setdefault(name, set()).add(tuple(re.findall(r'\("(\w+)",', by)))
    for name in re.findall(r"\b(?:time\(now, |duration\()Metric::(\w+)", calls):
        measured.setdefault(name, set()).add(())
    assert set(measured) == names, "a metric that is declared and not measured, or the other way round"
    return measured


def _words():
    """Every word that the code has for a dimension's value."""
    sources = [*ROOT.glob("functions/*/src/**/*.rs"), *ROOT.glob("shared/src/custody/*.rs")]
    sources += [ROOT / f"shared/src/attempt/{name}.rs" for name in ("outcome", "end")]
    return set(re.findall(r'"(\w+)"', "".join(path.read_text() for path in sources)))


def test_an_alarm_names_a_section_of_the_runbook_and_a_command(template):
    sections = _sections()
    named = set()
    for name, alarm in _alarms(template).items():
        found = re.search(r"See docs/RUNBOOK\.md#([a-z-]+)$", alarm["AlarmDescription"].strip())
        assert found, f"{name} names no section"
        assert found[1] in sections, f"{name} names the section {found[1]}, which is not there"
        assert f"`{name}`" in sections[found[1]], f"the section {found[1]} does not name {name}"
        assert re.search(r"Run: (wasf|sam) \w+", alarm["AlarmDescription"]), f"{name} names no command"
        named.add(found[1])
    for section in set(sections) - named - REFERENCE:
        assert f"](#{section})" in RUNBOOK, f"nothing leads to the section {section}"


def test_a_section_says_how_to_know_that_the_problem_is_resolved():
    for anchor, text in _sections().items():
        assert anchor in REFERENCE or re.search(r"^Resolved when ", text, flags=re.MULTILINE), anchor


def test_every_link_in_the_runbook_leads_to_a_section():
    for anchor in re.findall(r"\]\(#([a-z-]+)\)", RUNBOOK):
        assert anchor in _sections(), anchor


def test_every_command_of_wasf_in_runbook_and_alarms_is_one(template):
    source = "".join(path.read_text() for path in [ROOT / "cli/src/args.rs", *(ROOT / "cli/src/args").glob("*.rs")])
    commands = set(re.findall(r"^\s+(?:///[^\n]*\n\s+(?:#\[[^\]]*\]\s+)*)?([A-Z][a-z]+)[ ({,]", source, flags=re.MULTILINE))
    texts = RUNBOOK + "".join(alarm["AlarmDescription"] for alarm in _alarms(template).values())
    for command in re.findall(r"\bwasf ([a-z]+)(?: ([a-z]+)\b)?", texts):
        assert command[0].capitalize() in commands, command
        if command[0] in ("attempt", "connection", "dlq", "events", "person"):
            assert command[1].capitalize() in commands, command


def test_alarms_read_what_is_measured(template):
    measured, words = _measured(), _words()
    for name, alarm in _alarms(template).items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
        for namespace, metric, dimensions in _read_by(alarm):
            if namespace != OURS:
                assert namespace.startswith("AWS/")
                continue
            assert dimensions.pop("Stack") == {"Ref": "AWS::StackName"}
            assert tuple(dimensions) in measured[metric], name
            for dimension, value in dimensions.items():
                if isinstance(value, str):
                    assert value in words, f"{name}: nothing has {dimension}={value}"


def test_an_expression_of_an_alarm_reads_each_of_its_metrics_and_no_other(template):
    for name, alarm in _alarms(template).items():
        ids = {each["Id"] for each in alarm.get("Metrics", [])}
        used = set(re.findall(r"\b[a-z_]+\b", " ".join(each.get("Expression", "") for each in alarm.get("Metrics", []))))
        returned = {each["Id"] for each in alarm.get("Metrics", []) if each.get("ReturnData", True)}
        assert used == ids - returned and len(returned) == bool(ids), name


def test_the_alarm_for_codes_that_wait_reads_the_age_of_those_that_are_tried_again(template):
    # SQS leaves messages that were received three times out of its own age:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    read = {metric for _, metric, _ in _read_by(_alarms(template)["ExchangeBacklogAlarm"])}
    assert read == {"ApproximateAgeOfOldestMessage", "CodeAge"}


def test_every_refusal_of_a_callback_is_in_the_alarms_rate(template):
    source = (ROOT / "functions/callback-receiver/src/refusal.rs").read_text()
    labels = set(re.findall(r'(?:nothing_to_do|unusable)\("(\w+)"\)|label: "(\w+)"', source))
    read = [dimensions["Result"] for *_, dimensions in _read_by(_alarms(template)["CallbacksRefusedAlarm"])]
    assert sorted(read) == sorted(["accepted", *(one or other for one, other in labels)])


def test_a_rate_of_failures_for_any_one_reason_rings(template):
    reasons = set(re.findall(r'=> "(\w+)",', (ROOT / "shared/src/attempt/outcome.rs").read_text().split("as_str")[1].split("parse")[0]))
    alarms = _alarms(template)
    read = {of["Reason"] for alarm in alarms.values() for _, metric, of in _read_by(alarm) if metric == "Failures"}
    refused = {of["Result"] for *_, of in _read_by(alarms["CallbacksRefusedAlarm"])}
    # A callback that is refused as unusable ends as invalid_callback; nothing is wrong where another consent won.
    assert reasons - read - refused == {"invalid_callback", "superseded", "used_login"}


def test_an_alarm_computes_with_no_more_metrics_than_cloudwatch_allows(template):
    for name, alarm in _alarms(template).items():
        assert sum("MetricStat" in each for each in alarm.get("Metrics", [])) <= 10, name
        assert all(len(each.get("Expression", "")) <= 1024 for each in alarm.get("Metrics", [])), name


def test_a_flood_is_half_of_what_the_api_lets_in(template):
    limit = template["Resources"]["Api"]["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"]
    flood = _alarms(template)["ApiFloodAlarm"]
    assert flood["Threshold"] == limit * flood["Period"] / 2


def test_a_login_that_waits_for_its_chat_is_no_backlog(template):
    assert _alarms(template)["UpkeepBacklogAlarm"]["Threshold"] > 2 * 60 * template["Parameters"]["ProofMinutes"]["MaxValue"]


def test_throttles_of_every_function_are_counted(template):
    functions = {name for name, _ in resources(template, "AWS::Serverless::Function")}
    read = {dimensions["FunctionName"]["Ref"] for *_, dimensions in _read_by(_alarms(template)["ThrottledAlarm"])}
    assert read == functions


def test_the_dashboard_shows_what_is_measured(template):
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Sub"]
    widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
    metrics = [metric for widget in widgets for metric in widget["properties"].get("metrics", [])]
    shown = {metric[1] for metric in metrics if isinstance(metric[0], str) and len(metric) > 3 and metric[1] not in (".", "x")}
    shown |= {found for metric in metrics if isinstance(metric[0], dict) for found in re.findall(r'MetricName="(\w+)"', metric[0]["expression"])}
    own = {name for name in shown if name in _measured()}
    assert own == set(_measured()) - {"Requests"}
    for widget in widgets:
        assert widget["x"] + widget["width"] <= 24


def test_the_runbook_lists_every_metric_with_its_dimensions():
    rows = dict(re.findall(r"^\| `(\w+)` \| [a-z]+ \| ([^|]+) \|", _sections()["metrics"], flags=re.MULTILINE))
    for name, dimensions in _measured().items():
        assert {tuple(re.findall(r"`(\w+)`", rows[name]))} == dimensions, name
    assert set(rows) == set(_measured())


def test_a_rate_of_ends_by_salesforce_for_any_one_reason_rings(template):
    reasons = dict(re.findall(r'Self::(\w+) => "(\w+)"', (ROOT / "shared/src/attempt/end.rs").read_text()))
    read = [of["Reason"] for _, metric, of in _read_by(_alarms(template)["ConnectionsEndedAlarm"]) if metric == "ConnectionsEnded"]
    assert sorted(read) == sorted(word for name, word in reasons.items() if name not in ("Revoked", "Disconnected"))


def test_an_overdue_refresh_rings_days_before_salesforce_ends_the_connection(template):
    alarm, days = _alarms(template)["OverdueRefreshAlarm"], template["Parameters"]["KeepAliveDays"]
    (late,) = re.findall(r" / 86400000 - (\d+)$", alarm["Metrics"][0]["Expression"])
    assert alarm["Threshold"] == {"Ref": "KeepAliveDays"} and alarm["EvaluationPeriods"] == 24
    assert days["Default"] + int(late) <= 25 and days["MaxValue"] + int(late) <= 28


def test_a_sweep_is_missed_two_hours_after_it_was_due(template):
    alarm = _alarms(template)["SweepMissedAlarm"]
    hours = {each["MetricStat"]["Period"] for each in alarm["Metrics"] if "MetricStat" in each}
    assert hours == {3600} and alarm["EvaluationPeriods"] == 26 and "DatapointsToAlarm" not in alarm
    assert template["Resources"]["SweepSchedule"]["Properties"]["ScheduleExpression"] == "rate(1 day)"


@pytest.mark.parametrize("group", ["ConnectLink", "CallbackReceiver", "TokenExchanger", "Notifier", "TokenKeeper", "TokenRefresher"])
def test_the_saved_query_looks_into_every_functions_log(template, group):
    names = template["Resources"]["AttemptQuery"]["Properties"]["LogGroupNames"]
    assert {"Ref": f"{group}LogGroup"} in names
