"""The template, as the checks read it."""

import pathlib

import boto3
import pytest
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

ROOT = pathlib.Path(__file__).parents[2]


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short functions, each as {name: argument}."""


def _short_function(loader, suffix, node):
    construct = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: loader.construct_sequence,
        yaml.MappingNode: loader.construct_mapping,
    }[type(node)]
    return {suffix: construct(node, deep=True) if not isinstance(node, yaml.ScalarNode) else construct(node)}


_Template.add_multi_constructor("!", _short_function)


def parsed(text):
    """A template's text."""
    return yaml.load(text, _Template)


class _LongForms(yaml.SafeLoader):
    """YAML with CloudFormation's short functions in their long forms, as SAM's translator reads them."""


def _long_form(loader, suffix, node):
    ((name, argument),) = _short_function(loader, suffix, node).items()
    if name == "GetAtt":
        argument = argument.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": argument}


_LongForms.add_multi_constructor("!", _long_form)


@pytest.fixture(scope="module")
def template():
    return parsed((ROOT / "template.yaml").read_text())


@pytest.fixture(scope="session")
def transformed():
    """What CloudFormation creates: the template after SAM's transform. A test that changes it copies it first."""
    document = yaml.load((ROOT / "template.yaml").read_text(), _LongForms)
    document["Globals"]["Function"]["CodeUri"] = {"Bucket": "code", "Key": "package"}  # as `sam package` leaves it
    session = boto3.Session(region_name="us-east-1")
    return Translator({}, Parser(), boto_session=session).translate(document, {})


def resources(template, kind):
    """The resources of this type, by their names."""
    return [(name, each) for name, each in template["Resources"].items() if each["Type"] == kind]


def statements(template):
    """(role, statement) of everything that roles may do; a conditional statement is still {"Fn::If": …}."""
    for name, role in resources(template, "AWS::IAM::Role"):
        for policy in role["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
    for _, policy in resources(template, "AWS::IAM::Policy"):
        for role in policy["Properties"]["Roles"]:
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                yield role["Ref"], statement


def branches(value):
    """A conditional value's two sides, else the value itself."""
    condition = value.get("Fn::If") or value.get("If") if isinstance(value, dict) else None
    return condition[1:] if condition else [value]


def listed(value):
    """What IAM lets stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]
