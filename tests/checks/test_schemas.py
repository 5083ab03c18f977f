"""What SAM's transform makes of the template, against CloudFormation's resource schemas, which cfn-lint carries.

`cfn-lint template.yaml` does the transform itself, and then says nothing of what is wrong in some of the resources that the
transform makes, as event source mappings and an API's stage. So it is given the transformed template here.
"""

import copy
import json
import subprocess

import pytest
from conftest import ROOT

CFN_LINT = ROOT / ".local/venv-tools/bin/cfn-lint"
# The types of the resources that the transform makes. `make lint-template` judges those that it leaves as they are.
MADE = {f"AWS::{kind}" for kind in ("ApiGatewayV2::Api", "ApiGatewayV2::Stage", "Lambda::EventSourceMapping", "Lambda::Function", "Lambda::Permission")}


@pytest.fixture
def generated(transformed):
    """A copy of the transformed template with those resources alone."""
    copied = copy.deepcopy(transformed)
    del copied["Outputs"]
    copied["Resources"] = {name: each for name, each in copied["Resources"].items() if each["Type"] in MADE}
    return copied


def _lint(template, directory):
    """What cfn-lint says of the resources; what they refer to or wait for is not there (E1, E3005), and what refers to them neither (W)."""
    file = directory / "transformed.json"
    file.write_text(json.dumps(template, indent=1))
    command = [CFN_LINT, "--ignore-checks", "E1", "E3005", "W", "--", file]
    return subprocess.run(command, capture_output=True, text=True, timeout=300).stdout


def _of_type(template, kind):
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]


def test_the_transform_makes_resources_of_these_types(template, transformed):
    assert {each["Type"] for name, each in transformed["Resources"].items() if name not in template["Resources"]} <= MADE
    assert MADE <= {each["Type"] for each in transformed["Resources"].values()}


def test_the_transformed_template_is_as_the_schemas_of_its_resources_say(generated, tmp_path):
    assert _lint(generated, tmp_path) == ""


def test_a_wrong_property_of_a_resource_that_the_transform_makes_is_found(generated, tmp_path):
    queue = next(mapping for mapping in _of_type(generated, "AWS::Lambda::EventSourceMapping") if "ScalingConfig" in mapping)
    queue["ScalingConfig"]["MaximumConcurency"] = 2
    queue["FunctionResponseTypes"] = ["ReportBatchItemFailure"]
    (stage,) = _of_type(generated, "AWS::ApiGatewayV2::Stage")
    stage["DefaultRouteSettings"]["ThrottlingRateLimits"] = 5
    _of_type(generated, "AWS::Lambda::Permission")[0]["SourceArns"] = "*"
    said = _lint(generated, tmp_path)
    for wrong in ("MaximumConcurency", "'ReportBatchItemFailure'", "ThrottlingRateLimits", "SourceArns"):
        assert wrong in said, said
