//! Two people's phones: `GET /` is a page that looks like their chats with the bot, side by side, with the bot's events beside
//! them. `?wa_id=` and `?other_wa_id=` select other chats than `whatsapp:+15551234567` and `whatsapp:+15557654321`.
//!
//! `GET /chat?text=` is the same page with that text typed in, as `https://wa.me/<bot>?text=` opens WhatsApp: whoever sits there
//! presses "Send".
//!
//! The page reads `GET /chat/stream?wa_id=` (server-sent events: all entries so far, then new ones).
//! `POST /chat/connect` `{"wa_id","profile_name"?}` makes the bot request a link and post it; `POST /chat/send`
//! `{"wa_id","text","profile_name"?}` is a message to the bot; `POST /chat/forward` `{"wa_id","to","url"}` passes a link on to the
//! other phone, without the bot.

use std::{convert::Infallible, sync::Arc, sync::Mutex, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures::{Stream, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    World,
    ambient::now_ms,
    bot::conversation::{self, Message},
    lock,
};

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/", get(page))
        .route("/chat", get(page))
        .route("/chat/chat.css", get(async || typed("text/css", include_str!("chat.css"))))
        .route("/chat/chat.js", get(async || typed("text/javascript", include_str!("chat.js"))))
        .route("/chat/stream", get(follow))
        .route("/chat/connect", post(connect))
        .route("/chat/send", post(send))
        .route("/chat/forward", post(forward))
}

async fn page() -> Html<&'static str> {
    Html(include_str!("chat.html"))
}

fn typed(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], content)
}

/// An entry of a chat.
#[derive(Clone, Serialize)]
struct Entry {
    seq: u64,
    at_ms: u64,
    #[serde(skip)]
    wa_id: String,
    #[serde(flatten)]
    content: Content,
}

/// The kinds of entries.
#[derive(Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Content {
    /// A message from the person.
    Asked { text: String },
    /// A message to the person.
    Said {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        via: Option<Via>,
    },
    /// The bot's message with a link to tap.
    Link {
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<String>,
    },
    /// A link that the person of another chat has passed on. The bot knows nothing of it.
    Forwarded { from: String, url: String },
    /// An error in the sandbox's setup, for whoever runs it.
    Trouble { text: String },
    /// An event that the bot received, shown beside the chat.
    Heard { event: Value },
}

/// The provider that carried a message.
#[derive(Clone, Copy, Serialize)]
#[serde(tag = "provider", rename_all = "snake_case")]
pub(crate) enum Via {
    Twilio { template: bool },
    Meta { template: bool },
}

impl Content {
    /// A message of the bot's own.
    pub(crate) fn from_bot(text: String) -> Self {
        Self::Said { text, via: None }
    }

    /// A message that came through a provider.
    pub(crate) fn from_provider(text: String, via: Via) -> Self {
        Self::Said { text, via: Some(via) }
    }
}

/// All chats.
pub(crate) struct Chats {
    entries: Mutex<Vec<Entry>>,
    /// The number of the last entry. It starts at the current time, so that a page left open over a restart
    /// does not wait for numbers that were used before.
    last: watch::Sender<u64>,
}

impl Chats {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { entries: Mutex::default(), last: watch::Sender::new(now_ms) }
    }

    pub(crate) fn post(&self, wa_id: &str, content: Content, at_ms: u64) {
        let mut entries = lock(&self.entries);
        let seq = *self.last.borrow() + 1;
        entries.push(Entry { seq, at_ms, wa_id: wa_id.to_owned(), content });
        self.last.send_replace(seq);
    }

    /// The first entry of a chat after that number.
    fn next(&self, wa_id: &str, after: u64) -> Option<Entry> {
        lock(&self.entries).iter().find(|entry| entry.seq > after && entry.wa_id == wa_id).cloned()
    }
}

#[derive(Deserialize)]
struct Chat {
    wa_id: String,
}

async fn follow(
    State(world): State<Arc<World>>,
    Query(Chat { wa_id }): Query<Chat>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let after = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok()).unwrap_or(0);
    let changes = world.chats.last.subscribe();
    let events = stream::unfold((world, wa_id, changes, after), async |(world, wa_id, mut changes, after)| {
        loop {
            changes.borrow_and_update();
            if let Some(entry) = world.chats.next(&wa_id, after) {
                let data = serde_json::to_string(&entry).unwrap_or_default();
                let event = Event::default().id(entry.seq.to_string()).data(data);
                return Some((Ok(event), (world, wa_id, changes, entry.seq)));
            }
            changes.changed().await.ok()?;
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

#[derive(Deserialize)]
struct Asking {
    wa_id: String,
    profile_name: Option<String>,
}

async fn connect(State(world): State<Arc<World>>, Json(asking): Json<Asking>) -> Response {
    let Asking { wa_id, profile_name } = &asking;
    world.chats.post(wa_id, Content::Asked { text: "Connect Salesforce".to_owned() }, now_ms());
    done(conversation::send_link(&world, wa_id, profile_name.as_deref()).await)
}

#[derive(Deserialize)]
struct Sending {
    wa_id: String,
    text: String,
    profile_name: Option<String>,
}

async fn send(State(world): State<Arc<World>>, Json(sending): Json<Sending>) -> Response {
    let Sending { wa_id, text, profile_name } = &sending;
    let message = Message { wa_id, text, profile_name: profile_name.as_deref() };
    done(conversation::hear(&world, &message).await.map(drop).map_err(|error| error.to_string()))
}

#[derive(Deserialize)]
struct Forwarding {
    wa_id: String,
    to: String,
    url: String,
}

async fn forward(State(world): State<Arc<World>>, Json(forwarding): Json<Forwarding>) -> StatusCode {
    let Forwarding { wa_id, to, url } = forwarding;
    world.chats.post(&to, Content::Forwarded { from: wa_id, url }, now_ms());
    StatusCode::NO_CONTENT
}

/// The chat has what came of it, an error too.
fn done(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(trouble) => (StatusCode::CONFLICT, Json(json!({"error": trouble}))).into_response(),
    }
}
