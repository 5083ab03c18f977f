"""Secrets Manager."""

from ministack.services import secretsmanager

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
