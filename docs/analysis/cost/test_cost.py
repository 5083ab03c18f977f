"""docs/COST.md has the tables that the script makes."""

import cost


def test_the_document_is_up_to_date():
    assert cost.DOCUMENT.read_text() == cost.document(), "run: python docs/analysis/cost/cost.py --update"


def test_every_alarm_of_the_template_is_paid_for():
    assert dict((name, count) for name, count, _, _ in cost.standing())["Alarms' metrics"] == cost.alarm_metrics() > 20
    billed = cost.alarm_metrics() + cost.alarm_metrics(with_proof=True)
    template = (cost.ROOT / "template.yaml").read_text()
    computing = template.count("\n      Metrics:\n")
    assert billed == cost.in_template("AWS::CloudWatch::Alarm") - computing + template.count("\n          MetricStat:\n")
