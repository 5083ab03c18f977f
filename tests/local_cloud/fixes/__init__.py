"""Where MiniStack departs from AWS, and how the difference is fixed.

Each fix is one function, named after the AWS behaviour that it restores; its docstring states the behaviour and
the AWS document that describes it. Fixes do not depend on one another: each can be left out by its name, and
`test_fixes.py` shows for each that the behaviour is missing without it.

They replace private names of one MiniStack release, which is why the launcher refuses any other.
"""

import importlib

_MODULES = (
    "api_gateway",
    "cloudwatch",
    "dynamodb",
    "encryption",
    "event_source_mappings",
    "eventbridge",
    "functions",
    "iam",
    "logs",
    "models",
    "network",
    "secrets",
    "sns",
    "sqs",
    "stacks",
)
_fixes = {}


def fix(function):
    """Registers a function that, called once before MiniStack serves, restores one behaviour of AWS."""
    _fixes[function.__name__] = function
    return function


def names():
    """The name of every fix, in the order in which they are applied."""
    for module in _MODULES:
        importlib.import_module(f"{__name__}.{module}")
    return list(_fixes)


def apply(without=()):
    """Applies every fix but those named in `without`."""
    known = names()
    if unknown := set(without) - set(known):
        raise SystemExit(f"no such fix: {', '.join(sorted(unknown))}. There are: {', '.join(known)}")
    for name in known:
        if name not in without:
            _fixes[name]()
