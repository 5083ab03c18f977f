"""Lambda functions themselves: their limits, their end and the speed of their runtime."""

import http.server
import io
import os
import select
import threading

from ministack.core import lambda_runtime
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import lambda_svc

from . import fix
from .provisioning import HANDLERS, after_provisioning, with_properties

_FUNCTION = "AWS::Lambda::Function"
_UNRESERVED = 100


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
def reservations_leave_a_hundred():
    """A reservation that leaves fewer than a hundred of the account's concurrent executions unreserved is refused, so that an
    account with the limit of new ones, 10, can reserve none.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """

    def refusal(name, value):
        """In AWS's words; None where there is room."""
        others = (function.get("concurrency") or 0 for key, function in lambda_svc._functions.items() if key != name)
        left = lambda_svc._ACCOUNT_CONCURRENCY_CAP - sum(others) - int(value or 0)
        if not int(value or 0) or left >= _UNRESERVED:
            return None
        return (
            f"Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
            f"its minimum value of [{_UNRESERVED}]."
        )

    def check(properties):
        if refused := refusal(properties.get("FunctionName"), properties.get("ReservedConcurrentExecutions")):
            raise ValueError(refused)
        return properties

    put = lambda_svc._put_function_concurrency

    def put_with_room(name, data):
        if refused := refusal(name, data.get("ReservedConcurrentExecutions")):
            return error_response_json("InvalidParameterValueException", refused, 400)
        return put(name, data)

    with_properties(_FUNCTION, check)
    lambda_svc._put_function_concurrency = put_with_room


@fix
def function_networks():
    """A function has the `VpcConfig` that its template gives it, with the VPC of its subnets, and none without.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-lambda-function.html
    """

    def join(name, properties):
        given = properties.get("VpcConfig") or {"SubnetIds": [], "SecurityGroupIds": []}
        lambda_svc._functions[name]["config"]["VpcConfig"] = lambda_svc._vpc_config_with_id(given)

    after_provisioning(_FUNCTION, join)


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
    """An invocation's log is what the function has printed when it responds; its response waits for nothing more.

    MiniStack waits for lines to come: 50 ms for the first, which a function that logs nothing never prints, and 5 ms
    for the next, in which a busy machine may not have read it. Such a line belongs to the environment's next
    invocation then, and to none if there is no other.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    worker = lambda_runtime.ProvidedWorker
    pump, spawn = worker._pump_output, worker._spawn

    def spawn_with_output(self, *rest, **options):
        self._output = _Output()
        spawn(self, *rest, **options)

    def pump_output(self, stream, lines):
        self._output.follow(stream, lambda printed: pump(self, io.BytesIO(printed), lines))

    def drain(self, **_):
        self._output.catch_up()
        return self._drain_stderr()

    worker._spawn, worker._pump_output, worker._drain_stderr_bounded = spawn_with_output, pump_output, drain


class _Output:
    """What a process prints: line by line as it comes, and all that there is when one asks."""

    def __init__(self):
        self._lock, self._followed = threading.Lock(), threading.Event()
        self._stream, self._take, self._rest = None, None, b""

    def follow(self, stream, take):
        """Gives what is printed to `take`, in whole lines, until the process has closed the stream."""
        self._stream, self._take = stream, take
        os.set_blocking(stream.fileno(), False)
        self._followed.set()
        more = select.poll()
        more.register(stream, select.POLLIN)
        while self.catch_up():
            more.poll()

    def catch_up(self):
        """Takes what has been printed until now. False when nothing can follow."""
        self._followed.wait()
        with self._lock:
            if self._stream.closed:
                return False
            while chunk := self._stream.raw.read(1 << 16):
                self._rest += chunk
            lines, end, self._rest = self._rest.rpartition(b"\n")
            if chunk is not None:  # the end, and not just nothing for now
                self._stream.close()
                end, self._rest = end + self._rest, b""
            self._take(lines + end)
        return not self._stream.closed
