//! What a dead letter contains, and which ones an operator selects. Pure.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    AttemptId, LoginUrl, Timestamp, WaId,
    attempt::Item,
    custody::upkeep::Upkeep,
    exchange::{Body, CODE_LIFETIME, Consent, ExchangeMessage, version1},
    state::State,
};

use super::content::Content;
use crate::{
    records::Unreadable,
    report::{Table, duration_text},
};

/// A dead letter, without its code or tokens.
#[derive(Clone, Debug)]
pub(super) struct DeadLetter {
    /// SQS's id; a redrive assigns another.
    pub(super) message_id: String,
    pub(super) content: Content,
    /// The rest of an exchange message; `None` where it is unreadable, or upkeep.
    pub(super) about: Option<About>,
    /// The chat that upkeep is for.
    pub(super) kept_for: Option<WaId>,
    /// Since the callback; of an unreadable message, since it was sent.
    pub(super) age: Duration,
    /// The attempt, where there is one.
    pub(super) record: Option<Record>,
}

/// Whose consent it is, and when and where it was given.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) attempt_id: AttemptId,
    pub(super) wa_id: WaId,
    pub(super) received_at: Timestamp,
    /// `None` for a plain state, which names none.
    pub(super) login_url: Option<LoginUrl>,
}

/// What the attempt table says of the attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) status: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) salesforce_error: Option<String>,
    pub(super) receives: Option<u64>,
}

impl From<&Result<Item, Unreadable>> for Record {
    fn from(attempt: &Result<Item, Unreadable>) -> Self {
        let Ok(attempt) = attempt else {
            return Self { reason: Some(UNREADABLE_RECORD.to_owned()), ..Self::default() };
        };
        Self {
            status: attempt.status.clone(),
            reason: attempt.reason.clone(),
            salesforce_error: attempt.salesforce_error.clone(),
            receives: attempt.receives,
        }
    }
}

/// The reason of a dead letter whose attempt is not in the form that this stack writes.
const UNREADABLE_RECORD: &str = "attempt unreadable";

fn content(body: &Body, now: Timestamp) -> Content {
    let code =
        |received_at| if now.since(received_at) < CODE_LIFETIME { Content::LiveCode } else { Content::ExpiredCode };
    match body {
        Body::Current(ExchangeMessage { consent, received_at, .. }) => match consent {
            Consent::Granted { .. } => code(*received_at),
            Consent::Denied(_) => Content::Denial,
            Consent::Refused { .. } => Content::Refusal,
            Consent::Exchanged { .. } => Content::SealedTokens,
            Consent::Decided { .. } => Content::Decision,
            Consent::Revoke { .. } => Content::TokensToRevoke,
        },
        Body::Version1(message) => match message.content {
            // The exchanger exchanges none of this version.
            version1::Content::Code { .. } => Content::ExpiredCode,
            version1::Content::Denied { .. } => Content::Denial,
            version1::Content::Exchanged { .. } => Content::SealedTokens,
        },
    }
}

/// What the message says, unverified; the exchanger verifies it after a redrive.
fn about(body: Body) -> Option<About> {
    let ExchangeMessage { state, received_at, consent } = match body {
        Body::Current(message) => message,
        Body::Version1(message) => {
            let version1::Version1 { attempt_id, wa_id, received_at, login_url, .. } = message;
            return Some(About { attempt_id, wa_id, received_at, login_url: Some(login_url) });
        }
    };
    Some(match State::parse(state.as_str()).ok()? {
        State::Signed(state) => {
            let claims = state.unverified();
            let (wa_id, login_url) = (claims.wa_id.clone(), Some(claims.login_url.clone()));
            About { attempt_id: claims.attempt_id, wa_id, received_at, login_url }
        }
        State::Plain(wa_id) => {
            let attempt_id = match &consent {
                Consent::Granted { code, .. } => AttemptId::of_code(code),
                Consent::Exchanged { code_sha256, .. } | Consent::Decided { code_sha256, .. } => {
                    AttemptId::of_code_sha256(code_sha256)
                }
                Consent::Revoke { attempt_id, .. } => *attempt_id,
                Consent::Denied(_) | Consent::Refused { .. } => AttemptId::of_denial(&wa_id, received_at),
            };
            About { attempt_id, wa_id, received_at, login_url: None }
        }
    })
}

