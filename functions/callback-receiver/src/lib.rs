//! The callback receiver: Salesforce sends the person's browser here.
//!
//! It reads the callback, verifies the state, puts the code on the queue and answers at once. It holds
//! no secret (a public key verifies the states), exchanges nothing and stores nothing.

mod callback;
mod config;
mod confirmation;
#[cfg(test)]
mod contract;
mod qr;
mod queue;
mod refusal;
mod reply;

use std::{str::FromStr as _, time::Duration};

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use shared::{
    AttemptId, Language, LoginUrl, Reason, Timestamp, WaId,
    aws::{
        SdkConfig,
        kms::{Kms, KmsError},
    },
    binding::{BrowserSecret, Used, UsedLogin},
    exchange::{Consent, ExchangeMessage},
    metrics::{Measurement, Metric},
    page::Frame,
    proof::ChatCode,
    state::{Claims, InvalidState, State, StateKey},
    state_settings::StatePolicy,
    timestamp::{Clock, millis},
    wa_id::MaskedNumber,
    web::{Request, Response},
};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};
use tracing::{info, warn};

use self::{
    callback::{Answer, Callback, PageAddress},
    config::BrowserPolicy,
    confirmation::Confirmation,
    queue::ExchangeQueue,
    refusal::Refusal,
    reply::{Reply, Step},
};
pub use config::{Config, services};

/// For one request. It is less than the function's time-out, at which API Gateway would answer with an error page of
/// its own.
const DEADLINE: Duration = Duration::from_secs(9);

const TIMED_OUT: &str = "timed out waiting for AWS";

/// Whose login it is, by a verified state.
enum Login {
    Signed(Claims),
    /// Anyone can make a plain state; the operator accepts them.
    Plain(WaId),
}

/// A callback, and what its state says, which nothing has verified.
struct Arrived {
    callback: Callback,
    parsed: Result<State, InvalidState>,
}

impl From<Callback> for Arrived {
    fn from(callback: Callback) -> Self {
        Self { parsed: State::parse(callback.state.as_str()), callback }
    }
}

/// A callback that is in order.
struct Checked {
    answer: Answer,
    /// The code that the person has to send from the chat; with each where logins are confirmed there.
    chat_code: Option<ChatCode>,
}

/// A callback that is refused.
struct Refused<'a> {
    refusal: Refusal,
    login: &'a Login,
    /// Of the code that it brought, if any.
    code_sha256: Option<String>,
    request: Request<'a>,
}

impl Login {
    /// The attempt that an answer belongs to.
    fn attempt_id(&self, answer: &Answer, now: Timestamp) -> AttemptId {
        match (self, answer) {
            (Self::Signed(claims), _) => claims.attempt_id,
            (Self::Plain(_), Answer::Code(code)) => AttemptId::of_code(code),
            (Self::Plain(wa_id), Answer::Error(_)) => AttemptId::of_denial(wa_id, now),
        }
    }

    /// The cookies to set once the queue has the answer: with a code the browser's secret has served. Whoever said no may go
    /// back and say yes.
    fn served(&self, code_sha256: Option<&str>, chat_code: Option<&ChatCode>) -> Vec<String> {
        match (self, code_sha256) {
            (Self::Signed(claims), Some(code_sha256)) if claims.binding.is_some() => {
                let used = UsedLogin::of(claims.attempt_id).set_cookie(code_sha256, chat_code);
                vec![claims.cookie_name().clear(), used]
            }
            _ => Vec::new(),
        }
    }

    /// The number of its chat, as its pages show it. Of a plain state nobody knows who has made it.
    fn number(&self) -> Option<MaskedNumber> {
        match self {
            Self::Signed(claims) => claims.wa_id.masked_number(),
            Self::Plain(_) => None,
        }
    }
}

/// The receiver, ready for callbacks.
pub struct Receiver {
    config: Config,
    kms: Kms,
    queue: ExchangeQueue,
    keys: OnceCell<Vec<StateKey>>,
    clock: Clock,
}

