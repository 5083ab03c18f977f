"""API Gateway's HTTP APIs: routes, errors, limits, logs and the request event."""

import contextvars
import json
import re
import threading
import time
import uuid

from ministack import app
from ministack.services import apigateway, apigateway_v1, cloudwatch_logs, lambda_svc
from ministack.services.cloudformation import provisioners

from . import fix
from .provisioning import after_provisioning, is_true, with_properties

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method"}
_SIGV4 = "awsSigv4"


def _answer(status, message):
    return status, {"Content-Type": "application/json"}, json.dumps({"message": message}, separators=(",", ":")).encode()


@fix
def http_api_body():
    """The `Body` of an HTTP API, an OpenAPI document, makes its routes and integrations.

    This is how `AWS::Serverless::HttpApi` ships its routes. An operation secured by a scheme whose
    `x-amazon-apigateway-authtype` is `awsSigv4` is authorised by IAM.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-apigatewayv2-api.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authtype.html
    """

    def import_body(api_id, properties):
        body = properties.get("Body")
        if not body:
            return
        document = json.loads(body) if isinstance(body, str) else body
        schemes = {
            **(document.get("securityDefinitions") or {}),
            **((document.get("components") or {}).get("securitySchemes") or {}),
        }
        iam_schemes = {
            name for name, scheme in schemes.items() if scheme.get("x-amazon-apigateway-authtype") == _SIGV4
        }
        routes, integrations = {}, {}
        for path, item in (document.get("paths") or {}).items():
            for method, operation in item.items():
                if method.lower() not in _METHODS:
                    continue
                integration = operation.get("x-amazon-apigateway-integration") or {}
                integration_id, route_id = uuid.uuid4().hex[:8], uuid.uuid4().hex[:8]
                integrations[integration_id] = {
                    "integrationId": integration_id,
                    **provisioners._apigw_v2_integration_props(
                        {
                            "IntegrationType": str(integration.get("type", "aws_proxy")).upper(),
                            "IntegrationUri": integration.get("uri", ""),
                            "IntegrationMethod": integration.get("httpMethod", "POST"),
                            "PayloadFormatVersion": str(integration.get("payloadFormatVersion", "2.0")),
                            "TimeoutInMillis": int(integration.get("timeoutInMillis", 30_000)),
                        }
                    ),
                }
                secured_by = {name for security in operation.get("security") or [] for name in security}
                routes[route_id] = {
                    "routeId": route_id,
                    **provisioners._apigw_v2_route_props(
                        {
                            "RouteKey": _route_key(method, path),
                            "Target": f"integrations/{integration_id}",
                            "AuthorizationType": "AWS_IAM" if secured_by & iam_schemes else "NONE",
                        }
                    ),
                }
        apigateway._routes[api_id], apigateway._integrations[api_id] = routes, integrations

    after_provisioning("AWS::ApiGatewayV2::Api", import_body)


@fix
def http_api_import_warnings():
    """With `FailOnWarnings`, a `Body` that the import warns of makes no API.

    It warns of a path parameter that has neither `schema` nor `content`, as each is that SAM writes for a route.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-api.html
    https://github.com/aws/serverless-application-model/issues/2297
    """

    def without_warnings(properties):
        body = properties.get("Body")
        document = json.loads(body) if isinstance(body, str) else body or {}
        warnings = [
            f"attribute paths.'{path}'({method}).parameters.[{parameter.get('name')}].content is missing"
            for path, item in (document.get("paths") or {}).items()
            for method, operation in item.items()
            if method.lower() in _METHODS
            for parameter in operation.get("parameters") or []
            if "$ref" not in parameter and not {"schema", "content"} & parameter.keys()
        ]
        if warnings and is_true(properties.get("FailOnWarnings", False)):
            raise ValueError(f"Warnings found during import: {', '.join(warnings)}")
        return properties

    with_properties("AWS::ApiGatewayV2::Api", without_warnings)


def _route_key(method, path):
    # SAM writes it without the slash, and marks it with `isDefaultRoute`.
    if path in ("$default", "/$default"):
        return "$default"
    return f"{'ANY' if method.startswith('x-') else method.upper()} {path}"


@fix
def http_api_errors():
    """A function that fails answers 500 `Internal Server Error`; one without capacity, 503 `Service Unavailable`.

    The function's own error never reaches the client.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
    """
    convert = lambda_svc.lambda_execute_result_to_api_proxy_response

    def without_details(result):
        if result.get("throttle"):
            status, headers, body = _answer(503, "Service Unavailable")
        elif result.get("error"):
            status, headers, body = _answer(500, "Internal Server Error")
        else:
            return convert(result)
        return {"statusCode": status, "headers": headers, "body": body.decode()}, None

    lambda_svc.lambda_execute_result_to_api_proxy_response = without_details


@fix
def http_api_empty_body():
    """A function's answer may have no body: `null` is one that is not there, as in a redirect.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    convert = lambda_svc.lambda_execute_result_to_api_proxy_response

    def without_null(result):
        response, error = convert(result)
        if isinstance(response, dict) and response.get("body", "") is None:
            response = {**response, "body": ""}
        return response, error

    lambda_svc.lambda_execute_result_to_api_proxy_response = without_null


@fix
def http_api_request_cookies():
    """Payload format 2.0 delivers the request's cookies in the list `cookies`, not in `headers`.

    Nothing but spaces and tabs is taken from around a cookie (RFC 6265 §5.2, RFC 9110 §5.6.3): another white space is
    part of its name, and whoever strips it gives a stranger's cookie a name that only the host may set.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    execute = lambda_svc._execute_function_with_config_scope

    def with_cookies(function, event):
        if _is_http_request(event):
            cookie = event["headers"].pop("cookie", None)
            if cookie:
                event["cookies"] = [pair for part in cookie.split(";") if (pair := part.strip(" \t"))]
        return execute(function, event)

    lambda_svc._execute_function_with_config_scope = with_cookies


