//! What a dead letter is, and which ones an operator means. Pure.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    AttemptId, LoginUrl, Timestamp, WaId,
    exchange::{CODE_LIFETIME, Consent, ExchangeMessage},
};

use crate::report::{Table, a_while};

/// What a dead letter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// A code that Salesforce still takes.
    LiveCode,
    /// A code that is too old. Its person gets a fresh link by a redrive.
    DeadCode,
    /// A person's no.
    Denial,
    /// Tokens that wait to be stored. They have no age.
    SealedTokens,
    /// Something that is no exchange message.
    Unreadable,
}

impl Holds {
    /// As it is shown.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::LiveCode => "live code",
            Self::DeadCode => "dead code",
            Self::Denial => "denial",
            Self::SealedTokens => "sealed tokens",
            Self::Unreadable => "unreadable",
        }
    }

    /// Would its loss be somebody's consent?
    pub(super) const fn is_consent(self) -> bool {
        matches!(self, Self::LiveCode | Self::SealedTokens)
    }
}

/// A dead letter without the code or the tokens in it.
#[derive(Clone, Debug)]
pub(super) struct DeadLetter {
    /// The queue's name for it; a redrive gives another.
    pub(super) message_id: String,
    /// What it holds.
    pub(super) holds: Holds,
    /// What else stands in it; `None` where it cannot be read.
    pub(super) about: Option<About>,
    /// How old the callback is; of an unreadable one, the message.
    pub(super) age: Duration,
    /// What the attempt's record says, where there is one.
    pub(super) record: Option<Record>,
}

/// Whose consent it is.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// Of which attempt.
    pub(super) attempt_id: AttemptId,
    /// Of whose chat.
    pub(super) wa_id: WaId,
    /// When the callback came.
    pub(super) received_at: Timestamp,
    /// Where the person logged in.
    pub(super) login_url: LoginUrl,
}

/// What became of the attempt.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// Its status.
    pub(super) status: Option<String>,
    /// Why it is not connected.
    pub(super) reason: Option<String>,
    /// In Salesforce's word.
    pub(super) salesforce_error: Option<String>,
    /// How often its message was received.
    pub(super) receives: Option<u64>,
}

impl DeadLetter {
    /// Reads a message's body; nothing of an unreadable one is kept.
    pub(super) fn read(message_id: String, body: &str, sent_at: Option<Timestamp>, now: Timestamp) -> Self {
        let Ok(message) = ExchangeMessage::from_body(body) else {
            let age = sent_at.map(|at| now.since(at)).unwrap_or_default();
            return Self { message_id, holds: Holds::Unreadable, about: None, age, record: None };
        };
        let ExchangeMessage { attempt_id, wa_id, received_at, login_url, consent } = message;
        let age = now.since(received_at);
        let holds = match consent {
            Consent::Granted { .. } if age < CODE_LIFETIME => Holds::LiveCode,
            Consent::Granted { .. } => Holds::DeadCode,
            Consent::Denied { .. } => Holds::Denial,
            Consent::Traded { .. } => Holds::SealedTokens,
        };
        let about = Some(About { attempt_id, wa_id, received_at, login_url });
        Self { message_id, holds, about, age, record: None }
    }

    /// Which attempt it is about.
    pub(super) fn attempt_id(&self) -> Option<AttemptId> {
        self.about.as_ref().map(|about| about.attempt_id)
    }

    /// Why it is here, in one word.
    pub(super) fn reason(&self) -> &str {
        match self.holds {
            Holds::Unreadable => "unreadable",
            Holds::Denial => "denied",
            Holds::LiveCode | Holds::DeadCode | Holds::SealedTokens => {
                self.record.as_ref().and_then(|record| record.reason.as_deref()).unwrap_or("not recorded")
            }
        }
    }

    /// The letter, for programs: no code, no token, and the phone number masked.
    pub(super) fn json(&self) -> Value {
        let code_alive = match self.holds {
            Holds::LiveCode => Some(true),
            Holds::DeadCode => Some(false),
            Holds::Denial | Holds::SealedTokens | Holds::Unreadable => None,
        };
        let record = self.record.as_ref();
        let about = self.about.as_ref();
        json!({
            "message_id": self.message_id,
            "attempt_id": self.attempt_id(),
            "chat": about.map(|about| about.wa_id.masked()),
            "holds": self.holds.as_str(),
            "code_alive": code_alive,
            "sealed": self.holds == Holds::SealedTokens,
            "reason": self.reason(),
            "salesforce_error": record.and_then(|record| record.salesforce_error.as_deref()),
            "status": record.and_then(|record| record.status.as_deref()),
            "receives": record.and_then(|record| record.receives),
            "age_seconds": self.age.as_secs(),
            "received_at": about.map(|about| about.received_at.rfc3339()),
            "login_url": about.map(|about| about.login_url.as_str()),
        })
    }
}

