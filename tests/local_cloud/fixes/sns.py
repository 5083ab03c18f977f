"""SNS: who receives what is published."""

from ministack.services import sns

from . import fix


@fix
def pending_subscriptions():
    """A topic's list has `PendingConfirmation` in place of the ARN of a subscription that nobody has confirmed.

    https://docs.aws.amazon.com/sns/latest/dg/sns-create-subscribe-endpoint-to-topic.html
    """
    list_subscriptions = sns._list_subscriptions_by_topic

    def list_with_pending(params):
        status, headers, body = list_subscriptions(params)
        topic, _ = sns._get_topic(sns._p(params, "TopicArn"))
        for subscription in topic["subscriptions"] if topic else ():
            if not subscription["confirmed"]:
                body = body.replace(f">{subscription['arn']}<".encode(), b">PendingConfirmation<")
        return status, headers, body

    sns._list_subscriptions_by_topic = list_with_pending
