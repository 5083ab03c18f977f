"""Hooks into MiniStack's CloudFormation: what a fix does before or after a resource is created or updated."""

from ministack.services.cloudformation import provisioners

HANDLERS = provisioners._RESOURCE_HANDLERS


def with_properties(resource_type, change):
    """Passes a resource's properties through `change` before they reach MiniStack."""
    handlers = HANDLERS[resource_type]
    create, update = handlers["create"], handlers["update"]

    def changed_create(logical_id, properties, stack):
        return create(logical_id, change(properties), stack)

    def changed_update(physical_id, old, new, *rest, **options):
        return update(physical_id, change(old), change(new), *rest, **options)

    handlers.update(create=changed_create, update=changed_update)


def after_provisioning(resource_type, finish):
    """Calls `finish(physical_id, properties)` once MiniStack has created or updated a resource."""
    handlers = HANDLERS[resource_type]
    create, update = handlers["create"], handlers["update"]

    def finished_create(logical_id, properties, stack):
        result = create(logical_id, properties, stack)
        finish(result[0], properties)
        return result

    def finished_update(physical_id, old, new, *rest, **options):
        result = update(physical_id, old, new, *rest, **options)
        finish(result[0], new)
        return result

    handlers.update(create=finished_create, update=finished_update)


def is_true(value):
    """Whether a template's boolean is set; parameters and conditions deliver it as text."""
    return str(value).lower() == "true"
