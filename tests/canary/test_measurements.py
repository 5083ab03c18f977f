"""Lambda's REPORT lines, as AWS writes them: the local cloud's have no cold starts."""

import measurements
import pytest

REPORT = "REPORT RequestId: 8f507cfc-xmpl-4697-b07a-ac58fc914c95\tDuration: 25.91 ms\tBilled Duration: 141 ms\tMemory Size: 256 MB\tMax Memory Used: 28 MB\t"


@pytest.mark.parametrize(("end", "init"), [("Init Duration: 114.30 ms\t\n", "114.30"), ("\n", None)])
def test_a_report_line_is_read_with_its_cold_start(end, init):
    found = measurements._REPORT.search(REPORT + end)
    assert (found[1], found[2], found[3]) == ("25.91", "28", init)


def test_the_steps_of_an_attempt_are_counted_from_the_approval():
    attempt = {"timeline": [{"what": "connected", "at_ms": 1_500}]}
    found = measurements.stages({"approved_at": 1_000}, attempt, {"message": 1_700, "event": 1_800})
    assert found == {"connected": 500, "message at WhatsApp": 700, "event at the bot": 800}
