//! The proxy between the functions and AWS. It passes every call on unchanged and, on demand, fails
//! as networks and services do.
//!
//! ```json
//! {"operation": "dynamodb.UpdateItem", "containing": "0123456789abcdef", "times": 2,
//!  "action": {"status": 400, "body": {"__type": "ProvisionedThroughputExceededException"}}}
//! ```
//!
//! is sent to `POST /control/aws/faults`; `DELETE` removes all of them, or with `?containing=…` those
//! with exactly this text. `operation` is `<service>.<operation>` or `<service>.*`, `containing`
//! a text in the request's body (an attempt's id, a chat), `times` defaults to 1, and
//! `for_ms` ends the fault after a time. The actions are those of [`crate::control`]'s faults.
//!
//! `GET /control/aws/calls` has `[{"operation", "key_id"?, "count"}]`: how often each operation was called and, for KMS,
//! with which key. `GET /control/aws/tokens` says which operations were given tokens in clear.
//!
//! It stores nothing else of the requests and responses, because they hold tokens.

mod calls;
mod client;
mod faults;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use reqwest::{Client, redirect::Policy};
use tokio::net::TcpListener;

use self::client::kill;
pub(crate) use self::{
    calls::AwsCalls,
    faults::{AwsFault, AwsFaults},
};
use crate::{
    StartError, World,
    control::{Action, Delay, Drop, Hold, Kill, When},
    server::{self, Ends, hang_up},
};

const LARGEST_BODY: usize = 1 << 20;

/// The proxy, listening.
pub(crate) struct Proxy {
    listener: TcpListener,
    router: Router,
}

/// The proxy's connection to AWS or its emulator.
struct Upstream {
    client: Client,
    url: String,
    world: Arc<World>,
}

impl Proxy {
    /// Listens on this port of 127.0.0.1.
    pub(crate) async fn listen(port: u16, upstream: String, world: Arc<World>) -> Result<Self, StartError> {
        let listen = |source| StartError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        // It fails only if a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0).build().map_err(StartError::Client)?;
        let upstream = Upstream { client, url: upstream, world };
        Ok(Self { listener, router: Router::new().fallback(pass).with_state(Arc::new(upstream)) })
    }

    /// Serves until the task is aborted.
    pub(crate) async fn serve(self) {
        server::serve(self.listener, self.router).await;
    }
}

/// A task of its own: AWS carries out a request even if the client has disconnected.
async fn pass(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    let task = tokio::spawn(async move { upstream.pass(request).await });
    task.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

impl Upstream {
    async fn pass(&self, request: Request) -> Response {
        let ends = request.extensions().get::<Ends>().copied();
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, LARGEST_BODY).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
        let operation = operation(&parts.headers).unwrap_or_default();
        self.world.aws_calls.count(&operation, &body);
        self.world.aws_calls.note_tokens(&operation, &body, &self.world.salesforce);
        let fault = self.world.aws_faults.take(&operation, &body);
        let of_fault = body.clone();
        let forward = self.forward(
            parts.method,
            parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            parts.headers,
            body,
        );
        match fault {
            // A message that is given up later is nothing of AWS's.
            None | Some(Action::Later(_)) => forward.await,
            Some(answer @ (Action::Answer(_) | Action::OAuth(_))) => {
                answer.response().unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
            }
            Some(Action::Delay(Delay { delay_ms })) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                forward.await
            }
            Some(Action::Hold(Hold { hold: When::Before })) => {
                self.world.holds.hold(&operation, None, of_fault).await;
                forward.await
            }
            Some(Action::Hold(Hold { hold: When::After })) => {
                let response = forward.await;
                self.world.holds.hold(&operation, None, of_fault).await;
                response
            }
            Some(Action::Drop(Drop { drop: When::Before })) => hang_up(),
            Some(Action::Drop(Drop { drop: When::After })) => {
                forward.await;
                hang_up()
            }
            Some(Action::Kill(Kill { kill: when })) => {
                if when == When::After {
                    forward.await;
                }
                let is_killed = kill_client(ends).await;
                self.world.aws_faults.end_kill(&operation, &of_fault, is_killed);
                hang_up()
            }
        }
    }

    async fn forward(&self, method: axum::http::Method, path: &str, headers: HeaderMap, body: Bytes) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).body(body);
        // The signature covers the Host header, so it stays as the client sent it.
        for (name, value) in headers.iter().filter(|(name, _)| !is_hop_by_hop(name)) {
            request = request.header(name, value);
        }
        let Ok(answer) = request.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        for (name, value) in headers.iter().filter(|(name, _)| !is_hop_by_hop(name)) {
            response.headers_mut().append(name, value.clone());
        }
        response
    }
}

/// Kills the function that is a connection's client; `false` where it gave the connection up before it was found.
///
/// The kernel's table of connections may lack a line while others come and go (`/proc/net/tcp` is read in parts), so it is
/// read again.
pub(crate) async fn kill_client(ends: Option<Ends>) -> bool {
    for _ in 0..20 {
        let killed = tokio::task::spawn_blocking(move || ends.is_some_and(kill)).await;
        if killed.unwrap_or(false) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// `dynamodb.UpdateItem`, of `DynamoDB_20120810.UpdateItem` and the like.
fn operation(headers: &HeaderMap) -> Option<String> {
    let (service, operation) = headers.get("x-amz-target")?.to_str().ok()?.split_once('.')?;
    let service = match service.split('_').next()? {
        "DynamoDB" => "dynamodb",
        "AmazonSQS" => "sqs",
        "TrentService" => "kms",
        "AWSEvents" => "events",
        other => other,
    };
    Some(format!("{service}.{operation}"))
}

/// Hop-by-hop headers (RFC 9110 §7.6.1), and the length, which is set from the body.
fn is_hop_by_hop(name: &header::HeaderName) -> bool {
    [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::TE, header::UPGRADE].contains(name)
}
