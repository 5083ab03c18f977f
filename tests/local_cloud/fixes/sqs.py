"""SQS: names of deleted queues, how long a message may be delayed, and moving messages out of a dead-letter queue."""

import json
import time
import uuid

from ministack.core.concurrency import esm_wake, spawn_background
from ministack.services import sqs

from . import fix
from .provisioning import HANDLERS

_QUEUE = "AWS::SQS::Queue"
_BLOCKED_SECONDS = 60
_LONGEST_DELAY_SECONDS = 900


@fix
def message_move_tasks():
    """`StartMessageMoveTask` moves a dead-letter queue's messages to their source or to a queue that is named.

    `ListMessageMoveTasks` shows the tasks, `CancelMessageMoveTask` ends one. A moved message is a new message: new
    id, new time, no receives. Messages whose source is not known, such as an on-failure destination's, stay.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
    """
    tasks = []

    def start(request, _queue_url):
        source, destination = request.get("SourceArn", ""), request.get("DestinationArn", "")
        queue = _existing(source)
        if destination:
            _existing(destination)
        if not _is_dead_letter_queue(source):
            raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
        if any(task["SourceArn"] == source and task["Status"] == "RUNNING" for task in tasks):
            raise sqs._Err(
                "InvalidParameterValue",
                "There is already a task running. Only one active task is allowed for a source queue arn at a time.",
            )
        task = {
            "TaskHandle": uuid.uuid4().hex,
            "Status": "RUNNING",
            "SourceArn": source,
            "MaxNumberOfMessagesPerSecond": int(request.get("MaxNumberOfMessagesPerSecond") or 500),
            "ApproximateNumberOfMessagesMoved": 0,
            "ApproximateNumberOfMessagesToMove": len(queue["messages"]),
            "StartedTimestamp": int(time.time() * 1000),
        }
        if destination:
            task["DestinationArn"] = destination
        tasks.insert(0, task)
        spawn_background(_move, task, queue, thread_name="message-move-task")
        return {"TaskHandle": task["TaskHandle"]}

    def list_tasks(request, _queue_url):
        found = [task for task in tasks if task["SourceArn"] == request.get("SourceArn")]
        shown = [
            {name: value for name, value in task.items() if name != "TaskHandle" or task["Status"] == "RUNNING"}
            for task in found[: int(request.get("MaxResults") or 1)]
        ]
        return {"Results": shown}

    def cancel(request, _queue_url):
        for task in tasks:
            if task["TaskHandle"] == request.get("TaskHandle") and task["Status"] == "RUNNING":
                task["Status"] = "CANCELLING"
                return {"ApproximateNumberOfMessagesMoved": task["ApproximateNumberOfMessagesMoved"]}
        raise sqs._Err("ResourceNotFoundException", "The task does not exist or is not running.", 404)

    sqs._HANDLERS.update(StartMessageMoveTask=start, ListMessageMoveTasks=list_tasks, CancelMessageMoveTask=cancel)


def _existing(arn):
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err("ResourceNotFoundException", "The specified queue doesn't exist.", 404)
    return queue


def _is_dead_letter_queue(arn):
    policies = (queue["attributes"].get("RedrivePolicy") for _, queue in sqs._queues.all_items())
    return any(json.loads(policy).get("deadLetterTargetArn") == arn for policy in policies if policy)


def _move(task, queue):
    while task["Status"] == "RUNNING":
        with sqs._queues_lock:
            ready = (message for message in queue["messages"] if message["visible_at"] <= time.time())
            message = next(ready, None)
            if message is None:
                task["Status"] = "COMPLETED"
                return
            system = dict(message.get("sys") or {})
            source = system.pop("DeadLetterQueueSourceArn", "")
            target = sqs._queue_by_arn(task.get("DestinationArn") or source)
            if target is None:
                task.update(Status="FAILED", FailureReason="CouldNotDetermineMessageSource")
                return
            now = time.time()
            queue["messages"].remove(message)
            target["messages"].append(
                {
                    **message,
                    "id": str(uuid.uuid4()),
                    "receipt_handle": None,
                    "receive_count": 0,
                    "first_receive_at": None,
                    "sent_at": now,
                    "visible_at": now,
                    "sys": {**system, "SentTimestamp": str(int(now * 1000))},
                }
            )
        task["ApproximateNumberOfMessagesMoved"] += 1
        esm_wake.set()
        time.sleep(1 / task["MaxNumberOfMessagesPerSecond"])
    task["Status"] = "CANCELLED"


@fix
def deleted_queue_name_blocked():
    """No queue gets the name of one that was deleted within 60 seconds.

    Names that CloudFormation makes are another matter: on AWS they end at random, here they do not.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
    """
    deleted = {}  # when, by URL
    handlers, actions = HANDLERS[_QUEUE], sqs._HANDLERS
    create_resource, delete_resource = handlers["create"], handlers["delete"]
    create_queue, delete_queue = actions["CreateQueue"], actions["DeleteQueue"]

    def check(name):
        if name and time.monotonic() - deleted.get(sqs._queue_url(name), -_BLOCKED_SECONDS) < _BLOCKED_SECONDS:
            raise sqs._Err(
                "AWS.SimpleQueueService.QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
            )

    def create_resource_by_new_name(logical_id, properties, stack):
        check(properties.get("QueueName"))
        return create_resource(logical_id, properties, stack)

    def delete_resource_and_remember(physical_id, properties):
        deleted[physical_id] = time.monotonic()
        return delete_resource(physical_id, properties)

    def create_queue_by_new_name(request, url):
        check(request.get("QueueName"))
        return create_queue(request, url)

    def delete_queue_and_remember(request, url):
        answer = delete_queue(request, url)
        deleted[request.get("QueueUrl", url)] = time.monotonic()
        return answer

    handlers.update(create=create_resource_by_new_name, delete=delete_resource_and_remember)
    actions.update(CreateQueue=create_queue_by_new_name, DeleteQueue=delete_queue_and_remember)


@fix
def message_delay_limit():
    """A message is delayed by fifteen minutes at most, and never by less than nothing.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    """
    send = sqs._act_send_message

    def send_within_limit(request, url):
        delay = int(request.get("DelaySeconds") or 0)
        if not 0 <= delay <= _LONGEST_DELAY_SECONDS:
            reason = f"DelaySeconds must be >= 0 and <= {_LONGEST_DELAY_SECONDS}."
            raise sqs._Err("InvalidParameterValue", f"Value {delay} for parameter DelaySeconds is invalid. Reason: {reason}")
        return send(request, url)

    sqs._act_send_message = sqs._HANDLERS["SendMessage"] = send_within_limit  # the first for batches
