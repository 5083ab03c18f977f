//! Events as a rule of the bot's bus meets them: one for each that people's logins can make, told apart by what a bot
//! acts on (type, reason, what helps, whether the person knows). Pure.

use serde_json::{Value, json};
use shared::{
    AttemptId, Language, LinkId, Reason, Reference, Timestamp, WaId,
    attempt::EndReason,
    bot::{
        CloudEvent,
        event::{Connected, Data, Ended, MessageStatus, NotConnected},
    },
};

const SOURCE: &str = "whatsapp-salesforce-connect";
const ATTEMPT: AttemptId = AttemptId::from_bytes([7; 16]);
const LINK: LinkId = LinkId::from_bytes([10; 16]);
const USERNAME: &str = "ada@example.com";
const ORG: &str = "00D000000000001";
const INSTANCE: &str = "https://acme.my.salesforce.com";
const TEXT: &str = "A text for the person.";
const RELINK: &str = "https://abc.execute-api.us-east-1.amazonaws.com/connect/link";

/// Whose events they are.
struct Whose {
    wa_id: WaId,
    reference: Reference,
}

/// What `EventBridge` gives a rule of the bus in this Region to match, of events that this account puts there.
pub(super) fn examples(account: &str, region: &str, now: Timestamp) -> Vec<Value> {
    let (Ok(wa_id), Ok(reference)) = ("whatsapp:+15551234567".parse(), "crm/contacts/4711".parse()) else {
        return Vec::new();
    };
    let whose = Whose { wa_id, reference };
    let data = MessageStatus::ALL.into_iter().flat_map(|message| whose.data(message));
    let of = |data: Data<'_>| {
        let event = CloudEvent::new("evt_1".to_owned(), now, data);
        json!({
            "version": "0", "id": "1", "source": SOURCE, "account": account, "region": region, "time": now.rfc3339(),
            "resources": [], "detail": event,
        })
    };
    let with_type = |mut event: Value| {
        event["detail-type"] = event["detail"]["type"].clone();
        event
    };
    data.map(of).map(with_type).collect()
}

impl Whose {
    fn data(&self, message: MessageStatus) -> Vec<Data<'_>> {
        let not = |reason| self.not_connected(message, reason);
        let delays = [Reason::Misconfigured, Reason::SalesforceUnavailable];
        let failures = Reason::ALL.into_iter().filter(|reason| *reason != Reason::Unconfirmed);
        let revoked = [EndReason::Revoked, EndReason::Disconnected];
        let expired = EndReason::ALL.into_iter().filter(|reason| !revoked.contains(reason));
        [Data::Created(self.connected(message)), Data::Renewed(self.connected(message))]
            .into_iter()
            .chain(delays.into_iter().map(|reason| Data::Delayed(not(reason))))
            .chain(failures.map(|reason| Data::Failed(not(reason))))
            .chain([Data::Unconfirmed(not(Reason::Unconfirmed))])
            .chain(revoked.into_iter().map(|reason| Data::Revoked(self.ended(message, reason))))
            .chain(expired.map(|reason| Data::Expired(self.ended(message, reason))))
            .collect()
    }

    const fn connected(&self, message: MessageStatus) -> Connected<'_> {
        Connected {
            attempt_id: ATTEMPT,
            link_id: Some(LINK),
            reference: Some(&self.reference),
            language: Some(Language::English),
            wa_id: &self.wa_id,
            message,
            username: Some(USERNAME),
            org_id: ORG,
            instance_url: INSTANCE,
            scope: Some("api refresh_token"),
        }
    }

    const fn not_connected(&self, message: MessageStatus, reason: Reason) -> NotConnected<'_> {
        NotConnected {
            attempt_id: ATTEMPT,
            link_id: Some(LINK),
            reference: Some(&self.reference),
            language: Some(Language::English),
            wa_id: &self.wa_id,
            message,
            reason,
            salesforce_error: Some("access_denied"),
            user_message: TEXT,
            next: reason.next(),
            relink_url: Some(RELINK),
        }
    }

    const fn ended(&self, message: MessageStatus, reason: EndReason) -> Ended<'_> {
        Ended {
            attempt_id: Some(ATTEMPT),
            link_id: Some(LINK),
            reference: Some(&self.reference),
            language: Some(Language::English),
            wa_id: &self.wa_id,
            message,
            reason,
            username: Some(USERNAME),
            org_id: Some(ORG),
            instance_url: Some(INSTANCE),
            user_message: TEXT,
            next: Some(reason.next()),
            relink_url: Some(RELINK),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use shared::bot::event::EventType;

    use super::*;

    /// What tells events apart: the fields that a bot acts on.
    fn of_bots(event: &Value) -> [String; 4] {
        let data = &event["data"];
        [&event["type"], &data["reason"], &data["next"], &data["message"]].map(Value::to_string)
    }

    #[test]
    fn a_rule_is_tested_with_every_type_but_that_of_a_test() {
        let examples = examples("123456789012", "eu-west-1", Timestamp::from_millis(0));
        let types: BTreeSet<_> = examples.iter().map(|event| event["detail-type"].as_str().unwrap()).collect();
        assert_eq!(types.len(), EventType::ALL.len() - 1);
        assert!(!types.contains(EventType::Test.as_str()));
        assert!(examples.iter().all(|event| event["region"] == "eu-west-1" && event["account"] == "123456789012"));
    }

    /// The contract's samples are what the notifier makes.
    #[test]
    fn a_rule_is_tested_with_what_bots_are_sent_and_with_every_field_of_it() {
        let examples = examples("123456789012", "eu-west-1", Timestamp::from_millis(0));
        let known: BTreeSet<_> = examples.iter().map(|event| of_bots(&event["detail"])).collect();
        let fields = |event: &Value| event["data"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let samples = include_str!("../../../../../tests/contract/samples/bus.jsonl").lines();
        for sample in samples.map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            assert!(known.contains(&of_bots(&sample["detail"])), "{sample}");
            let of_type = examples.iter().find(|event| event["detail-type"] == sample["detail-type"]).unwrap();
            assert!(fields(&of_type["detail"]).is_superset(&fields(&sample["detail"])), "{sample}");
        }
    }
}
