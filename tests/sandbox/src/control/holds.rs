//! Requests that are held until a test lets them go, so that it knows what has happened before what.
//!
//! `GET /control/held` has `[{"at", "wa_id"}]`, oldest first: `at` is the endpoint, or AWS's operation. `POST /control/release`
//! with any of `at` and `wa_id` lets go of those, or of all, and returns `{"released"}`: a call of AWS is of a chat if its body
//! names it. Removing a chat's faults, or all, lets go too.

use std::sync::Mutex;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::lock;

/// The requests that are held.
#[derive(Default)]
pub(crate) struct Holds(Mutex<Vec<Held>>);

/// A request that is held.
#[derive(Serialize)]
pub(crate) struct Held {
    at: String,
    wa_id: Option<String>,
    /// The body of a call of AWS.
    #[serde(skip)]
    body: Bytes,
    /// Dropped to let it go.
    #[serde(skip)]
    _go: oneshot::Sender<()>,
}

/// Which requests.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    pub(crate) at: Option<String>,
    pub(crate) wa_id: Option<String>,
}

impl Holds {
    /// Waits until it is let go.
    pub(crate) async fn hold(&self, at: &str, wa_id: Option<String>, body: Bytes) {
        let (go, gone) = oneshot::channel();
        lock(&self.0).push(Held { at: at.to_owned(), wa_id, body, _go: go });
        // The sender is dropped, never used.
        let _ = gone.await;
    }

    /// Lets go of these; how many there were.
    pub(crate) fn release(&self, which: &Which) -> usize {
        let mut held = lock(&self.0);
        let before = held.len();
        held.retain(|held| !which.covers(held));
        before - held.len()
    }

    /// Reads those that are held.
    pub(crate) fn read<T>(&self, which: &Which, reader: impl FnOnce(&[&Held]) -> T) -> T {
        let held = lock(&self.0);
        reader(&held.iter().filter(|held| which.covers(held)).collect::<Vec<_>>())
    }
}

impl Which {
    fn covers(&self, held: &Held) -> bool {
        let names = |text: &String| {
            let body = &held.body;
            held.wa_id.as_ref() == Some(text)
                || !text.is_empty() && body.windows(text.len()).any(|window| window == text.as_bytes())
        };
        self.at.as_ref().is_none_or(|at| *at == held.at) && self.wa_id.as_ref().is_none_or(names)
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Poll};

    use futures::poll;

    use super::*;

    fn which(at: Option<&str>, wa_id: Option<&str>) -> Which {
        Which { at: at.map(str::to_owned), wa_id: wa_id.map(str::to_owned) }
    }

    #[tokio::test]
    async fn a_call_of_aws_is_of_the_chat_that_its_body_names() {
        let holds = Holds::default();
        let body = Bytes::from_static(br#"{"Key":{"wa_id":{"S":"whatsapp:+1"}}}"#);
        let mut held = pin!(holds.hold("dynamodb.UpdateItem", None, body));
        assert_eq!(poll!(held.as_mut()), Poll::Pending);
        for other in [which(None, Some("whatsapp:+2")), which(Some("dynamodb.GetItem"), None)] {
            assert_eq!(holds.release(&other), 0);
        }
        assert_eq!(holds.release(&which(Some("dynamodb.UpdateItem"), Some("whatsapp:+1"))), 1);
        assert_eq!(poll!(held.as_mut()), Poll::Ready(()));
    }

    #[tokio::test]
    async fn what_is_held_can_be_seen() {
        let holds = Holds::default();
        let mut held = pin!(holds.hold("salesforce.refresh", Some("whatsapp:+1".to_owned()), Bytes::new()));
        assert_eq!(poll!(held.as_mut()), Poll::Pending);
        let shown = holds.read(&Which::default(), |held| serde_json::to_value(held).unwrap());
        assert_eq!(shown, serde_json::json!([{"at": "salesforce.refresh", "wa_id": "whatsapp:+1"}]));
        assert_eq!(holds.read(&which(Some("bot.events"), None), |held| held.len()), 0);
    }
}
