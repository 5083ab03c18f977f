"""Secrets Manager."""

from contextvars import ContextVar

from ministack.core import iam_evaluator, router
from ministack.core.responses import error_response_json
from ministack.services import kms, secretsmanager

from . import fix
from .provisioning import HANDLERS

_SECRET = "AWS::SecretsManager::Secret"


@fix
def secret_ref():
    """`Ref` of a secret is its ARN, so that a role's policy can name it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-secretsmanager-secret.html
    """
    handlers = HANDLERS[_SECRET]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def name_of(arn):
        names = (name for name, secret in list(secretsmanager._secrets.items()) if secret.get("ARN") == arn)
        return next(names, arn)

    def create_with_arn(logical_id, properties, stack):
        _, attributes = create(logical_id, properties, stack)
        return attributes["Arn"], attributes

    def update_with_arn(arn, *rest, **options):
        _, attributes = update(name_of(arn), *rest, **options)
        return attributes["Arn"], attributes

    handlers.update(
        create=create_with_arn,
        update=update_with_arn,
        delete=lambda arn, properties: delete(name_of(arn), properties),
    )


@fix
def secret_decryption():
    """A secret under a key of the account's own is given to those alone who may decrypt with that key through Secrets
    Manager.

    MiniStack encrypts nothing, and asks for no permission.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    """
    caller = ContextVar("caller", default=None)
    handle, get = secretsmanager.handle_request, secretsmanager._get_secret_value

    async def handle_for(method, path, headers, body, query):
        token = caller.set((router.extract_access_key_id(headers, query), router.extract_region(headers, query)))
        try:
            return await handle(method, path, headers, body, query)
        finally:
            caller.reset(token)

    def get_decrypted(request):
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        if secret and caller.get() and _is_denied(secret.get("KmsKeyId"), *caller.get()):
            return error_response_json("AccessDeniedException", "Access to KMS is not allowed", 400)
        return get(request)

    secretsmanager.handle_request = handle_for
    secretsmanager._get_secret_value = get_decrypted


def _is_denied(key_id, access_key, region):
    key = kms._resolve_key(key_id) if key_id and not key_id.endswith("alias/aws/secretsmanager") else None
    if key is None:
        return False
    through = {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}
    return bool(iam_evaluator.enforce(access_key, "kms:Decrypt", "kms", region, key["Arn"], through))
