//! A message whose state was verified: whose login it is, and what it brings.
//!
//! Whoever can write to the queue can put any words there. So nothing that a message says of a chat is trusted but what
//! its state proves: the signature is verified here again, with the public keys, and the callback's time has to lie in the
//! state's life.

use std::time::Duration;

use shared::{
    AttemptId, AuthorizationCode, Language, LinkId, LoginUrl, LoginUrls, Reason, Timestamp, WaId,
    attempt::{
        attr,
        ledger::{Attempt, Delivery},
    },
    conditional_write::{Attributes, Value},
    connection::{CLOCK_SKEW, Consent},
    exchange::{self, Body, Denial, ExchangeMessage, Sealed, StateText, Version1, version1},
    proof::ChatProof,
    state::{InvalidState, SignedState, State, StateKey},
    state_settings::StatePolicy,
};

/// The longest life of a state: the greatest `LinkLifetimeMinutes`. States of version 1 say only when they end.
const MAX_STATE_LIFE: Duration = Duration::from_hours(24);

/// A message whose state was verified.
pub struct Message<'a> {
    pub(crate) attempt_id: AttemptId,
    pub(crate) link_id: Option<LinkId>,
    /// The link, where it has a reference for the outcome to take over.
    pub(crate) reference_of: Option<LinkId>,
    /// The language of the link, where it has one.
    language: Option<Language>,
    link_issued_at: Option<Timestamp>,
    is_plain: bool,
    pub(crate) wa_id: WaId,
    pub(crate) login_url: LoginUrl,
    pub(crate) received_at: Timestamp,
    /// To send another message of the same login; `None` with version 1.
    pub(crate) state: Option<&'a StateText>,
    pub(crate) content: Content<'a>,
}

/// What a message brings.
pub(crate) enum Content<'a> {
    /// A code to exchange.
    Granted {
        code: &'a AuthorizationCode,
        /// Whether the authorization request had a PKCE challenge.
        pkce: bool,
        /// The hash of the code that the chat has to send first.
        proof: Option<&'a ChatProof>,
    },
    /// A code of version 1, which nothing proves to be this chat's. It is never exchanged.
    Unproven { code_sha256: &'a str },
    /// The person, or Salesforce, refused.
    Denied { error: &'a exchange::DenialError, description: Option<&'a str> },
    /// The receiver refused the callback.
    Refused {
        reason: Reason,
        /// Of the code that it brought, if any. Nothing proves it to be this login's, and it is never exchanged.
        code_sha256: Option<&'a str>,
    },
    /// Tokens to store.
    Exchanged { code_sha256: &'a str, sealed: &'a Sealed, proof: Option<&'a ChatProof> },
    /// It is decided what becomes of tokens that are held, or it is time to.
    Decided { proof: &'a ChatProof, code_sha256: &'a str },
    /// Tokens to revoke.
    Revoke {
        /// The attempt that they are sealed for.
        attempt_id: AttemptId,
        sealed: &'a Sealed,
    },
}

/// Why a message is not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// The state proves nothing.
    #[error(transparent)]
    State(#[from] InvalidState),
    /// Anyone can make a plain state.
    #[error("plain states are not accepted")]
    Plain,
    /// Before the state was made, after it expired, or ahead of the clock.
    #[error("the callback's time is outside the state's life")]
    Time,
}

/// What states are verified with.
pub struct Verifier<'a> {
    /// The public keys of this stack.
    pub keys: &'a [StateKey],
    /// Whether plain states are accepted.
    pub policy: StatePolicy,
    /// The login hosts; a plain state names none.
    pub login_urls: &'a LoginUrls,
    /// The exchanger's clock.
    pub now: Timestamp,
}

impl Verifier<'_> {
    /// Verifies a message of either version.
    ///
    /// # Errors
    /// [`Forged`]. [`InvalidState::UnknownKey`] may mean that there are keys which are not in the settings.
    pub fn verify<'a>(&self, body: &'a Body) -> Result<Message<'a>, Forged> {
        let message = match body {
            Body::Current(message) => match State::parse(message.state.as_str())? {
                State::Signed(state) => self.signed(message, &state)?,
                State::Plain(wa_id) if self.policy == StatePolicy::AcceptPlain => self.plain(message, wa_id),
                State::Plain(_) => return Err(Forged::Plain),
            },
            Body::Version1(message) => version1(message),
        };
        // No clock runs ahead of ours by more than that, and a time far ahead would win over every later consent.
        if message.received_at > self.now.plus(CLOCK_SKEW) { Err(Forged::Time) } else { Ok(message) }
    }

    fn signed<'a>(&self, message: &'a ExchangeMessage, state: &SignedState) -> Result<Message<'a>, Forged> {
        let claims = state.verify_signature(self.keys)?;
        let received_at = message.received_at;
        let content = Content::of(&message.consent, true);
        let earliest = match &claims.link {
            Some(link) => link.issued_at,
            None => claims.expires_at.minus(MAX_STATE_LIFE),
        };
        let in_time = received_at < claims.expires_at || matches!(content, Content::Refused { .. });
        if received_at < earliest || !in_time {
            return Err(Forged::Time);
        }
        let has_outcome = !matches!(content, Content::Revoke { .. });
        Ok(Message {
            attempt_id: claims.attempt_id,
            link_id: claims.link.map(|link| link.link_id),
            reference_of: claims.link.filter(|link| link.has_reference && has_outcome).map(|link| link.link_id),
            language: claims.link.and_then(|link| link.language),
            link_issued_at: claims.link.map(|link| link.issued_at),
            is_plain: false,
            wa_id: claims.wa_id,
            login_url: claims.login_url,
            received_at,
            state: Some(&message.state),
            content,
        })
    }

    fn plain<'a>(&self, message: &'a ExchangeMessage, wa_id: WaId) -> Message<'a> {
        let received_at = message.received_at;
        // The older system's links have no challenge, and Salesforce refuses a verifier then.
        let content = Content::of(&message.consent, false);
        let attempt_id = match &content {
            Content::Granted { code, .. } => AttemptId::of_code(code),
            Content::Exchanged { code_sha256, .. }
            | Content::Decided { code_sha256, .. }
            | Content::Unproven { code_sha256 } => AttemptId::of_code_sha256(code_sha256),
            Content::Revoke { attempt_id, .. } => *attempt_id,
            Content::Denied { .. } | Content::Refused { .. } => AttemptId::of_denial(&wa_id, received_at),
        };
        Message {
            attempt_id,
            link_id: None,
            reference_of: None,
            language: None,
            link_issued_at: None,
            is_plain: true,
            wa_id,
            login_url: self.login_urls.default_url().clone(),
            received_at,
            state: Some(&message.state),
            content,
        }
    }
}