pub(super) fn table(letters: &[DeadLetter]) -> String {
    let mut table = Table::with_head(["ATTEMPT", "CHAT", "HOLDS", "REASON", "AGE", "RECEIVES", "MESSAGE"]);
    for letter in letters {
        table.row([
            letter.attempt_id().map(|id| id.to_string()).unwrap_or_default(),
            letter.about.as_ref().map(|about| about.wa_id.masked()).unwrap_or_default(),
            letter.holds.as_str().to_owned(),
            letter.reason().to_owned(),
            a_while(letter.age),
            letter.record.as_ref().and_then(|record| record.receives).map(|n| n.to_string()).unwrap_or_default(),
            letter.message_id.clone(),
        ]);
    }
    table.text()
}

pub(super) fn json_of(letters: &[DeadLetter]) -> Vec<Value> {
    letters.iter().map(DeadLetter::json).collect()
}

/// Which dead letters are meant.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// Only codes that still live.
    pub(super) only_alive: bool,
    /// Only those with this reason.
    pub(super) reason: Option<String>,
    /// Also those that cannot be read, although no reason asks for them.
    pub(super) unreadable: bool,
}

impl Filter {
    /// Is this letter meant?
    pub(super) fn selects(&self, letter: &DeadLetter) -> bool {
        match &self.reason {
            _ if self.only_alive && letter.holds != Holds::LiveCode => false,
            Some(reason) => letter.reason() == reason,
            None => self.unreadable || letter.holds != Holds::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn letter(minutes_ago: u64, consent: &str) -> DeadLetter {
        let received_at = NOW.millis() - minutes_ago * 60_000;
        let body = format!(
            r#"{{"v":1,"attempt_id":"07070707070707070707070707070707","wa_id":"whatsapp:+15551234567",
                "received_at":{received_at},"login_url":"https://login.salesforce.com",{consent}}}"#
        );
        DeadLetter::read("m".to_owned(), &body, None, NOW)
    }

    fn coded(minutes_ago: u64) -> DeadLetter {
        letter(minutes_ago, r#""code":"aPrxSECRET==","pkce":true"#)
    }

    fn unreadable() -> DeadLetter {
        let sent_at = Timestamp::from_millis(NOW.millis() - 5_000);
        DeadLetter::read("m".to_owned(), "aPrxSECRET== +15551234567", Some(sent_at), NOW)
    }

    fn denied() -> DeadLetter {
        letter(60, r#""denied":"access_denied""#)
    }

    fn with_reason(reason: &str, letter: DeadLetter) -> DeadLetter {
        let record = Record { reason: Some(reason.to_owned()), ..Record::default() };
        DeadLetter { record: Some(record), ..letter }
    }

    #[test]
    fn a_code_lives_for_fourteen_minutes_after_its_callback() {
        assert_eq!(coded(0).holds, Holds::LiveCode);
        assert_eq!(coded(13).holds, Holds::LiveCode);
        assert_eq!(coded(14).holds, Holds::DeadCode);
    }

    #[test]
    fn a_denial_has_no_code_to_live_or_die() {
        assert_eq!((denied().holds, denied().reason()), (Holds::Denial, "denied"));
        assert_eq!(denied().json()["code_alive"], Value::Null);
    }

    #[test]
    fn an_unreadable_letter_has_an_age_and_nothing_else() {
        let letter = unreadable();
        assert_eq!(
            (letter.holds, letter.reason(), letter.age),
            (Holds::Unreadable, "unreadable", Duration::from_secs(5))
        );
        assert!(letter.about.is_none());
    }

    #[test]
    fn no_letter_shows_a_code_or_a_phone_number() {
        for letter in [coded(1), coded(20), denied(), unreadable()] {
            for shown in [letter.json().to_string(), format!("{letter:?}")] {
                assert!(!shown.contains("SECRET") && !shown.contains("1555123"), "{shown}");
            }
        }
    }

    #[test]
    fn the_reason_is_the_records() {
        assert_eq!(coded(1).reason(), "not recorded");
        assert_eq!(with_reason("misconfigured", coded(1)).reason(), "misconfigured");
    }

    #[test]
    fn what_cannot_be_read_is_meant_only_where_that_is_said() {
        let selects = |filter: &Filter| filter.selects(&unreadable());
        assert!(!selects(&Filter::default()));
        assert!(selects(&Filter { unreadable: true, ..Filter::default() }));
        assert!(selects(&Filter { reason: Some("unreadable".to_owned()), ..Filter::default() }));
        assert!(!selects(&Filter { only_alive: true, unreadable: true, ..Filter::default() }));
    }

    #[test]
    fn a_selection_is_by_life_and_reason_together() {
        let filter = Filter { only_alive: true, reason: Some("misconfigured".to_owned()), unreadable: false };
        assert!(filter.selects(&with_reason("misconfigured", coded(1))));
        assert!(!filter.selects(&with_reason("misconfigured", coded(20))));
        assert!(!filter.selects(&with_reason("salesforce_unavailable", coded(1))));
        assert!(Filter::default().selects(&coded(20)));
        assert!(!Filter { only_alive: true, ..Filter::default() }.selects(&denied()));
    }

    #[test]
    fn only_live_codes_and_sealed_tokens_are_somebodys_consent() {
        assert!(Holds::LiveCode.is_consent() && Holds::SealedTokens.is_consent());
        assert!(!Holds::DeadCode.is_consent() && !Holds::Denial.is_consent() && !Holds::Unreadable.is_consent());
    }
}
