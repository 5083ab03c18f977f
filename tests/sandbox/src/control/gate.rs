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
    faults::{Action, Delay, Drop, Fault, Hold, Kill, Later, When},
    journal::{Outcome, answered, asked},
};
use crate::{
    World,
    ambient::now_ms,
    aws::kill_client,
    salesforce::{Busy, already_processing},
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
    let endpoint = endpoint.of(&body);
    let wa_id = endpoint.wa_id(world, parts.uri.path(), &parts.headers, &body);
    let mut asked = asked(parts.method.as_str(), &parts.headers, &body);
    asked["at_ms"] = now_ms().into();
    let turn = if endpoint == Endpoint::SalesforceRefresh { world.salesforce.take_turn(&body) } else { Ok(None) };
    let (outcome, response) = match turn {
        Ok(_until_answered) => {
            let fault = world.faults.take(endpoint, wa_id.as_deref());
            let mut request = Request::from_parts(parts, Body::from(body));
            if let Some(Action::Later(Later { later })) = &fault {
                request.extensions_mut().insert(later.clone());
            }
            let caller = Caller { world, endpoint, wa_id: wa_id.as_deref(), ends };
            caller.carry_out(fault, next.run(request)).await
        }
        Err(Busy) => processed(None, already_processing()).await,
    };
    world.journal.write(now_ms(), endpoint, wa_id, asked, outcome);
    response
}

/// Who asks, for what.
struct Caller<'a> {
    world: &'a World,
    endpoint: Endpoint,
    wa_id: Option<&'a str>,
    ends: Option<Ends>,
}

impl Caller<'_> {
    async fn carry_out(&self, fault: Option<Action>, process: impl Future<Output = Response>) -> (Outcome, Response) {
        match fault {
            None => processed(None, process.await).await,
            Some(Action::Later(_)) => processed(Some("later"), process.await).await,
            Some(Action::Delay(Delay { delay_ms })) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                processed(Some("delay"), process.await).await
            }
            Some(Action::Hold(Hold { hold: When::Before })) => {
                self.hold().await;
                processed(Some("hold_before"), process.await).await
            }
            Some(Action::Hold(Hold { hold: When::After })) => {
                let processed = processed(Some("hold_after"), process.await).await;
                self.hold().await;
                processed
            }
            Some(Action::Drop(Drop { drop: When::After })) => {
                let (outcome, _) = processed(Some("drop_after"), process.await).await;
                (Outcome { answered: None, ..outcome }, hang_up())
            }
            Some(Action::Drop(Drop { drop: When::Before })) => {
                (Outcome { fault: Some("drop_before"), ..Outcome::default() }, hang_up())
            }
            Some(Action::Kill(Kill { kill: when })) => self.kill(when, process).await,
            Some(action @ (Action::Answer(_) | Action::OAuth(_))) => {
                let response = action.response().unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
                let (outcome, response) = processed(Some("answer"), response).await;
                (Outcome { succeeded: false, ..outcome }, response)
            }
        }
    }

    async fn kill(&self, when: When, process: impl Future<Output = Response>) -> (Outcome, Response) {
        let outcome = match when {
            When::After => processed(Some("kill_after"), process.await).await.0,
            When::Before => Outcome { fault: Some("kill_before"), ..Outcome::default() },
        };
        if !kill_client(self.ends).await {
            // It gave the request up, or died with another's. What was carried out must not be repeated by a fault.
            assert_eq!(when, When::Before, "there is no function at the other end of the connection");
            self.world.faults.add(Fault::kill_before(self.endpoint, self.wa_id.map(str::to_owned)));
        }
        (Outcome { answered: None, ..outcome }, hang_up())
    }

    async fn hold(&self) {
        self.world.holds.hold(self.endpoint.name(), self.wa_id.map(str::to_owned), Bytes::new()).await;
    }
}

/// Reads the response's body for the journal and reassembles it.
async fn processed(fault: Option<&'static str>, response: Response) -> (Outcome, Response) {
    let (parts, body) = response.into_parts();
    let body: Bytes = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let outcome = Outcome {
        fault,
        succeeded: parts.status.is_success(),
        answered: Some(answered(parts.status, &parts.headers, &body)),
        verdict: parts.extensions.get().copied(),
    };
    (outcome, Response::from_parts(parts, Body::from(body)))
}
