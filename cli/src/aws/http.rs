//! The HTTP client under the AWS clients. The functions' own knows no proxies, which a workstation may need.

use std::time::Duration;

use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
        http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::{body::SdkBody, retry::ErrorKind};
use reqwest::{Client, Request, Response, StatusCode};

use super::foreign::{Form, foreign};
use crate::{error::Error, http};

/// An HTTP client for the SDK.
pub(super) fn client() -> Result<SharedHttpClient, Error> {
    let client = http::build(http::builder())?;
    Ok(http_client_fn(move |settings, _| {
        SharedHttpConnector::new(Connector { client: client.clone(), limit: limit(settings) })
    }))
}

/// How long a request may take, where the SDK limits it: it asks so whether this machine is one of EC2's.
fn limit(settings: &HttpConnectorSettings) -> Option<Duration> {
    Some(settings.read_timeout()? + settings.connect_timeout().unwrap_or_default())
}

#[derive(Debug)]
struct Connector {
    client: Client,
    limit: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match into_request(request) {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(error)),
        };
        *request.timeout_mut() = self.limit;
        let (client, form) = (self.client.clone(), form_of_answer(&request));
        HttpConnectorFuture::new(async move {
            let response = client.execute(request).await.map_err(connector_error)?;
            into_response(response, form).await
        })
    }
}

/// The form of AWS's answer to a request that is signed. Others ask this machine's own services for credentials.
fn form_of_answer(request: &Request) -> Option<Form> {
    let header = |name| request.headers().get(name)?.to_str().ok();
    let is_signed = header("authorization")?.starts_with("AWS4-");
    is_signed.then(|| Form::answered_to(header("content-type").unwrap_or_default()))
}

fn into_request(request: HttpRequest) -> Result<Request, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let Some(body) = request.body().bytes().map(<[u8]>::to_vec) else {
        return Err(ConnectorError::user("a body that is not in memory".into()));
    };
    Request::try_from(request.map(|_| body)).map_err(|error| ConnectorError::user(error.without_url().into()))
}

async fn into_response(response: Response, form: Option<Form>) -> Result<HttpResponse, ConnectorError> {
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.map_err(connector_error)?;
    let header = |name: &str| headers.get(name)?.to_str().ok();
    if let Some(why) = form.and_then(|form| foreign(form, status.as_u16(), header, &body)) {
        return Err(ConnectorError::other(why.into(), retried(status)));
    }
    let mut answer = HttpResponse::new(status.into(), SdkBody::from(body.to_vec()));
    for (name, value) in &headers {
        if let Ok(value) = value.to_str() {
            answer.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(answer)
}

/// How an answer that is not AWS's is retried: as one of AWS's with this status would be.
fn retried(status: StatusCode) -> Option<ErrorKind> {
    match status {
        StatusCode::TOO_MANY_REQUESTS => Some(ErrorKind::ThrottlingError),
        status if status.is_server_error() => Some(ErrorKind::ServerError),
        _ => None,
    }
}

fn connector_error(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

#[cfg(test)]
mod tests {
    use fakes::{ANY, Answer, Server};

    use crate::aws::{find_stack, tests::config_of};

    async fn said_of(answer: Answer) -> (usize, String) {
        let server = Server::start().await;
        server.on(ANY, move |_| answer.clone());
        let error = find_stack(&config_of(&server).await, "connect").await.unwrap_err();
        (server.requests(ANY).len(), error.to_string())
    }

    #[tokio::test]
    async fn an_answer_that_is_not_of_aws_is_named_with_what_to_check() {
        for (answer, what) in [
            (Answer::new(200, "<html>Log in"), "status 200 with a page"),
            (Answer::new(403, r#"{"message":"Forbidden"}"#), "status 403 with JSON, no error code"),
            (Answer::new(302, ""), "status 302, which leads elsewhere"),
        ] {
            let (asked, said) = said_of(answer).await;
            let expected = format!("cannot describe the stack: DescribeStacks failed: not AWS's answer: {what}; ");
            assert!(said.starts_with(&expected), "{said}");
            assert!(said.contains("AWS_ENDPOINT_URL") && said.contains("HTTPS_PROXY"), "{said}");
            assert_eq!(asked, 1);
        }
    }

    #[tokio::test]
    async fn a_failure_of_what_is_before_aws_is_retried_as_one_of_aws() {
        let (asked, said) = said_of(Answer::new(503, "<html>")).await;
        assert!(asked > 1 && said.contains("status 503 with a page"), "{asked}: {said}");
    }
}
