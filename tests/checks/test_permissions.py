"""Each role of the template against the table in docs/PERMISSIONS.md, in both directions."""

import re

from conftest import ROOT, branches, listed, statements

TABLE = ROOT / "docs/PERMISSIONS.md"


def _short(value):
    """A resource as a person writes it: a logical id, or the parameter that names it."""
    if value == "*":
        return "any"
    if "GetAtt" in value:
        name, attribute = value["GetAtt"].split(".")
        return name if attribute == "Arn" else f"{name}.{attribute}"
    if value.get("If", [""])[0] == "CreatesRefreshTokenKey":
        return " or ".join(_short(each) for each in value["If"][1:])
    if "If" in value:
        return f"{_short(value['If'][1])}, if {value['If'][0]}"
    if "Ref" in value:
        return value["Ref"]
    if found := re.fullmatch(r"\$\{(\w+)\.Arn\}/index/(\w+)", value["Sub"]):
        return f"{found[1]} index {found[2]}"
    kind, name, _, index = re.fullmatch(r"arn:.*:(table/|secret:)\$\{(\w+)\}(-\?{6}|/index/(\w+))?", value["Sub"]).groups()
    return {"table/": "table ", "secret:": "secret "}[kind] + name + (f" index {index}" if index else "")


def _conditions(statement):
    found = []
    for operator, pairs in statement.get("Condition", {}).items():
        # ForAllValues holds for a request without the key too; every request for an item has its leading key.
        # The other two go together (DynamoDB, "Using IAM policy conditions for fine-grained access control").
        of_rows = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys"},
            "ForAllValues:StringEquals": {"dynamodb:Attributes"},
            "StringEqualsIfExists": {"dynamodb:Select"},
        }
        assert operator == "StringEquals" or of_rows.get(operator) == set(pairs)
        for key, value in pairs.items():
            words = [re.sub(r"\.\$.*", "", each["Sub"]) if isinstance(each, dict) else each for each in listed(value)]
            found.append(f"{key.removeprefix('kms:').removeprefix('dynamodb:')} = {' or '.join(words)}")
    return "; ".join(found)


def _granted(template):
    """(role, action, resource, condition) of everything that a role may do."""
    rows = set()
    for role, either in statements(template):
        only_if = either["Fn::If"][0] if "Fn::If" in either else ""
        statement = branches(either)[0]
        assert statement["Effect"] == "Allow"
        when = "; ".join(filter(None, [_conditions(statement), only_if]))
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                rows.add((role.removesuffix("Role"), action, _short(resource), when))
    return rows


def _table():
    rows = set()
    for line in TABLE.read_text().splitlines():
        if found := re.fullmatch(r"\| (\w+) \| ([\w:, ]+) \| ([\w., ]+) \| (.*?) ?\|", line):
            role, actions, resource, when = found.groups()
            if ":" in actions:
                rows |= {(role, action.strip(), resource, when) for action in actions.split(",")}
    return rows


def test_a_role_may_do_what_the_table_says_and_nothing_else(template):
    granted, table = _granted(template), _table()
    assert not granted - table, "the template grants what the table does not have"
    assert not table - granted, "the table has what the template does not grant"