def _is_http_request(event):
    return isinstance(event, dict) and event.get("version") == "2.0" and "http" in event.get("requestContext", {})


@fix
def http_api_throttling():
    """A stage's `DefaultRouteSettings` limit each route by a token bucket; above it the answer is 429.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
    """
    handle = apigateway._handle_execute_in_scope
    buckets, lock = {}, threading.Lock()

    def admits(bucket, rate, burst):
        now = time.monotonic()
        with lock:
            tokens, since = buckets.get(bucket, (burst, now))
            tokens = min(burst, tokens + (now - since) * rate)
            buckets[bucket] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1

    async def throttled(api_id, stage, path, method, *rest, **options):
        limits = (apigateway._stages.get(api_id) or {}).get(stage, {}).get("defaultRouteSettings") or {}
        limits = {name.lower(): value for name, value in limits.items()}
        route = apigateway._match_route(api_id, method, path)
        if route and limits.get("throttlingratelimit") is not None:
            rate = float(limits["throttlingratelimit"])
            burst = float(limits.get("throttlingburstlimit") or rate)
            if not admits((api_id, stage, route["routeKey"]), rate, burst):
                return _answer(429, "Too Many Requests")
        return await handle(api_id, stage, path, method, *rest, **options)

    apigateway._handle_execute_in_scope = throttled


@fix
def http_api_access_log():
    """A stage with `AccessLogSettings` writes one line per request, in the given format, to the log group.

    A `$context` variable without a value is written as `-`.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
    """
    handle, execute = apigateway._handle_execute_in_scope, lambda_svc._execute_function_with_config_scope
    integration = contextvars.ContextVar("integration")

    def timed(function, event):
        seen = integration.get(None)
        if seen is None or not _is_http_request(event):
            return execute(function, event)
        started = time.monotonic()
        result = execute(function, event)
        seen["requestId"] = event["requestContext"]["requestId"]
        seen["integration.latency"] = seen["integrationLatency"] = int((time.monotonic() - started) * 1000)
        seen["integration.status"] = seen["integrationStatus"] = 429 if result.get("throttle") else 200
        if result.get("error"):
            error = result.get("body") if isinstance(result.get("body"), dict) else {}
            seen["integration.error"] = seen["integrationErrorMessage"] = error.get("errorMessage") or "Lambda failed"
        return result

    async def logged(api_id, stage, path, method, headers, *rest, **options):
        settings = (apigateway._stages.get(api_id) or {}).get(stage, {}).get("accessLogSettings") or {}
        if not settings.get("destinationArn"):
            return await handle(api_id, stage, path, method, headers, *rest, **options)
        seen = {"requestId": str(uuid.uuid4())}
        started, token = time.monotonic(), integration.set(seen)
        try:
            status, answer_headers, body = await handle(api_id, stage, path, method, headers, *rest, **options)
        finally:
            integration.reset(token)
        headers = {name.lower(): value for name, value in headers.items()}
        domain = headers.get("host", "").split(":")[0]
        route = apigateway._match_route(api_id, method, path)
        context = {
            "accountId": apigateway.get_account_id(),
            "apiId": api_id,
            "domainName": domain,
            "domainPrefix": domain.split(".")[0],
            "httpMethod": method,
            "identity.sourceIp": "127.0.0.1",
            "identity.userAgent": headers.get("user-agent"),
            "path": path,
            "protocol": "HTTP/1.1",
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "requestTimeEpoch": int(time.time() * 1000),
            "responseLatency": int((time.monotonic() - started) * 1000),
            "responseLength": len(body or b""),
            "routeKey": route and route["routeKey"],
            "stage": stage,
            "status": status,
            **seen,
        }
        _write_log(settings["destinationArn"], api_id, _fill(settings.get("format", ""), context))
        return status, answer_headers, body

    apigateway._handle_execute_in_scope = logged
    lambda_svc._execute_function_with_config_scope = timed


@fix
def domain_localhost():
    """An API may have the domain `localhost`, for paths that begin as its routes do.

    This is the local cloud's own, and not as on AWS, where names resolve: those under `.localhost` do in browsers, and not
    in every program (RFC 6761 §6.3 asks libraries to resolve them; glibc's and musl's do not).
    """
    resolve = app._resolve_custom_domain_request

    def resolved(host, path):
        if host.split(":")[0].lower() != "localhost":
            return resolve(host, path)
        found = apigateway_v1.resolve_base_path_mapping("localhost", path)
        routes = (apigateway._routes.get(found[0]) or {}).values() if found else ()
        keys = (route["routeKey"].partition(" ")[2] for route in routes)
        return found if any(key.split("/")[1:2] == path.split("/")[1:2] for key in keys) else None

    app._resolve_custom_domain_request = resolved


def _fill(log_format, context):
    def value(variable):
        found = context.get(variable.group(1))
        return "-" if found in (None, "") else str(found)

    return re.sub(r"\$context\.([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)", value, log_format)


def _write_log(group_arn, stream_name, line):
    group = cloudwatch_logs._log_groups.get(group_arn.split(":log-group:")[-1].removesuffix(":*"))
    if group is None:
        return
    now = int(time.time() * 1000)
    stream = group["streams"].setdefault(
        stream_name,
        {
            "events": [],
            "uploadSequenceToken": "1",
            "creationTime": now,
            "firstEventTimestamp": None,
            "lastEventTimestamp": None,
            "lastIngestionTime": None,
        },
    )
    cloudwatch_logs._append_log_events(stream, [{"timestamp": now, "message": line, "ingestionTime": now}])
