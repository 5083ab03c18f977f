"""IAM: what a policy sees of a request."""

import json
from contextvars import ContextVar
from dataclasses import replace

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import iam

from . import fix

# The request's fields that KMS shows to policies, by the name of the condition key.
_KMS_FIELDS = {
    "kms:MacAlgorithm": "MacAlgorithm",
    "kms:MessageType": "MessageType",
    "kms:SigningAlgorithm": "SigningAlgorithm",
}


@fix
def secure_transport():
    """`aws:SecureTransport` is true for what reaches AWS over TLS, as every client of a deployed stack does.

    The local cloud listens on the loopback interface only, without TLS: a policy that denies insecure transport,
    which is good practice on AWS, would deny everybody.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    pin = app.pin_request_origin
    app.pin_request_origin = lambda source_ip, _secure: pin(source_ip, True)


@fix
def principal_of_a_role_session():
    """`aws:PrincipalArn` is the role's ARN for whoever has assumed it, not the session's.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
    """
    resolve = iam_evaluator._resolve_condition_key

    def resolve_role(key, context):
        value = resolve(key, context)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(value):
            return value
        name = iam_evaluator._role_name_from_assumed_arn(value)
        role = iam._roles.get_scoped(context.principal_account, None, name)
        return role["Arn"] if role else value

    iam_evaluator._resolve_condition_key = resolve_role


@fix
def batches_of_messages():
    """Who may send, delete or hide one message may do so with ten: the batch operations have no action of their own.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
    """
    extract = iam_actions.extract_iam_action

    def of_one(service, *request):
        action = extract(service, *request)
        return action.removesuffix("Batch") if service == "sqs" and action else action

    iam_actions.extract_iam_action = of_one


@fix
def kms_condition_keys():
    """KMS shows a policy the encryption context and the algorithm that a request names.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    """
    tags = iam_actions.request_tag_context

    def context(service, action, body, params):
        found = tags(service, action, body, params)
        if service != "kms":
            return found
        request = json.loads(body)
        named = {key: request[field] for key, field in _KMS_FIELDS.items() if field in request}
        pairs = {f"kms:EncryptionContext:{key}": value for key, value in request.get("EncryptionContext", {}).items()}
        return {**found, **named, **pairs}

    iam_actions.request_tag_context = context


@fix
def simulated_context():
    """A simulation evaluates conditions with the context that its caller gives.

    MiniStack ignores `ContextEntries`, so a statement with a condition on a service's key never allows anything.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    given = ContextVar("given", default={})
    simulate, evaluate = iam._simulate_principal_policy, iam_evaluator.evaluate

    def with_entries(params):
        token = given.set(_context_entries(params))
        try:
            return simulate(params)
        finally:
            given.reset(token)

    def in_context(context, policies, *limits):
        return evaluate(replace(context, service_context={**context.service_context, **given.get()}), policies, *limits)

    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = with_entries
    iam_evaluator.evaluate = in_context


def _context_entries(params):
    """The values of each context key, by its name in lower case, as the evaluator looks them up."""

    def members(prefix):
        number = 1
        while value := iam._p(params, f"{prefix}.{number}"):
            yield value
            number += 1

    entries, number = {}, 1
    while name := iam._p(params, f"ContextEntries.member.{number}.ContextKeyName"):
        values = list(members(f"ContextEntries.member.{number}.ContextKeyValues.member"))
        entries[name.lower()] = values[0] if len(values) == 1 else values
        number += 1
    return entries