/// What upkeep it is, and for which chat.
fn upkeep(message: Upkeep) -> (Content, Option<WaId>) {
    match message {
        Upkeep::Sweep | Upkeep::Page(_) => (Content::Sweep, None),
        Upkeep::Refresh { wa_id } => (Content::Refresh, Some(wa_id)),
        Upkeep::Store { wa_id, .. } => (Content::RefreshedTokens, Some(wa_id)),
        Upkeep::Revoke(revoke) => (Content::TokensToRevoke, Some(revoke.wa_id)),
        Upkeep::Decide(message) => (Content::Decision, about(Body::Current(*message)).map(|about| about.wa_id)),
    }
}

impl DeadLetter {
    /// The chat, masked.
    fn chat(&self) -> Option<String> {
        self.about.as_ref().map(|about| &about.wa_id).or(self.kept_for.as_ref()).map(WaId::masked)
    }

    /// Whether its attempt's row could not be read.
    pub(super) fn has_unreadable_record(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.reason.as_deref() == Some(UNREADABLE_RECORD))
    }

    /// Parses a message's body; of an unreadable one it keeps nothing.
    pub(super) fn read(message_id: String, body: &str, sent_at: Option<Timestamp>, now: Timestamp) -> Self {
        let Some(about) = Body::parse(body).ok().and_then(|body| Some((content(&body, now), about(body)?))) else {
            let age = sent_at.map(|at| now.since(at)).unwrap_or_default();
            let (content, kept_for) = Upkeep::parse(body).map_or((Content::Unreadable, None), upkeep);
            return Self { message_id, content, about: None, kept_for, age, record: None };
        };
        let (content, about) = about;
        let age = now.since(about.received_at);
        Self { message_id, content, about: Some(about), kept_for: None, age, record: None }
    }

    pub(super) fn attempt_id(&self) -> Option<AttemptId> {
        self.about.as_ref().map(|about| about.attempt_id)
    }

    /// Why it was not exchanged: the attempt's reason, or what the message itself says.
    pub(super) fn reason(&self) -> &str {
        match self.content {
            Content::Unreadable => "unreadable",
            Content::Denial => "denied",
            Content::TokensToRevoke => "not revoked",
            Content::Decision => "not carried out",
            Content::RefreshedTokens => "not stored",
            Content::Sweep => "stopped",
            Content::Refresh => "not refreshed",
            Content::LiveCode | Content::ExpiredCode | Content::Refusal | Content::SealedTokens => {
                self.record.as_ref().and_then(|record| record.reason.as_deref()).unwrap_or("not recorded")
            }
        }
    }

    /// As JSON: no code, no token, and the phone number masked.
    pub(super) fn json(&self) -> Value {
        let code_alive = match self.content {
            Content::LiveCode => Some(true),
            Content::ExpiredCode => Some(false),
            Content::Denial
            | Content::Refusal
            | Content::SealedTokens
            | Content::Decision
            | Content::TokensToRevoke
            | Content::RefreshedTokens
            | Content::Sweep
            | Content::Refresh
            | Content::Unreadable => None,
        };
        let record = self.record.as_ref();
        let about = self.about.as_ref();
        json!({
            "message_id": self.message_id,
            "attempt_id": self.attempt_id(),
            "chat": self.chat(),
            "holds": self.content.as_str(),
            "code_alive": code_alive,
            "sealed": matches!(
                self.content,
                Content::SealedTokens | Content::RefreshedTokens | Content::TokensToRevoke
            ),
            "reason": self.reason(),
            "salesforce_error": record.and_then(|record| record.salesforce_error.as_deref()),
            "status": record.and_then(|record| record.status.as_deref()),
            "receives": record.and_then(|record| record.receives),
            "age_seconds": self.age.as_secs(),
            "received_at": about.map(|about| about.received_at.rfc3339()),
            "login_url": about.and_then(|about| about.login_url.as_ref()).map(LoginUrl::as_str),
        })
    }
}

