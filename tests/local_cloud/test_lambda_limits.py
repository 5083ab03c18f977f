"""What Lambda gives a function that MiniStack gives it too, and that the tests of whole stacks rarely meet: the time that a start
may take, and the concurrency of a new account."""

import concurrent.futures
import json

import pytest
from conftest import Cloud
from test_fixes import ANSWER, api, function

NEW_ACCOUNT = 10
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
INIT_SECONDS = 10
SLOW = "import time\ndef handle(event):\n    time.sleep(3)\n    return {'statusCode': 200}"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An emulator of a new account."""
    running = Cloud(tmp_path_factory.mktemp("small"), account_concurrency=NEW_ACCOUNT)
    yield running
    running.end()


def test_a_new_account_runs_ten_functions_at_once_and_refuses_the_next(small):
    limit = small.client("lambda").get_account_settings()["AccountLimit"]
    assert limit["ConcurrentExecutions"] == NEW_ACCOUNT
    stack = small.deploy({"Api": api(), "Function": function("GET /slow", Timeout=30)}, functions={"Function": SLOW})
    with concurrent.futures.ThreadPoolExecutor(3 * NEW_ACCOUNT) as browsers:
        answers = list(browsers.map(lambda _: stack.get("/slow")[0], range(3 * NEW_ACCOUNT)))
    assert set(answers) == {200, 503}
    assert answers.count(200) >= NEW_ACCOUNT


def test_a_new_account_can_reserve_nothing(small):
    reserving = function(ReservedConcurrentExecutions=1)
    small.deploy({"Reserving": reserving}, functions={"Reserving": ANSWER}, ends="ROLLBACK_COMPLETE")


def test_a_start_that_takes_too_long_begins_again_inside_the_invocation(cloud, tmp_path):
    """Under the function's own timeout, so that a start must leave the invocation its time."""
    starts = tmp_path / "starts"
    slow_once = f"""
import pathlib, time
starts = pathlib.Path({str(starts)!r})
with open(starts, "a") as file:
    file.write("start\\n")
if len(starts.read_text().splitlines()) == 1:
    time.sleep({INIT_SECONDS + 5})
{ANSWER}"""
    name = cloud.deploy({"Function": function(Timeout=30)}, functions={"Function": slow_once})["Function"]
    answer = cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps({}))
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert starts.read_text().splitlines() == ["start", "start"]