/// A denial is treated as a plain state's, which messages nobody, until [`Message::is_known_by`]. A code is a consent, whose
/// person must hear of it.
fn version1(message: &Version1) -> Message<'_> {
    let Version1 { attempt_id, wa_id, received_at, login_url, content } = message;
    let is_plain = match content {
        version1::Content::Code { is_plain, .. } => *is_plain,
        version1::Content::Denied { .. } => true,
        version1::Content::Exchanged { .. } => false,
    };
    Message {
        attempt_id: *attempt_id,
        link_id: None,
        reference_of: None,
        language: None,
        link_issued_at: None,
        is_plain,
        wa_id: wa_id.clone(),
        login_url: login_url.clone(),
        received_at: *received_at,
        state: None,
        content: match content {
            version1::Content::Code { code_sha256, .. } => Content::Unproven { code_sha256 },
            version1::Content::Denied { error } => Content::Denied { error, description: None },
            version1::Content::Exchanged { code_sha256, sealed } => {
                Content::Exchanged { code_sha256, sealed, proof: None }
            }
        },
    }
}

impl<'a> Content<'a> {
    fn of(consent: &'a exchange::Consent, pkce: bool) -> Self {
        match consent {
            exchange::Consent::Granted { code, proof } => Self::Granted { code, pkce, proof: proof.as_ref() },
            exchange::Consent::Denied(Denial { error, description }) => {
                Self::Denied { error, description: description.as_ref().map(exchange::Description::as_str) }
            }
            exchange::Consent::Refused { reason, code_sha256 } => {
                Self::Refused { reason: *reason, code_sha256: code_sha256.as_deref() }
            }
            exchange::Consent::Exchanged { code_sha256, sealed, proof } => {
                Self::Exchanged { code_sha256, sealed, proof: proof.as_ref() }
            }
            exchange::Consent::Decided { proof, code_sha256 } => Self::Decided { proof, code_sha256 },
            exchange::Consent::Revoke { attempt_id, sealed } => Self::Revoke { attempt_id: *attempt_id, sealed },
        }
    }
}

impl Message<'_> {
    /// What the message says of its attempt.
    #[must_use]
    pub fn attempt(&self, delivery: Delivery) -> Attempt<'_> {
        let code_sha256 = match &self.content {
            Content::Granted { code, .. } => Some(code.sha256()),
            Content::Exchanged { code_sha256, .. }
            | Content::Decided { code_sha256, .. }
            | Content::Unproven { code_sha256 } => Some((*code_sha256).to_owned()),
            Content::Denied { .. } | Content::Refused { .. } | Content::Revoke { .. } => None,
        };
        Attempt {
            id: self.attempt_id,
            link_id: self.link_id,
            reference: None,
            language: self.language,
            is_plain: self.is_plain,
            wa_id: &self.wa_id,
            login_url: &self.login_url,
            code_sha256,
            received_at: self.received_at,
            delivery,
        }
    }

    /// Whether nothing in it says whether it began with a plain state: a denial of version 1.
    pub(crate) fn is_unproven(&self) -> bool {
        self.state.is_none() && matches!(self.content, Content::Denied { .. })
    }

    /// The attempt's row says that this chat's login began, and is no plain state's: then the chat may be messaged.
    pub(crate) fn is_known_by(&mut self, item: &Attributes) {
        let is_this_chats = item.get(attr::WA_ID).and_then(Value::as_text) == Some(self.wa_id.as_str());
        self.is_plain = !is_this_chats || item.contains_key(attr::PLAIN);
    }

    /// The hash of the code that the chat has to send before the tokens are stored.
    pub(crate) fn proof(&self) -> Option<&ChatProof> {
        match self.content {
            Content::Granted { proof, .. } | Content::Exchanged { proof, .. } => proof,
            Content::Decided { proof, .. } => Some(proof),
            _ => None,
        }
    }

    /// The consent, as far as its order among the chat's is concerned.
    #[must_use]
    pub fn consent(&self) -> Consent {
        Consent { attempt_id: self.attempt_id, at: self.received_at, link_issued_at: self.link_issued_at }
    }

    /// How long its code can still be tried; zero once it has expired.
    pub(crate) fn code_time_left(&self, now: Timestamp) -> Duration {
        exchange::code_time_left(self.received_at, now)
    }

    /// Whether its code is too old to be tried.
    pub(crate) fn code_has_expired(&self, now: Timestamp) -> bool {
        self.code_time_left(now).is_zero()
    }
}
