//! The outside parties of the connection, on one loopback port: Salesforce, Twilio, Meta, the bot
//! and the person's phone.
//!
//! | path | party | module |
//! | --- | --- | --- |
//! | `/services/oauth2/…`, `/services/data/…` | Salesforce | [`salesforce`] |
//! | `/2010-04-01/…` | Twilio | [`twilio`] |
//! | `/v{N}.0/{phone-number-id}/messages` | Meta's Cloud API | [`meta`] |
//! | `/bot/events` | the bot's webhook | [`bot`] |
//! | a port of its own | a proxy between the functions and AWS | [`aws`] |
//! | `/`, `/chat/…` | the person's phone | [`chat`] |
//! | `/control/…` | the test's controls: faults, journal, clock | [`control`] |
//!
//! It speaks the protocols as the real parties do and knows nothing of this project's implementation.
//! It must not depend on `shared`: a mistake there would then be made on both sides, and no test would
//! find it. Everything is kept in memory and ends with the [`Sandbox`].

pub mod aws;
pub mod bot;
pub mod chat;
pub mod control;
pub mod meta;
pub mod salesforce;
pub mod twilio;

mod ambient;
mod fields;
mod server;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    ambient::now_ms,
    aws::{AwsCalls, AwsFaults},
    bot::Bot,
    chat::Chats,
    control::{Faults, Holds, Journal},
    meta::Meta,
    salesforce::Salesforce,
    twilio::Twilio,
};

/// Where to listen and which credentials to expect. The default has made-up ones and a free port.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds credentials")]
pub struct Config {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The connected app's consumer key.
    pub client_id: String,
    /// The connected app's consumer secret.
    pub client_secret: String,
    /// Twilio's account.
    pub twilio_account_sid: String,
    /// Twilio's password for it.
    pub twilio_auth_token: String,
    /// Meta's bearer token.
    pub meta_token: String,
    /// Meta's id of the sending number.
    pub meta_phone_number_id: String,
    /// The bot's webhook secret, `whsec_` and base64.
    pub webhook_secret: String,
    /// The proxy's port and AWS's URL; `None` for no proxy.
    pub aws: Option<(u16, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: 0,
            client_id: "3MVG9sandboxConsumerKey.0123456789".to_owned(),
            client_secret: "5A4D0B0Csandbox0consumer0secret".to_owned(),
            twilio_account_sid: "AC00000000000000000000000000000000".to_owned(),
            twilio_auth_token: "sandbox-twilio-auth-token".to_owned(),
            meta_token: "EAAsandboxMetaToken".to_owned(),
            meta_phone_number_id: "106540352242922".to_owned(),
            aws: None,
            webhook_secret: "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC0zMmJ5dGU=".to_owned(),
        }
    }
}

/// Why the sandbox cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is in use, or loopback is unavailable.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The proxy's HTTP client cannot be built.
    #[error("cannot build the HTTP client")]
    Client(#[source] reqwest::Error),
    /// The webhook secret is not `whsec_` and base64.
    #[error("the webhook secret is not base64")]
    WebhookSecret(#[source] standardwebhooks::WebhookError),
}

/// A running sandbox. Dropping it closes its port and every connection.
#[derive(Debug)]
pub struct Sandbox {
    /// `http://127.0.0.1:<port>`, with no slash at the end.
    pub base_url: String,
    /// Where it listens.
    pub address: SocketAddr,
    handle: JoinHandle<()>,
}

impl Sandbox {
    /// Starts on the configured port and serves until dropped.
    ///
    /// # Errors
    /// [`StartError`] where the port or the configuration cannot be used.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let listen = |source| StartError::Listen { port: config.port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let aws = config.aws.clone();
        let world = Arc::new(World::new(config)?);
        let router = router(&world);
        let proxy = match aws {
            Some((port, upstream)) => Some(aws::Proxy::listen(port, upstream, world).await?),
            None => None,
        };
        let handle = tokio::spawn(async move {
            match proxy {
                Some(proxy) => drop(tokio::join!(server::serve(listener, router), proxy.serve())),
                None => server::serve(listener, router).await,
            }
        });
        Ok(Self { base_url: format!("http://{address}"), address, handle })
    }

    /// Waits until the server ends, which happens only after an error.
    pub async fn wait(&mut self) {
        // A join error means that it was aborted or panicked: it has ended.
        let _ = (&mut self.handle).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// The state of all parties.
struct World {
    salesforce: Salesforce,
    twilio: Twilio,
    meta: Meta,
    bot: Bot,
    chats: Chats,
    faults: Faults,
    holds: Holds,
    aws_faults: AwsFaults,
    aws_calls: AwsCalls,
    journal: Journal,
}

impl World {
    fn new(config: Config) -> Result<Self, StartError> {
        Ok(Self {
            salesforce: Salesforce::new(config.client_id, config.client_secret),
            twilio: Twilio::new(config.twilio_account_sid, config.twilio_auth_token),
            meta: Meta::new(config.meta_token, config.meta_phone_number_id),
            bot: Bot::new(&config.webhook_secret).map_err(StartError::WebhookSecret)?,
            chats: Chats::new(now_ms()),
            faults: Faults::default(),
            holds: Holds::default(),
            aws_faults: AwsFaults::default(),
            aws_calls: AwsCalls::default(),
            journal: Journal::default(),
        })
    }
}

fn router(world: &Arc<World>) -> Router {
    Router::new()
        .merge(salesforce::routes(world))
        .merge(twilio::routes(world))
        .merge(meta::routes(world))
        .merge(bot::routes(world))
        .merge(chat::routes())
        .merge(control::routes())
        .with_state(Arc::clone(world))
}

/// Locks, even after a panic elsewhere: one failed request must not fail the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
