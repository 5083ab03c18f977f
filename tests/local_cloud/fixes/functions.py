"""Lambda functions themselves: their limits, their end and the speed of their runtime."""

import http.server
import threading

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc

from . import fix
from .provisioning import HANDLERS, after_provisioning

_FUNCTION = "AWS::Lambda::Function"


@fix
def reserved_concurrency():
    """`ReservedConcurrentExecutions` in a template limits the function.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-function.html
    """

    def reserve(name, properties):
        reserved = properties.get("ReservedConcurrentExecutions")
        lambda_svc._functions[name]["concurrency"] = None if reserved is None else int(reserved)

    after_provisioning(_FUNCTION, reserve)


@fix
def deleted_functions_end():
    """A function that its stack deletes keeps no execution environment.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    delete = HANDLERS[_FUNCTION]["delete"]

    def delete_and_end(name, properties):
        delete(name, properties)
        lambda_runtime.invalidate_worker(name, account=get_account_id(), region=get_region())

    HANDLERS[_FUNCTION]["delete"] = delete_and_end


@fix
def updates_let_invocations_end():
    """An invocation that runs while its function is updated goes on to its end.

    MiniStack kills it, and a message that it has in hand is invisible until its queue's time-out.

    https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
    """
    updating, leaving = threading.local(), set()
    invalidate, release = lambda_svc.invalidate_worker, lambda_svc.release_worker

    def update_with(update):
        def update_gently(name, data):
            updating.now = True
            try:
                return update(name, data)
            finally:
                updating.now = False

        return update_gently

    def invalidate_idle(name, **scope):
        if getattr(updating, "now", False):
            with lambda_runtime._lock:
                for key, workers in lambda_runtime._workers.items():
                    if key.split(":")[-2:] == [name, "$LATEST"]:
                        leaving.update(worker for worker in workers if worker.in_use)
                        workers[:] = [worker for worker in workers if not worker.in_use]
        return invalidate(name, **scope)

    def release_for_good(worker):
        release(worker)
        if worker in leaving:
            leaving.remove(worker)
            lambda_runtime.kill_workers([worker])

    lambda_svc._update_config = update_with(lambda_svc._update_config)
    lambda_svc._update_code = update_with(lambda_svc._update_code)
    lambda_svc.invalidate_worker = invalidate_idle
    lambda_svc.release_worker = release_for_good


@fix
def runtime_api_latency():
    """The Runtime API answers without delay.

    MiniStack sends headers and body apart, which Nagle's algorithm and delayed acknowledgements turn into 40 ms.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
    """
    http.server.BaseHTTPRequestHandler.disable_nagle_algorithm = True


@fix
def response_before_logs():
    """A response does not wait for log lines that may never come.

    MiniStack waits 50 ms for the first line of a function that logs nothing, and 5 ms after the last line.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    worker = lambda_runtime.Worker
    drain = worker._drain_stderr_bounded

    def drain_sooner(self, first_line_wait=0.004, idle_confirm=0.002, hard_cap=0.25):
        return drain(self, first_line_wait, idle_confirm, hard_cap)

    worker._drain_stderr_bounded = drain_sooner
