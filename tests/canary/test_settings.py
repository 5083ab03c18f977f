"""What is wrong with the canary's settings is said before anything costs money."""

import canary
import pytest

REAL_ORG = {"BUILT": "b", "LOGIN_URL": "https://acme.my.salesforce.com", "CONSUMER_KEY": "k", "CONSUMER_SECRET": "s"}


@pytest.mark.parametrize(
    "settings, is_terminal, why",
    [
        ({"PEOPLE": "abc"}, True, "PEOPLE=abc: give how many"),
        ({"PEOPLE": "0"}, True, "PEOPLE=0: give how many"),
        ({"PEOPLE": "-1"}, True, "PEOPLE=-1: give how many"),
        ({"BUILT": ""}, True, "BUILT is not set"),
        ({**REAL_ORG, "CONSUMER_KEY": ""}, True, "LOGIN_URL needs CONSUMER_KEY,"),
        ({"LOGIN_URL": REAL_ORG["LOGIN_URL"]}, True, "LOGIN_URL needs CONSUMER_KEY and CONSUMER_SECRET,"),
        ({**REAL_ORG, "LOGIN_URL": "acme.my.salesforce.com"}, True, "give https://<host>"),
        (REAL_ORG, False, "LOGIN_URL needs a terminal"),
    ],
)
def test_a_setting_that_would_end_the_run_later_ends_it_at_once(settings, is_terminal, why):
    assert why in canary.invalid_settings({"BUILT": "b", **settings}, is_terminal)


@pytest.mark.parametrize("settings, is_terminal", [({}, False), ({"PEOPLE": ""}, False), ({"PEOPLE": "3"}, True), (REAL_ORG, True)])
def test_settings_that_can_be_used_are(settings, is_terminal):
    assert canary.invalid_settings({"BUILT": "b", **settings}, is_terminal) is None


def test_nothing_is_asked_of_aws_with_settings_that_are_invalid(capsys, monkeypatch):
    monkeypatch.setenv("PEOPLE", "abc")
    monkeypatch.setattr(canary.boto3, "client", None)
    assert canary.main() == 2
    assert capsys.readouterr().err.startswith("PEOPLE=abc: ")


def test_a_sentence_of_botocores_ends_once(capsys, monkeypatch):
    def refuse(*_arguments):
        raise canary.BotoCoreError

    monkeypatch.setenv("BUILT", "b")
    monkeypatch.delenv("PEOPLE", raising=False)
    monkeypatch.setattr(canary.BotoCoreError, "fmt", "You must specify a region.")
    monkeypatch.setattr(canary, "confirmed", refuse)
    assert canary.main() == 1
    assert "specify a region. Set AWS_REGION" in capsys.readouterr().err
