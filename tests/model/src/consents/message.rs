//! The messages that a scenario's events make, and what the exchanger accepts of them: they are made, signed and
//! verified as the stack does it.

use std::{sync::LazyLock, time::Duration};

use fakes::aws::{state_key_pair, state_public_key};
use shared::{
    AttemptId, AuthorizationCode, LinkId, LoginUrl, LoginUrls, Reason, Timestamp, WaId,
    attempt::ledger::{Attempt, Delivery, DeliveryId},
    connection,
    exchange::{self, Body, Denial, DenialError, ExchangeMessage, Sealed, StateText},
    state::{Claims, LinkOrigin, StateKey},
    state_settings::StatePolicy,
};
use token_exchanger::message::{Message, Verifier};

use super::{
    rules::Broken,
    scenario::{Brings, Event, Forgery, START, Scenario},
};

/// The content of a message that comes of an event's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// The event's own.
    Own,
    /// The tokens of its code, sealed.
    Exchanged,
    /// The token with this number, to be revoked.
    Revoke(u8),
}

/// A message: of which event, with which content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Content {
    /// The event's number.
    pub event: u8,
    /// The content.
    pub form: Form,
}

/// What the exchanger accepts of a message.
#[derive(Debug)]
pub struct Verified {
    /// What it says of the attempt.
    pub attempt: Attempt<'static>,
    /// Its consent.
    pub consent: connection::Consent,
    /// The attempt's number.
    pub slot: usize,
    /// The chat is the other one.
    pub is_foreign: bool,
}

impl Verified {
    /// The same with this code.
    #[must_use]
    pub fn with_code(&self, code_sha256: Option<String>) -> Self {
        let Self { attempt, consent, slot, is_foreign } = self;
        let attempt = Attempt { code_sha256, ..attempt.clone() };
        Self { attempt, consent: *consent, slot: *slot, is_foreign: *is_foreign }
    }

    /// The next row for an approval that ends apart; there are so many attempts.
    #[must_use]
    pub fn apart(&self, attempts: usize) -> Self {
        let attempt = Attempt { id: self.attempt.id.of_second_approval(), ..self.attempt.clone() };
        Self { attempt, consent: self.consent, slot: self.slot + attempts, is_foreign: self.is_foreign }
    }
}

/// How much oftener a message is received than its code is tried.
pub const RESERVE: u8 = 3;

const STATE_LIFE: Duration = Duration::from_mins(20);
const CHAT: &str = "whatsapp:+15551234567";
const OTHER_CHAT: &str = "whatsapp:+15557654321";

/// The chat.
///
/// # Panics
/// Never: its address is well-formed.
#[must_use]
pub fn chat() -> &'static WaId {
    static WA_ID: LazyLock<Option<WaId>> = LazyLock::new(|| CHAT.parse().ok());
    let Some(wa_id) = &*WA_ID else { unreachable!("it is well-formed") };
    wa_id
}

/// The id of a delivery to the invocation with this number.
#[must_use]
pub fn delivery_id(number: u8) -> DeliveryId {
    DeliveryId::from_bytes([number; DeliveryId::LENGTH])
}

impl Scenario {
    /// What the exchanger accepts of each message that an event can lead to: its own, its sealed tokens, and tokens to
    /// revoke. The verification is the exchanger's own.
    #[must_use]
    pub fn verified(&self, broken: Broken) -> Vec<[Option<Verified>; 3]> {
        let forms = [Form::Own, Form::Exchanged, Form::Revoke(0)];
        (0..self.count()).map(|event| forms.map(|form| self.verify(Content { event, form }, broken))).collect()
    }

    /// The SHA-256 of the code of an event, be it one that the receiver refused.
    #[must_use]
    pub fn brings_code(&self, event: u8) -> Option<String> {
        let number = match self.events[usize::from(event)] {
            Event::Callback { brings: Brings::RefusedCode(code), .. } => Some(code),
            _ => self.code_of(event),
        };
        Some(authorization_code(number?)?.sha256())
    }

