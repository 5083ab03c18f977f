"""What the template and the code say of a deployment: batch sizes, limits, retries, pauses."""

import dataclasses
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).parents[3]
_SECONDS = {"secs": 1, "mins": 60, "hours": 3600}


@dataclasses.dataclass
class Settings:
    """The deployed settings."""

    api_rate: float
    api_burst: float
    exchange_batch: int
    maximum_concurrency: int
    max_receives: int
    visibility_timeout: float
    max_tries: int
    pauses: list
    code_lifetime: float
    exchange_budget: float
    notify_batch: int
    parallelization: int
    retry_batch: int
    retry_first: float
    retry_pauses: list  # (until the message is so old, such a pause)

    @classmethod
    def read(cls, parameters):
        template = yaml.load((ROOT / "template.yaml").read_text(), _Template)
        resources = template["Resources"]
        given = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()} | parameters

        def value(found):
            return given[found["Ref"]] if isinstance(found, dict) else found

        throttle = resources["Api"]["Properties"]["DefaultRouteSettings"]
        exchanger = resources["TokenExchangerFunction"]["Properties"]
        queue = exchanger["Events"]["Exchange"]["Properties"]
        events = resources["NotifierFunction"]["Properties"]["Events"]
        stream, retries = events["Outcome"]["Properties"], events["Retry"]["Properties"]
        return cls(
            api_rate=throttle["ThrottlingRateLimit"],
            api_burst=throttle["ThrottlingBurstLimit"],
            exchange_batch=queue["BatchSize"],
            maximum_concurrency=value(queue["ScalingConfig"]["MaximumConcurrency"]),
            max_receives=resources["ExchangeQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"],
            visibility_timeout=resources["ExchangeQueue"]["Properties"]["VisibilityTimeout"],
            max_tries=int(exchanger["Environment"]["Variables"]["MAX_TRIES"]),
            pauses=[int(found) for found in _rust("functions/token-exchanger/src/retry.rs", r"VISIBILITY_SECONDS: .*= \[(.*)\]").split(",")],
            code_lifetime=60 * int(_rust("shared/src/exchange.rs", r"CODE_LIFETIME: .*from_mins\((\d+)\)")),
            exchange_budget=int(
                _rust("functions/token-exchanger/src/budget.rs", r"EXCHANGE_LIMIT: .*from_secs\((\d+)\)")
            ),
            notify_batch=stream["BatchSize"],
            parallelization=stream["ParallelizationFactor"],
            retry_batch=retries["BatchSize"],
            retry_first=_duration(_rust(_SCHEDULE, r"FIRST: Duration = (.*);")),
            retry_pauses=[
                (_duration(until), _duration(pause))
                for until, pause in re.findall(r"\((.*?\)), (.*?\))\)", _rust(_SCHEDULE, r"(?s) PAUSES: .*? = \[(.*?)\];"))
            ],
        )


_SCHEDULE = "functions/notifier/src/schedule.rs"


def _duration(text):
    unit, number = re.fullmatch(r"Duration::from_(\w+)\((\d+)\)", text).groups()
    return _SECONDS[unit] * int(number)


def _rust(path, pattern):
    found = re.search(pattern, (ROOT / path).read_text())
    if not found:
        raise SystemExit(f"{path} no longer says {pattern}")
    return found[1]


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short functions, each as {name: argument}."""


def _short_function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return {suffix: loader.construct_scalar(node)}
    construct = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return {suffix: construct(node, deep=True)}


_Template.add_multi_constructor("!", _short_function)
