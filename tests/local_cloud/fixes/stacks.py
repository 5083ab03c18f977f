"""CloudFormation's stacks: what a template may ask about its own."""

import sys

from ministack.services.cloudformation import changesets, engine, handlers, stacks

from . import fix


@fix
def split_in_conditions():
    """A condition may split a parameter's value, and select a part of it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-split.html
    """
    evaluate = engine._evaluate_conditions

    def evaluate_split(template, parameters):
        return evaluate({**template, "Conditions": _split(template.get("Conditions", {}), parameters)}, parameters)

    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate_split


def _split(value, parameters):
    """The same with the parts in place of each Fn::Split of a parameter."""
    if isinstance(value, list):
        return [_split(each, parameters) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::Split"}:
        separator, of = value["Fn::Split"]
        return parameters[of["Ref"]]["Value"].split(separator)
    return {name: _split(each, parameters) for name, each in value.items()}


@fix
def stack_name_in_conditions():
    """A condition may refer to the stack's name.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
    """
    evaluate = engine._evaluate_conditions

    def evaluate_with_name(template, parameters):
        # Whoever evaluates conditions knows the stack, but does not pass it on.
        known = sys._getframe(1).f_locals
        name = known.get("real_stack_name") or known.get("stack_name")
        return evaluate(template, {**parameters, "AWS::StackName": {"Value": name}} if name else parameters)

    for module in (changesets, handlers, stacks):
        module._evaluate_conditions = evaluate_with_name
