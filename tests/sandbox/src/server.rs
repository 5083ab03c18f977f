//! Accepts connections and serves the router on them, by hand and not by `axum::serve`: only so can
//! a connection be closed without an answer, as networks do, and its other end be known.

use std::net::SocketAddr;

use axum::{Router, body::Body, http::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt as _;

/// Marks a response that must not be sent: the connection is closed in its place.
#[derive(Clone, Copy)]
struct HangUp;

/// The connection that a request comes by. Only both ends name it: a client may have one port in several connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// What hyper is told in order to close the connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped on purpose")]
struct Dropped;

/// A response that reaches nobody.
pub(crate) fn hang_up() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(HangUp);
    response
}

/// Serves until the task is aborted; the open connections end with it.
pub(crate) async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that ended before it was accepted is no reason to stop.
                let Ok((stream, client)) = accepted else { continue };
                let Ok(server) = stream.local_addr() else { continue };
                let ends = Ends { client, server };
                let router = router.clone();
                let service = service_fn(move |request| answer(router.clone(), ends, request));
                let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // An error here is the client's going away, or our own `Dropped`.
                connections.spawn(async move { drop(connection.await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(router: Router, ends: Ends, mut request: Request<Incoming>) -> Result<Response, Dropped> {
    request.extensions_mut().insert(ends);
    let Ok(response) = router.oneshot(request.map(Body::new)).await;
    if response.extensions().get::<HangUp>().is_some() { Err(Dropped) } else { Ok(response) }
}
