"""`aws SERVICE OPERATION --parameter value…` by boto3, so that tests can run the commands of documents where no AWS CLI is.

    python aws.py kms enable-key --key-id arn:…   [--query EXPRESSION] [--output text]

Parameters are read as botocore's service models have them; JSON and shorthand structures (`A=b,C=d`) too. Prints the answer
as JSON, or what `--query` (JMESPath) selects of it. Ends with 254 where AWS refuses, as the AWS CLI does, and with 252 where
it does not understand.
"""

import json
import sys

import boto3
import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError


def main(words):
    if len(words) < 2:
        return _usage("a service and an operation")
    service, command, *words = words
    client = boto3.client(service)
    operation = command.replace("-", "_")
    if operation not in client.meta.method_to_api_mapping:
        return _usage(f"{service} has no operation {command}")
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
    members = {xform_name(name, "-"): (name, kind) for name, kind in (shape.members if shape else {}).items()}
    given, options = {}, {"query": None, "output": "json"}
    for flag, value in _pairs(words):
        if flag in options:
            options[flag] = value
        elif flag in members:
            name, kind = members[flag]
            given[name] = _parsed(kind, value)
        else:
            return _usage(f"{service} {command} has no parameter --{flag}")
    try:
        answer = getattr(client, operation)(**given)
    except ParamValidationError as error:
        return _usage(str(error))
    except ClientError as error:
        print(error, file=sys.stderr)
        return 254
    answer.pop("ResponseMetadata", None)
    selected = jmespath.search(options["query"], answer) if options["query"] else answer
    is_text = options["output"] == "text" and isinstance(selected, str)
    print(selected if is_text else json.dumps(selected, indent=2, default=str))
    return 0


def _pairs(words):
    """`(flag, value)` of each; a flag without a value is true."""
    flags = [place for place, word in enumerate(words) if word.startswith("--")]
    for place, after in zip(flags, [*flags[1:], len(words)], strict=True):
        values = words[place + 1 : after]
        yield words[place].removeprefix("--"), values[0] if values else "true"


def _parsed(kind, value):
    if kind.type_name in ("structure", "list", "map"):
        if value[:1] in "[{":
            return json.loads(value)
        if kind.type_name == "list":
            return value.split(",")
        return dict(pair.split("=", 1) for pair in value.split(","))
    return {"integer": int, "long": int, "boolean": lambda text: text == "true"}.get(kind.type_name, str)(value)


def _usage(why):
    print(f"aws: {why}", file=sys.stderr)
    return 252


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
