//! The callback receiver: Salesforce sends the person's browser here.
//!
//! It reads the callback, verifies the state, puts the code on the queue and answers at once. It holds
//! no secret (a public key verifies the states), exchanges nothing and stores nothing.

mod callback;
mod config;
#[cfg(test)]
mod contract;
mod queue;
mod refusal;
mod reply;

use std::str::FromStr as _;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use shared::{
    AttemptId, LoginUrl, Timestamp, WaId,
    aws::{
        SdkConfig,
        kms::{Kms, KmsError},
    },
    binding::BrowserSecret,
    exchange::{Consent, ExchangeMessage, StateText},
    metrics::Metric,
    state::{Claims, InvalidState, State, StateKey},
    state_settings::StatePolicy,
    timestamp::{Clock, millis},
    web::Request,
};
use tokio::sync::OnceCell;
use tracing::{info, warn};

use self::{
    callback::{Answer, Callback},
    config::BrowserPolicy,
    queue::ExchangeQueue,
    refusal::Refusal,
    reply::Reply,
};
pub use config::{Config, services};

/// Whose login it is, by a verified state.
enum Login {
    Signed(Claims),
    /// Anyone can make a plain state; the operator accepts them.
    Plain(WaId),
}

/// The receiver, ready for callbacks.
pub struct Receiver {
    config: Config,
    /// For KMS's client, which alone takes a fifth of a start: it is made when a key has to be fetched.
    aws: SdkConfig,
    queue: ExchangeQueue,
    keys: OnceCell<Vec<StateKey>>,
    clock: Clock,
}

impl Receiver {
    /// A receiver; nothing is fetched or opened yet.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock) -> Self {
        let queue = ExchangeQueue::new(aws, config.queue_url.clone());
        Self { config, aws: aws.clone(), queue, keys: OnceCell::new(), clock }
    }

    /// Prepares a message without sending it and, unless the settings hold them, fetches the public keys at
    /// the same time. What fails is tried again when a callback needs it.
    pub async fn warm_up(&self) {
        let keys = async { if self.config.states.keys.is_empty() { self.keys().await.map(drop) } else { Ok(()) } };
        let (keys, queue) = tokio::join!(keys, self.queue.dry_run());
        if let Err(error) = queue {
            warn!(%error, "warm-up of the queue client failed");
        }
        if let Err(error) = keys {
            warn!(%error, "public keys not fetched");
        }
    }

    async fn fetched_keys(&self) -> Result<&[StateKey], Reply> {
        self.keys().await.map_err(|error| {
            warn!(%error, "public keys not fetched");
            Reply::Unavailable
        })
    }

    async fn keys(&self) -> Result<&[StateKey], KmsError> {
        let fetch = async || {
            let kms = Kms::new(&self.aws);
            let mut keys = Vec::with_capacity(self.config.states.key_ids.len());
            for key_id in &self.config.states.key_ids {
                keys.push(kms.state_key(key_id).await?);
            }
            Ok(keys)
        };
        self.keys.get_or_try_init(fetch).await.map(Vec::as_slice)
    }

    /// Processes a callback, and logs one line about it.
    pub async fn handle(&self, event: &ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let request = Request::new(event);
        let started = (self.clock)();
        let reply = if request.is_head() {
            Reply::Head
        } else {
            self.process(request, started).await.unwrap_or_else(|reply| reply)
        };
        let now = (self.clock)();
        let (result, attempt_id) = (reply.label(), reply.attempt_id().map(tracing::field::display));
        info!(result, attempt_id, duration_ms = millis(now.since(started)), "{}", reply.message());
        self.config.meter.count(now, Metric::Callbacks, &[("Result", result)]);
        reply.to_response(request.wants_json(), self.config.bot_phone_number.as_ref()).into_event(request.is_head())
    }

    /// `Err` where nothing is put on the queue.
    async fn process(&self, request: Request<'_>, now: Timestamp) -> Result<Reply, Reply> {
        let callback = Callback::read(request)?;
        let login = self.verify_state(&callback.state, now).await?;
        self.check_browser(&login, request)?;
        self.check_issuer(&login, callback.issuer.as_deref())?;
        let (reply, consent): (fn(AttemptId) -> Reply, _) = match callback.answer.ok_or(Refusal::MissingCode)? {
            Answer::Code(code) => (Reply::Accepted, Consent::Granted { code }),
            Answer::Error(denial) => (Reply::Denied, Consent::Denied(denial)),
        };
        let attempt_id = match (login, &consent) {
            (Login::Signed(claims), _) => claims.attempt_id,
            (Login::Plain(_), Consent::Granted { code }) => AttemptId::of_code(code),
            (Login::Plain(wa_id), _) => AttemptId::of_denial(&wa_id, now),
        };
        let message = ExchangeMessage { state: StateText::new(callback.state), received_at: now, consent };
        match self.queue.send(&message).await {
            Ok(()) => Ok(reply(attempt_id)),
            Err(error) => {
                warn!(%attempt_id, %error, "callback not queued");
                Err(Reply::Unavailable)
            }
        }
    }

    async fn verify_state(&self, text: &str, now: Timestamp) -> Result<Login, Reply> {
        match State::parse(text).map_err(|_| Refusal::InvalidState)? {
            State::Plain(wa_id) => match self.config.states.policy {
                StatePolicy::AcceptPlain => Ok(Login::Plain(wa_id)),
                StatePolicy::Signed => Err(Refusal::InvalidState.into()),
            },
            State::Signed(state) => {
                let claims = match state.verify(&self.config.states.keys, now) {
                    // The settings hold no key, or older ones.
                    Err(InvalidState::UnknownKey) => state.verify(self.fetched_keys().await?, now),
                    claims => claims,
                };
                claims.map(Login::Signed).map_err(|error| match error {
                    InvalidState::Expired => Refusal::ExpiredState.into(),
                    _ => Refusal::InvalidState.into(),
                })
            }
        }
    }

    /// The callback must come from the browser that pressed the button, whose secret the state has a hash of.
    fn check_browser(&self, login: &Login, request: Request<'_>) -> Result<(), Refusal> {
        let Login::Signed(Claims { attempt_id, binding: Some(binding), .. }) = login else {
            return Ok(());
        };
        let bound = BrowserSecret::among(request.cookies()).any(|secret| secret.binding(*attempt_id).matches(binding));
        match self.config.browser {
            _ if bound => Ok(()),
            BrowserPolicy::Enforce => Err(Refusal::WrongBrowser),
            BrowserPolicy::Observe => {
                warn!(%attempt_id, "callback from another browser, allowed by configuration");
                Ok(())
            }
        }
    }

    /// The issuer, where it is named, must be the host that the person was sent to (RFC 9207 §2.4).
    fn check_issuer(&self, login: &Login, issuer: Option<&str>) -> Result<(), Refusal> {
        match issuer.map(LoginUrl::from_str) {
            None => Ok(()),
            Some(Ok(issuer)) if issuer == *self.login_url(login) => Ok(()),
            Some(_) => Err(Refusal::InvalidState),
        }
    }

    fn login_url<'a>(&'a self, login: &'a Login) -> &'a LoginUrl {
        match login {
            Login::Signed(claims) => &claims.login_url,
            Login::Plain(_) => self.config.login_urls.default_url(),
        }
    }
}