pub(super) fn table(letters: &[DeadLetter]) -> String {
    let mut table = Table::with_header(["ATTEMPT", "CHAT", "CONTENT", "REASON", "AGE", "RECEIVES", "MESSAGE"]);
    for letter in letters {
        table.row([
            letter.attempt_id().map(|id| id.to_string()).unwrap_or_default(),
            letter.chat().unwrap_or_default(),
            letter.content.as_str().to_owned(),
            letter.reason().to_owned(),
            duration_text(letter.age),
            letter.record.as_ref().and_then(|record| record.receives).map(|n| n.to_string()).unwrap_or_default(),
            letter.message_id.clone(),
        ]);
    }
    table.text()
}

pub(super) fn json_of(letters: &[DeadLetter]) -> Vec<Value> {
    letters.iter().map(DeadLetter::json).collect()
}

/// Which dead letters are selected.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// Only unexpired codes.
    pub(super) only_alive: bool,
    /// Only those with this reason.
    pub(super) reason: Option<String>,
    /// Also unreadable ones, if no reason is given.
    pub(super) unreadable: bool,
}

impl Filter {
    pub(super) fn selects(&self, letter: &DeadLetter) -> bool {
        match &self.reason {
            _ if self.only_alive && letter.content != Content::LiveCode => false,
            Some(reason) => letter.reason() == reason,
            None => self.unreadable || letter.content != Content::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn letter(minutes_ago: u64, consent: &str) -> DeadLetter {
        let received_at = NOW.millis() - minutes_ago * 60_000;
        let body = format!(r#"{{"v":2,"state":"wa:whatsapp:+15551234567","received_at":{received_at},{consent}}}"#);
        DeadLetter::read("m".to_owned(), &body, None, NOW)
    }

    fn coded(minutes_ago: u64) -> DeadLetter {
        letter(minutes_ago, r#""code":"aPrxSECRET==""#)
    }

    fn unreadable() -> DeadLetter {
        let sent_at = Timestamp::from_millis(NOW.millis() - 5_000);
        DeadLetter::read("m".to_owned(), "aPrxSECRET== +15551234567", Some(sent_at), NOW)
    }

    fn denied() -> DeadLetter {
        letter(60, r#""denied":{"error":"access_denied"}"#)
    }

    fn with_reason(reason: &str, letter: DeadLetter) -> DeadLetter {
        let record = Record { reason: Some(reason.to_owned()), ..Record::default() };
        DeadLetter { record: Some(record), ..letter }
    }

    #[test]
    fn a_code_lives_for_fourteen_minutes_after_its_callback() {
        assert_eq!(coded(0).content, Content::LiveCode);
        assert_eq!(coded(13).content, Content::LiveCode);
        assert_eq!(coded(14).content, Content::ExpiredCode);
    }

    #[test]
    fn a_denial_has_no_code_that_could_expire() {
        assert_eq!((denied().content, denied().reason()), (Content::Denial, "denied"));
        assert_eq!(denied().json()["code_alive"], Value::Null);
    }

    #[test]
    fn an_unreadable_dead_letter_has_only_an_age() {
        let letter = unreadable();
        assert_eq!(
            (letter.content, letter.reason(), letter.age),
            (Content::Unreadable, "unreadable", Duration::from_secs(5))
        );
        assert!(letter.about.is_none());
    }

    #[test]
    fn no_dead_letter_shows_a_code_or_a_phone_number() {
        for letter in [coded(1), coded(20), denied(), unreadable()] {
            for shown in [letter.json().to_string(), format!("{letter:?}")] {
                assert!(!shown.contains("SECRET") && !shown.contains("1555123"), "{shown}");
            }
        }
    }

    fn kept(what: &str) -> DeadLetter {
        DeadLetter::read("m".to_owned(), &format!(r#"{{"v":1,{what}}}"#), Some(NOW), NOW)
    }

    #[test]
    fn upkeep_is_shown_by_its_kind_and_masked_chat() {
        let store = r#""store":{"wa_id":"whatsapp:+15551234567","tokens":"sealed:v1:SECRET"}"#;
        let revoke = r#""revoke":{"wa_id":"whatsapp:+15551234567","token":"sealed:v1:SECRET","hosts":[]}"#;
        let refresh = r#""refresh":{"wa_id":"whatsapp:+15551234567"}"#;
        for (what, holds, reason, has_chat) in [
            (store, "refreshed tokens", "not stored", true),
            (revoke, "tokens to revoke", "not revoked", true),
            (refresh, "refresh", "not refreshed", true),
            (r#""sweep":{}"#, "sweep", "stopped", false),
        ] {
            let json = kept(what).json();
            assert_eq!((&json["holds"], &json["reason"]), (&Value::from(holds), &Value::from(reason)));
            assert_eq!(json["chat"].is_string(), has_chat, "{holds}");
            let shown = format!("{json} {:?} {}", kept(what), table(&[kept(what)]));
            assert!(!shown.contains("SECRET") && !shown.contains("1555123"), "{shown}");
        }
    }

    #[test]
    fn a_decision_on_held_tokens_is_kept_and_does_not_show_the_hash_of_its_code() {
        let proof = "A".repeat(43);
        let received_at = NOW.millis() - 60_000;
        let body = format!(
            r#"{{"v":3,"state":"wa:whatsapp:+15551234567","received_at":{received_at},
                "decided":{{"proof":"{proof}","code_sha256":"ab"}}}}"#
        );
        let letter = DeadLetter::read("m".to_owned(), &body, None, NOW);
        let json = letter.json();
        assert_eq!((&json["holds"], &json["reason"]), (&json!("decision on held tokens"), &json!("not carried out")));
        assert_eq!((&json["code_alive"], &json["sealed"]), (&Value::Null, &json!(false)));
        assert!(letter.content.is_needed());
        let shown = format!("{json} {letter:?} {}", table(std::slice::from_ref(&letter)));
        assert!(!shown.contains(&proof) && !shown.contains("1555123"), "{shown}");
    }

    #[test]
    fn a_stopped_sweep_is_not_needed_and_refreshed_tokens_are() {
        assert!(Content::RefreshedTokens.is_needed() && !Content::Sweep.is_needed() && !Content::Refresh.is_needed());
    }

    #[test]
    fn the_reason_is_the_attempts() {
        assert_eq!(coded(1).reason(), "not recorded");
        assert_eq!(with_reason("misconfigured", coded(1)).reason(), "misconfigured");
    }

    #[test]
    fn a_dead_letter_is_listed_even_where_its_attempt_is_unreadable() {
        let foreign = Err(Unreadable { key: "07".to_owned(), why: "attempt unreadable: no status".to_owned() });
        let letter = DeadLetter { record: Some(Record::from(&foreign)), ..coded(1) };
        assert!(letter.has_unreadable_record() && letter.content == Content::LiveCode);
        assert_eq!(letter.reason(), "attempt unreadable");
    }

    #[test]
    fn unreadable_messages_are_selected_only_on_request() {
        let selects = |filter: &Filter| filter.selects(&unreadable());
        assert!(!selects(&Filter::default()));
        assert!(selects(&Filter { unreadable: true, ..Filter::default() }));
        assert!(selects(&Filter { reason: Some("unreadable".to_owned()), ..Filter::default() }));
        assert!(!selects(&Filter { only_alive: true, unreadable: true, ..Filter::default() }));
    }

    #[test]
    fn a_filter_combines_expiry_and_reason() {
        let filter = Filter { only_alive: true, reason: Some("misconfigured".to_owned()), unreadable: false };
        assert!(filter.selects(&with_reason("misconfigured", coded(1))));
        assert!(!filter.selects(&with_reason("misconfigured", coded(20))));
        assert!(!filter.selects(&with_reason("salesforce_unavailable", coded(1))));
        assert!(Filter::default().selects(&coded(20)));
        assert!(!Filter { only_alive: true, ..Filter::default() }.selects(&denied()));
    }

    #[test]
    fn only_live_codes_and_tokens_are_needed() {
        for needed in [Content::LiveCode, Content::SealedTokens, Content::TokensToRevoke] {
            assert!(needed.is_needed(), "{needed:?}");
        }
        assert!(!Content::ExpiredCode.is_needed() && !Content::Denial.is_needed() && !Content::Unreadable.is_needed());
    }
}
