"""docs/COST.md has the tables that the script makes."""

import cost


def test_the_document_is_up_to_date():
    assert cost.DOCUMENT.read_text() == cost.document(), "run: python docs/analysis/cost/cost.py --update"


def test_every_alarm_of_the_template_is_paid_for():
    assert dict((name, count) for name, count, _, _ in cost.standing())["Alarms' metrics"] == cost.alarm_metrics() > 20
