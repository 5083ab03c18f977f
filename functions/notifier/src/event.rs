//! The bot's event for an outcome. Pure.

use shared::bot::{
    CloudEvent,
    event::{Connected, Data, Ended as EndedConnection, MessageStatus, NotConnected},
};
use shared::{Next, Reason, attempt::Outcome};

use crate::outcome::Ended;

/// The event for an outcome. Its id is the same each time that this outcome is reported; but a message
/// that turns out to be undeliverable makes another event, with another id.
pub(crate) fn event<'a>(
    ended: &'a Ended,
    message: MessageStatus,
    user_message: &'a str,
    relink_url: Option<&'a str>,
) -> CloudEvent<'a> {
    let (attempt_id, link_id, wa_id) = (ended.key.attempt_id, ended.link_id, &ended.wa_id);
    let (reference, language) = (ended.reference.as_ref(), ended.language);
    let not_connected = |reason: Reason, salesforce_error: Option<&'a str>, next: Option<Next>| NotConnected {
        attempt_id,
        link_id,
        reference,
        language,
        wa_id,
        message,
        reason,
        salesforce_error,
        user_message,
        next,
        relink_url,
    };
    let data = match &ended.outcome {
        Outcome::Connected { account, renewed } => {
            let connected = Connected {
                attempt_id,
                link_id,
                reference,
                language,
                wa_id,
                message,
                username: account.username.as_deref(),
                org_id: &account.org_id,
                instance_url: &account.instance_url,
                scope: account.scope.as_deref(),
            };
            if *renewed { Data::Renewed(connected) } else { Data::Created(connected) }
        }
        Outcome::Failed { reason, salesforce_error } => {
            let data = not_connected(*reason, salesforce_error.as_deref(), reason.next());
            if *reason == Reason::Unconfirmed { Data::Unconfirmed(data) } else { Data::Failed(data) }
        }
        Outcome::Delayed { reason } => Data::Delayed(not_connected(*reason, None, Some(Next::Wait))),
        Outcome::Ended(end) => {
            let data = EndedConnection {
                attempt_id: end.connected_by,
                link_id,
                reference,
                language,
                wa_id,
                message,
                reason: end.reason,
                username: end.username.as_deref(),
                org_id: end.org_id.as_deref(),
                instance_url: end.instance_url.as_deref(),
                user_message,
                next: end.next(),
                relink_url,
            };
            if end.reason.is_by_salesforce() { Data::Expired(data) } else { Data::Revoked(data) }
        }
    };
    let suffix = match message {
        MessageStatus::Undeliverable => "_undeliverable",
        MessageStatus::Unknown => "_unknown",
        MessageStatus::Sent | MessageStatus::Pending | MessageStatus::Withheld | MessageStatus::Off => "",
    };
    CloudEvent::new(format!("evt_{}{suffix}", ended.key), ended.key.updated_at, data)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use shared::attempt::EndReason;

    use super::*;
    use crate::outcome::tests::ended;

    fn body(changes: Value, message: MessageStatus, relink_url: Option<&str>) -> Value {
        serde_json::to_value(event(&ended(changes), message, "What to do.", relink_url)).unwrap()
    }

    #[test]
    fn a_connection_is_reported_with_its_account() {
        assert_eq!(
            body(json!({}), MessageStatus::Sent, None),
            json!({
                "specversion": "1.0",
                "id": "evt_07070707070707070707070707070707_connected_1790000000123",
                "source": "whatsapp-salesforce-connect",
                "type": "connection.created",
                "subject": "whatsapp:+15551234567",
                "time": "2026-09-21T14:13:20.123Z",
                "datacontenttype": "application/json",
                "data": {
                    "attempt_id": "07070707070707070707070707070707",
                    "wa_id": "whatsapp:+15551234567",
                    "message": "sent",
                    "username": "ada@example.com",
                    "org_id": "00D000000000001",
                    "instance_url": "https://acme.my.salesforce.com",
                    "scope": "api refresh_token",
                },
            })
        );
        assert_eq!(body(json!({"renewed": true}), MessageStatus::Off, None)["type"], "connection.renewed");
    }

    #[test]
    fn a_failure_says_why_and_what_helps() {
        let failed = json!({"status": "failed", "reason": "denied", "salesforce_error": "access_denied"});
        let event = body(failed, MessageStatus::Pending, Some("https://example.com/connect/abc"));
        assert_eq!(event["type"], "connection.failed");
        assert_eq!(event["id"], "evt_07070707070707070707070707070707_failed_1790000000123");
        assert_eq!(
            event["data"],
            json!({
                "attempt_id": "07070707070707070707070707070707",
                "wa_id": "whatsapp:+15551234567",
                "message": "pending",
                "reason": "denied",
                "salesforce_error": "access_denied",
                "user_message": "What to do.",
                "next": "relink",
                "relink_url": "https://example.com/connect/abc",
            })
        );
    }

    #[test]
    fn a_login_whose_code_never_came_has_a_type_of_its_own() {
        let unconfirmed = json!({"status": "failed", "reason": "unconfirmed"});
        let event = body(unconfirmed, MessageStatus::Sent, Some("https://example.com/connect/abc"));
        assert_eq!(event["type"], "connection.unconfirmed");
        assert_eq!(event["id"], "evt_07070707070707070707070707070707_failed_1790000000123");
        assert_eq!(event["data"]["reason"], "unconfirmed");
        assert_eq!(event["data"]["next"], "relink");
        assert_eq!(event["data"]["relink_url"], "https://example.com/connect/abc");
    }

    #[test]
    fn a_code_from_another_chat_is_a_failure_that_nothing_helps_with() {
        let event = body(json!({"status": "failed", "reason": "wrong_chat"}), MessageStatus::Sent, None);
        assert_eq!(event["type"], "connection.failed");
        assert_eq!(event["data"]["reason"], "wrong_chat");
        assert_eq!(event["data"].get("next"), None);
    }

    #[test]
    fn a_delay_says_to_wait() {
        let event = body(json!({"status": "delayed", "reason": "misconfigured"}), MessageStatus::Sent, None);
        assert_eq!(event["type"], "connection.delayed");
        assert_eq!(event["data"]["reason"], "misconfigured");
        assert_eq!(event["data"]["next"], "wait");
        assert_eq!(event["data"].get("relink_url"), None);
    }

    #[test]
    fn an_end_names_the_connection_that_ended_and_not_its_own_record() {
        let connected_by = "0a".repeat(16);
        let end = json!({"status": "ended", "reason": "revoked", "connected_by": connected_by});
        let event = body(end, MessageStatus::Sent, Some("https://example.com/connect/abc"));
        assert_eq!(event["type"], "connection.revoked");
        assert_eq!(event["id"], "evt_07070707070707070707070707070707_ended_1790000000123");
        assert_eq!(event["time"], "2026-09-21T14:13:20.123Z");
        assert_eq!(
            event["data"],
            json!({
                "attempt_id": connected_by,
                "wa_id": "whatsapp:+15551234567",
                "message": "sent",
                "reason": "revoked",
                "username": "ada@example.com",
                "org_id": "00D000000000001",
                "instance_url": "https://acme.my.salesforce.com",
                "user_message": "What to do.",
                "next": "relink",
                "relink_url": "https://example.com/connect/abc",
            })
        );
    }

    #[test]
    fn every_event_gives_the_bot_its_reference_back() {
        for outcome in [
            json!({}),
            json!({"renewed": true}),
            json!({"status": "failed", "reason": "denied"}),
            json!({"status": "failed", "reason": "superseded"}),
            json!({"status": "delayed", "reason": "misconfigured"}),
            json!({"status": "ended", "reason": "disconnected"}),
            json!({"status": "ended", "reason": "expired"}),
        ] {
            let mut changes = outcome.clone();
            changes["reference"] = "Zoë 🦀/42".into();
            for message in MessageStatus::ALL {
                assert_eq!(body(changes.clone(), message, None)["data"]["reference"], "Zoë 🦀/42", "{outcome}");
            }
            assert_eq!(body(outcome, MessageStatus::Sent, None)["data"].get("reference"), None);
        }
    }

    #[test]
    fn every_event_says_the_language_that_the_link_asked_for() {
        for outcome in [
            json!({}),
            json!({"status": "failed", "reason": "denied"}),
            json!({"status": "delayed", "reason": "misconfigured"}),
            json!({"status": "ended", "reason": "disconnected"}),
        ] {
            let mut changes = outcome.clone();
            changes["language"] = "pt-BR".into();
            assert_eq!(body(changes, MessageStatus::Sent, None)["data"]["language"], "pt-BR", "{outcome}");
            let mut unknown = outcome.clone();
            unknown["language"] = "xx".into();
            for without in [outcome, unknown] {
                assert_eq!(body(without, MessageStatus::Sent, None)["data"].get("language"), None);
            }
        }
    }

    #[test]
    fn who_ended_a_connection_decides_on_the_type_of_the_event() {
        for reason in EndReason::ALL {
            let event = body(json!({"status": "ended", "reason": reason}), MessageStatus::Sent, None);
            let kind = if reason.is_by_salesforce() { "connection.expired" } else { "connection.revoked" };
            assert_eq!((&event["type"], &event["data"]["reason"]), (&json!(kind), &json!(reason)));
        }
    }

    #[test]
    fn an_undeliverable_message_changes_the_events_id() {
        let event = body(json!({}), MessageStatus::Undeliverable, None);
        assert_eq!(event["id"], "evt_07070707070707070707070707070707_connected_1790000000123_undeliverable");
        assert_eq!(event["data"]["message"], "undeliverable");
    }

    #[test]
    fn a_token_in_the_item_does_not_reach_the_event() {
        let leaked = json!({"access_token": "00Dx!LEAK", "refresh_token": "LEAK", "code_sha256": "LEAK"});
        assert!(!body(leaked, MessageStatus::Sent, None).to_string().contains("LEAK"));
    }
}
