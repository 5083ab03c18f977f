//! The middleware of every journalled endpoint: it injects faults and writes the journal.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};

use super::{
    Endpoint,
    faults::{Action, Delay, Drop, Fault, Kill, Later, When},
    journal::{Outcome, answered, asked},
};
use crate::{
    World,
    aws::kill_client,
    server::{Ends, hang_up},
};

const LARGEST_BODY: usize = 1 << 20;

/// The handler with the middleware.
pub(crate) fn gated(
    world: &Arc<World>,
    endpoint: Endpoint,
    handler: MethodRouter<Arc<World>>,
) -> MethodRouter<Arc<World>> {
    handler.layer(from_fn_with_state((Arc::clone(world), endpoint), gate))
}

/// Runs as a task of its own: a party carries out a request even if the client has stopped waiting.
async fn gate(State((world, endpoint)): State<(Arc<World>, Endpoint)>, request: Request, next: Next) -> Response {
    let task = tokio::spawn(async move { pass(&world, endpoint, request, next).await });
    task.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

async fn pass(world: &World, endpoint: Endpoint, request: Request, next: Next) -> Response {
    let ends = request.extensions().get::<Ends>().copied();
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let wa_id = endpoint.wa_id(world, parts.uri.path(), &parts.headers, &body);
    let mut asked = asked(parts.method.as_str(), &parts.headers, &body);
    asked["at_ms"] = world.clock.real_ms().into();
    let fault = world.faults.take(endpoint, wa_id.as_deref());
    let mut request = Request::from_parts(parts, Body::from(body));
    if let Some(Action::Later(Later { later })) = &fault {
        request.extensions_mut().insert(later.clone());
    }
    let process = next.run(request);

    let (outcome, response) = match fault {
        None => processed(None, process.await).await,
        Some(Action::Later(_)) => processed(Some("later"), process.await).await,
        Some(Action::Delay(Delay { delay_ms })) => {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            processed(Some("delay"), process.await).await
        }
        Some(Action::Drop(Drop { drop: When::After })) => {
            let (outcome, _) = processed(Some("drop_after"), process.await).await;
            (Outcome { answered: None, ..outcome }, hang_up())
        }
        Some(Action::Drop(Drop { drop: When::Before })) => {
            (Outcome { fault: Some("drop_before"), succeeded: false, answered: None }, hang_up())
        }
        Some(Action::Kill(Kill { kill: when })) => {
            let outcome = match when {
                When::After => processed(Some("kill_after"), process.await).await.0,
                When::Before => Outcome { fault: Some("kill_before"), succeeded: false, answered: None },
            };
            if !kill_client(ends).await {
                // It gave the request up, or died with another's. What was carried out must not be repeated by a fault.
                assert_eq!(when, When::Before, "there is no function at the other end of the connection");
                world.faults.add(Fault::kill_before(endpoint, wa_id.clone()));
            }
            (Outcome { answered: None, ..outcome }, hang_up())
        }
        Some(action @ (Action::Answer(_) | Action::OAuth(_))) => {
            let response = action.response().unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
            let (outcome, response) = processed(Some("answer"), response).await;
            (Outcome { succeeded: false, ..outcome }, response)
        }
    };
    world.journal.write(world.clock.real_ms(), endpoint, wa_id, asked, outcome);
    response
}

/// Reads the response's body for the journal and reassembles it.
async fn processed(fault: Option<&'static str>, response: Response) -> (Outcome, Response) {
    let (parts, body) = response.into_parts();
    let body: Bytes = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let outcome = Outcome {
        fault,
        succeeded: parts.status.is_success(),
        answered: Some(answered(parts.status, &parts.headers, &body)),
    };
    (outcome, Response::from_parts(parts, Body::from(body)))
}