    fn verify(&self, content: Content, broken: Broken) -> Option<Verified> {
        let is_forged = matches!(self.events[usize::from(content.event)], Event::Forged(_));
        let message = self.message(content, is_forged && broken == Broken::ForgedAccepted)?;
        let key = StateKey::from_der(&state_public_key()).ok()?;
        let login_urls: LoginUrls = "https://login.salesforce.com".parse().ok()?;
        // Made once for each configuration, and kept to the end.
        let body: &'static Body = Box::leak(Box::new(Body::Current(message)));
        let door = Verifier {
            keys: &[key],
            policy: StatePolicy::Signed,
            login_urls: &login_urls,
            now: if broken == Broken::ForgedAccepted { Timestamp::from_millis(u64::MAX / 2) } else { Self::now(9) },
        };
        let verified: &'static Message<'static> = Box::leak(Box::new(door.verify(body).ok()?));
        let attempt = verified.attempt(Delivery { id: delivery_id(0), receives: 1, max_tries: self.tries.into() });
        let slot = self.attempts().iter().position(|number| id(*number) == attempt.id)?;
        let is_foreign = attempt.wa_id.as_str() != CHAT;
        Some(Verified { attempt, consent: verified.consent(), slot, is_foreign })
    }

    /// The message; a forgery that is to be accepted is signed.
    fn message(&self, Content { event, form }: Content, signed: bool) -> Option<ExchangeMessage> {
        let attempt = self.attempt_of(event)?;
        let (link, brings) = match self.events[usize::from(event)] {
            Event::Callback { link, brings, .. } => (link, brings),
            Event::Forged(Forgery::OtherChat(code) | Forgery::Time(code)) => (0, Brings::Code(code)),
            Event::Revoke | Event::BotRefresh => return None,
        };
        let sealed = Sealed { key: Vec::new(), data: Vec::new() };
        let code = self.code_of(event).and_then(authorization_code);
        let consent = match (form, brings) {
            (Form::Own, Brings::Code(_) | Brings::BogusCode(_)) => {
                exchange::Consent::Granted { code: code?, proof: None }
            }
            (Form::Own, Brings::Denied) => exchange::Consent::Denied(Denial {
                error: DenialError::from_untrusted("access_denied"),
                description: None,
            }),
            (Form::Own, Brings::Refused | Brings::RefusedCode(_)) => {
                let code_sha256 = self.brings_code(event);
                exchange::Consent::Refused { reason: Reason::UsedLogin, code_sha256 }
            }
            (Form::Exchanged, _) => exchange::Consent::Exchanged { code_sha256: code?.sha256(), sealed, proof: None },
            (Form::Revoke(_), _) => exchange::Consent::Revoke { attempt_id: id(attempt), sealed },
        };
        let mut received_at = Self::time_of(event);
        let mut life = STATE_LIFE;
        let mut wa_id = CHAT;
        match self.events[usize::from(event)] {
            Event::Forged(Forgery::Time(_)) => {
                received_at = Self::time_of(event).plus(STATE_LIFE);
                life = if signed { STATE_LIFE * 3 } else { life };
            }
            Event::Forged(Forgery::OtherChat(_)) if signed => wa_id = OTHER_CHAT,
            _ => {}
        }
        let claims = Claims {
            attempt_id: id(attempt),
            link: Some(LinkOrigin {
                link_id: LinkId::from_bytes([link; 16]),
                issued_at: self.link_time(link),
                has_reference: false,
                language: None,
            }),
            wa_id: wa_id.parse::<WaId>().ok()?,
            expires_at: Timestamp::from_millis(START).plus(life),
            login_url: "https://login.salesforce.com".parse::<LoginUrl>().ok()?,
            binding: None,
        };
        let mut text = sign(claims)?;
        if matches!(self.events[usize::from(event)], Event::Forged(Forgery::OtherChat(_))) {
            text = text.replace(CHAT, OTHER_CHAT);
        }
        Some(ExchangeMessage { state: StateText::new(text), received_at, consent })
    }
}

fn authorization_code(number: u8) -> Option<AuthorizationCode> {
    AuthorizationCode::parse(format!("code{number}==")).ok()
}

fn sign(claims: Claims) -> Option<String> {
    let unsigned = claims.unsigned(StateKey::from_der(&state_public_key()).ok()?.id());
    let signature = state_key_pair().sign(&unsigned.message());
    Some(unsigned.with_signature(signature.as_ref().try_into().ok()?))
}

fn id(attempt: u8) -> AttemptId {
    AttemptId::from_bytes([attempt + 1; 16])
}
