"""The template, as the checks read it."""

import pathlib

import pytest
import yaml

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


@pytest.fixture(scope="module")
def template():
    return yaml.load((ROOT / "template.yaml").read_text(), _Template)


def resources(template, kind):
    """The resources of this type, by their names."""
    return [(name, each) for name, each in template["Resources"].items() if each["Type"] == kind]
