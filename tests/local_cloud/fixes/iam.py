"""IAM: what a policy sees of a request."""

import json

from ministack import app
from ministack.core import iam_actions

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