impl Receiver {
    /// A receiver; nothing is fetched or opened yet.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock) -> Self {
        let queue = ExchangeQueue::new(aws, config.queue_url.clone());
        Self { config, kms: Kms::new(aws), queue, keys: OnceCell::new(), clock }
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
        self.keys.get_or_try_init(|| self.kms.state_keys(&self.config.states.key_ids)).await.map(Vec::as_slice)
    }

    /// Processes a callback, and logs one line about it.
    pub async fn handle(&self, event: &ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let request = Request::new(event);
        let started = (self.clock)();
        let arrived = Callback::read(request).map(Arrived::from);
        let address = if arrived.is_err() { PageAddress::read(request) } else { None };
        let language = self.language(request, arrived.as_ref().ok(), address.as_ref());
        let (reply, cookies) = match (arrived, address.and_then(|address| self.reloaded(request, &address))) {
            _ if request.is_head() => (Reply::Head, Vec::new()),
            (Ok(arrived), _) => self.process(request, arrived, started).await,
            (Err(_), Some(reloaded)) => (reloaded, Vec::new()),
            (Err(refusal), None) => (refusal.into(), Vec::new()),
        };
        let now = (self.clock)();
        let (result, attempt_id) = (reply.label(), reply.attempt_id().map(tracing::field::display));
        info!(result, attempt_id, duration_ms = millis(now.since(started)), "{}", reply.message());
        let meter = &self.config.meter;
        if reply.attempt_id().is_some() {
            let returned = Measurement::one(Metric::Logins, &[("Step", "returned")]);
            meter.record(now, &[Measurement::one(Metric::Callbacks, &[("Result", result)]), returned]);
        } else {
            meter.count(now, Metric::Callbacks, &[("Result", result)]);
        }
        let Config { brand, bot_phone_number, .. } = &self.config;
        let response =
            reply.to_response(request.wants_json(), Frame { brand, language, bot: bot_phone_number.as_ref() });
        Response { cookies, ..response }.into_event(request.is_head())
    }

    /// The language of the page: that of the link, as the state says, verified or not, or that of before; else what the browser
    /// asks for; else the operator's.
    fn language(&self, request: Request<'_>, arrived: Option<&Arrived>, address: Option<&PageAddress>) -> Language {
        let of_link = arrived.and_then(|arrived| match &arrived.parsed {
            Ok(State::Signed(state)) => state.unverified().link?.language,
            _ => None,
        });
        let of_before = address.and_then(|address| address.language);
        of_link.or(of_before).or_else(|| request.language()).unwrap_or(self.config.default_language)
    }

    /// Verifies whose login it is, and puts on the queue what the callback brings. Returns the cookies to set, too.
    async fn process(&self, request: Request<'_>, arrived: Arrived, now: Timestamp) -> (Reply, Vec<String>) {
        let deadline = Instant::now() + DEADLINE;
        let Arrived { callback: Callback { state, answer, issuer }, parsed } = arrived;
        let login = match timeout_at(deadline, self.verify_state(parsed)).await {
            Ok(Ok(login)) => login,
            Ok(Err(reply)) => return (reply, Vec::new()),
            Err(_) => {
                warn!("timed out fetching the public keys");
                return (Reply::Unavailable, Vec::new());
            }
        };
        let code_sha256 = answer.as_ref().ok().and_then(Answer::code_sha256);
        let message = |consent| ExchangeMessage { state, received_at: now, consent };
        let Checked { answer, chat_code } = match self.check(&login, answer, issuer.as_deref(), request, now) {
            Ok(checked) => checked,
            Err(refusal) => {
                let refused = Refused { refusal, login: &login, code_sha256, request };
                return (self.refuse(refused, message, deadline).await, Vec::new());
            }
        };
        let attempt_id = login.attempt_id(&answer, now);
        let consent = match answer {
            Answer::Code(code) => Consent::Granted { code, proof: chat_code.as_ref().map(ChatCode::proof) },
            Answer::Error(denial) => Consent::Denied(denial),
        };
        let cookies = login.served(code_sha256.as_deref(), chat_code.as_ref());
        let reply = match &consent {
            Consent::Denied(denial) if denial.error.is_access_denied() => Reply::Denied(attempt_id),
            Consent::Denied(_) => Reply::Failed(attempt_id),
            _ => Reply::Accepted(attempt_id, self.step(login.number(), chat_code)),
        };
        match timeout_at(deadline, self.queue.send(&message(consent))).await {
            Ok(Ok(())) => return (reply, cookies),
            Ok(Err(error)) => warn!(%attempt_id, %error, "callback not queued"),
            Err(_) => warn!(%attempt_id, error = TIMED_OUT, "callback not queued"),
        }
        (Reply::Unavailable, Vec::new())
    }

    /// What is left to do for the person of a login, whose chat has this number.
    fn step(&self, number: Option<MaskedNumber>, chat_code: Option<ChatCode>) -> Step {
        match (&self.config.proof, chat_code) {
            (Some(proof), Some(code)) => Step::Confirm(Confirmation { code, number, proof: proof.clone() }),
            _ => Step::Wait(number),
        }
    }

    /// The page of a login that this browser has finished, where it is loaded again: its script has removed the query. An earlier
    /// version's script left nothing, and what can be shown is the newest login's code.
    fn reloaded(&self, request: Request<'_>, address: &PageAddress) -> Option<Reply> {
        if let Some(attempt_id) = address.attempt_id {
            let used = UsedLogin::of(attempt_id).find(request.cookies(), None)?;
            return Some(Reply::Reloaded(attempt_id, self.step(None, used.chat_code)));
        }
        let (attempt_id, code) = UsedLogin::newest(request.cookies()).filter(|_| self.config.proof.is_some())?;
        Some(Reply::Reloaded(attempt_id, self.step(None, Some(code))))
    }

    /// Tells the exchanger that a callback with a genuine state is refused: the person waits for an answer in the chat.
    /// Where that fails a reload tries again.
    ///
    /// A browser that has finished its login has no secret any more. Its cookie about that decides whether this is a
    /// repetition, of which nobody hears, or one more approval, of which the chat does. It lets no code be exchanged.
    async fn refuse(
        &self,
        Refused { refusal, login, code_sha256, request }: Refused<'_>,
        message: impl FnOnce(Consent) -> ExchangeMessage,
        deadline: Instant,
    ) -> Reply {
        // A plain state proves nothing, so it gives nobody a reason to write to its chat.
        let Login::Signed(Claims { attempt_id, .. }) = login else { return refusal.into() };
        let may_have_finished = matches!(refusal, Refusal::WrongBrowser | Refusal::ExpiredState);
        let used = may_have_finished.then(|| UsedLogin::of(*attempt_id));
        let (reply, reason) = match used.and_then(|used| used.find(request.cookies(), code_sha256.as_deref())) {
            // The page of before, loaded again.
            Some(Used { with_this_code: true, chat_code }) => {
                return Reply::Repeated(*attempt_id, self.step(login.number(), chat_code));
            }
            // Whoever has said yes, and goes back and says no, gives nobody anything to tell.
            Some(_) if code_sha256.is_none() => return Reply::Used(*attempt_id, None),
            Some(Used { chat_code, .. }) => {
                let confirmation = match self.step(login.number(), chat_code) {
                    Step::Confirm(confirmation) => Some(confirmation),
                    Step::Wait(_) => None,
                };
                (Reply::Used(*attempt_id, confirmation), Reason::UsedLogin)
            }
            None => (Reply::Refused(refusal, Some(*attempt_id)), refusal.reason()),
        };
        let message = message(Consent::Refused { reason, code_sha256 });
        match timeout_at(deadline, self.queue.send_refusal(&message)).await {
            Ok(Ok(())) => return reply,
            Ok(Err(error)) => warn!(%attempt_id, %error, "refusal not queued"),
            Err(_) => warn!(%attempt_id, error = TIMED_OUT, "refusal not queued"),
        }
        Reply::Unavailable
    }

    /// Verifies that this stack made the state. It may have expired.
    async fn verify_state(&self, parsed: Result<State, InvalidState>) -> Result<Login, Reply> {
        match parsed.map_err(|_| Refusal::InvalidState)? {
            State::Plain(wa_id) => match self.config.states.policy {
                StatePolicy::AcceptPlain => Ok(Login::Plain(wa_id)),
                StatePolicy::Signed => Err(Refusal::InvalidState.into()),
            },
            State::Signed(state) => {
                let claims = match state.verify_signature(&self.config.states.keys) {
                    // The settings hold no key, or older ones.
                    Err(InvalidState::UnknownKey) => state.verify_signature(self.fetched_keys().await?),
                    claims => claims,
                };
                claims.map(Login::Signed).map_err(|_| Refusal::InvalidState.into())
            }
        }
    }

    /// The answer, if it came in time, to the right browser and from the right host.
    fn check(
        &self,
        login: &Login,
        answer: Result<Answer, Refusal>,
        issuer: Option<&str>,
        request: Request<'_>,
        now: Timestamp,
    ) -> Result<Checked, Refusal> {
        if matches!(login, Login::Signed(claims) if claims.have_expired(now)) {
            return Err(Refusal::ExpiredState);
        }
        let chat_code = self.check_browser(login, request)?;
        self.check_issuer(login, issuer)?;
        Ok(Checked { answer: answer?, chat_code })
    }

    /// The callback must come from the browser that pressed the button, whose secret the state has a hash of. Where logins
    /// are confirmed in their chat, the code for it is derived from that secret, and no callback goes without.
    fn check_browser(&self, login: &Login, request: Request<'_>) -> Result<Option<ChatCode>, Refusal> {
        let proof = self.config.proof.as_ref();
        let Login::Signed(claims @ Claims { attempt_id, binding: Some(binding), .. }) = login else {
            return if proof.is_some() { Err(Refusal::WrongBrowser) } else { Ok(None) };
        };
        let secret = BrowserSecret::find(request.cookies(), claims.cookie_name())
            .filter(|secret| secret.binding(*attempt_id).matches(binding));
        match (secret, proof, self.config.browser) {
            (Some(secret), proof, _) => Ok(proof.map(|_| secret.chat_code(*attempt_id))),
            (None, None, BrowserPolicy::Observe) => {
                warn!(%attempt_id, "callback from another browser, allowed by configuration");
                Ok(None)
            }
            (None, Some(_), _) | (None, None, BrowserPolicy::Enforce) => Err(Refusal::WrongBrowser),
        }
    }

    /// The issuer, where it is named, must not be another login host of ours (RFC 9207 §2.4). It may be the org's own
    /// domain, which nobody knows before the login.
    fn check_issuer(&self, login: &Login, issuer: Option<&str>) -> Result<(), Refusal> {
        let Some(issuer) = issuer else { return Ok(()) };
        let (expected, attempt_id) = match login {
            Login::Signed(claims) => (&claims.login_url, Some(tracing::field::display(claims.attempt_id))),
            Login::Plain(_) => (self.config.login_urls.default_url(), None),
        };
        match LoginUrl::from_str(issuer) {
            Ok(issuer) if issuer == *expected => Ok(()),
            Ok(issuer) if self.config.login_urls.contains(&issuer) => Err(Refusal::InvalidState),
            _ => {
                warn!(attempt_id, "the issuer is no login host of this stack, the callback is accepted");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_callback_is_answered_before_the_functions_timeout() {
        assert!(super::DEADLINE < fakes::template::timeout("CallbackReceiverFunction"));
    }
}
