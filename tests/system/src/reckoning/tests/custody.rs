//! Connections that live on and end, and each way of breaking what is promised of them.

use serde_json::{Value, json};

use super::*;

/// Connected, and refreshed twice.
const LIVES: &str = "whatsapp:+15550000004";
/// Connected, and disconnected.
const LEFT: &str = "whatsapp:+15550000005";
const OVER: &str = "Your account is no longer connected. Open this link:";
/// After so many seconds the second one's connection ends.
const END: u64 = 600;

/// Beside the others somebody has a connection that is refreshed, and somebody disconnects.
fn kept() -> Soak {
    let mut soak = Soak::kept();
    let (one, other) = (login("fourth", "mary", Brought::Consent, 0), login("fifth", "jean", Brought::Consent, 0));
    soak.people.extend([person(LIVES, vec![one]), person(LEFT, vec![other])]);
    for (chat, attempt, user) in [(LIVES, "fourth", "mary"), (LEFT, "fifth", "jean")] {
        soak.evidence.attempts.push(item(chat, attempt, 0, json!({"status": {"S": "connected"}})));
        let (asked, answered) = (
            json!({"code_sha256": sha256(&format!("code {attempt}"))}),
            json!({"access_token_sha256": sha256(attempt), "refresh_token_sha256": sha256(&format!("refresh {attempt}"))}),
        );
        soak.push("salesforce.token", record(Some(chat), BEGAN, asked, answered));
        soak.message(chat, CONNECTED, 0);
        soak.event(chat, attempt, "connected", 0, json!({"type": "created", "message": "sent"}));
        soak.evidence.grants.push(grant(chat, attempt, user, true));
    }
    soak.refresh("refresh fourth", "second");
    soak.refresh("second", "third");
    soak.grant_of("fourth")["refresh_token_sha256"] = sha256("third").into();
    let row = json!({"wa_id": {"S": LIVES}, "attempt_id": {"S": "fourth"}, "refresh_token": {"S": "third"},
        "sealed": {"BOOL": true}, "consented_at": {"N": (BEGAN + 50).to_string()}});
    soak.evidence.rows.push(row);

    soak.people[3].ends.push(Planned { reason: "disconnected", span: span(END) });
    soak.grant_of("fifth")["alive"] = false.into();
    soak.ended(LEFT, "fifth", "disconnected");
    soak.evidence.asked.extend([asked(LIVES, 200), asked(LEFT, 409)]);
    soak
}

impl Soak {
    fn refresh(&mut self, used: &str, new: &str) {
        let body = json!({"refresh_token_sha256": sha256(new)});
        let mut record = record(Some(LIVES), BEGAN + 1_000, json!({"refresh_token_sha256": sha256(used)}), body);
        record["verdict"] = "rotated".into();
        self.push("salesforce.refresh", record);
    }

    fn grant_of(&mut self, attempt: &str) -> &mut Value {
        let code = sha256(&format!("code {attempt}"));
        self.evidence.grants.iter_mut().find(|grant| grant["code_sha256"] == *code).unwrap()
    }

    fn row(&mut self, chat: &str) -> &mut Value {
        self.evidence.rows.iter_mut().find(|row| row["wa_id"]["S"] == *chat).unwrap()
    }

    fn record_of_end(&mut self) -> &mut Value {
        self.evidence.attempts.iter_mut().find(|item| item["status"]["S"] == "ended").unwrap()
    }

    fn event_of_end(&mut self) -> &mut Value {
        let events = self.records("bot.events").iter_mut();
        let mut bodies = events.map(|record| &mut record["asked"]["body"]);
        bodies.find(|body| body["data"]["reason"] == "disconnected" || body["data"]["reason"] == "expired").unwrap()
    }

    fn asked(&mut self, chat: &str, status: u16) {
        let found = self.evidence.asked.iter_mut().find(|asked| asked.chat == chat).unwrap();
        *found = asked(chat, status);
    }

    /// The connection ends, the chat and the bot are told, and the bot learns of it when it asks.
    fn ended(&mut self, chat: &str, attempt: &str, reason: &str) {
        let at = BEGAN + END * 1_000 + 50;
        let id = format!("end of {attempt}");
        self.evidence.attempts.push(json!({"wa_id": {"S": chat}, "attempt_id": {"S": id}, "status": {"S": "ended"},
            "reason": {"S": reason}, "connected_by": {"S": attempt}, "updated_at": {"N": at.to_string()},
            "notified_at": {"N": (at + 90).to_string()}}));
        self.evidence.rows.retain(|row| row["wa_id"]["S"] != *chat);
        self.evidence.rows.push(json!({"wa_id": {"S": chat}, "attempt_id": {"S": attempt}, "end_id": {"S": id},
            "ended_at": {"N": at.to_string()}, "ended_reason": {"S": reason}}));
        let link = format!("http://x/connect/{attempt}");
        self.message(chat, &format!("{OVER}\n{link}"), END);
        let kind = if reason == "disconnected" { "connection.revoked" } else { "connection.expired" };
        let data = json!({"attempt_id": attempt, "message": "sent", "reason": reason, "next": "relink",
            "user_message": OVER, "relink_url": link});
        let body = json!({"id": format!("evt_{id}_ended_{at}"), "type": kind, "subject": chat, "data": data});
        self.push("bot.events", record(Some(chat), at + 50, body, json!({})));
    }

    /// The connection that lives ends: so says Salesforce.
    fn expired(&mut self) {
        self.ended(LIVES, "fourth", "expired");
        self.asked(LIVES, 409);
    }
}

/// The promises that are broken once this has happened.
fn broken(happens: impl FnOnce(&mut Soak)) -> Vec<Promise> {
    let mut soak = kept();
    happens(&mut soak);
    soak.reckon().broken.into_keys().collect()
}

#[test]
fn connections_that_are_kept_and_ended_on_purpose_break_no_promise() {
    let reckoning = kept().reckon();
    assert!(reckoning.is_good(), "{reckoning}");
    assert_eq!((reckoning.totals.rotations, reckoning.totals.ended, reckoning.totals.lost_with_process), (2, 1, 0));
}

#[test]
fn a_connection_that_ends_though_nobody_wanted_it_is_lost() {
    let ended = |soak: &mut Soak| {
        soak.expired();
        soak.grant_of("fourth")["alive"] = false.into();
        soak.grant_of("fourth")["ended"] = "revoked".into();
    };
    assert_eq!(broken(ended), [Promise::Kept]);
}

#[test]
fn a_connection_that_an_administrator_revokes_may_end() {
    let revoked = |soak: &mut Soak| {
        soak.expired();
        soak.grant_of("fourth")["alive"] = false.into();
        soak.grant_of("fourth")["ended"] = "administrator".into();
        soak.people[2].ends.push(Planned { reason: "expired", span: span(END - 60) });
    };
    assert_eq!(broken(revoked), []);
}

#[test]
fn a_connection_that_ends_before_anybody_wants_it_is_lost() {
    let early = |soak: &mut Soak| soak.people[3].ends[0].span = span(END + 60);
    assert!(broken(early).contains(&Promise::Kept));
}

#[test]
fn a_disconnect_that_nobody_asked_for_is_lost() {
    assert_eq!(broken(|soak| soak.people[3].ends.clear()), [Promise::Kept]);
}

#[test]
fn an_end_with_another_reason_than_the_true_one_is_noticed() {
    let other = |soak: &mut Soak| {
        soak.record_of_end()["reason"]["S"] = "user_inactive".into();
        let event = soak.event_of_end();
        event["data"]["reason"] = "user_inactive".into();
        event["type"] = "connection.expired".into();
    };
    assert_eq!(broken(other), [Promise::Kept]);
}

#[test]
fn a_connection_whose_new_token_died_with_its_process_ends_and_is_counted() {
    let lost = |soak: &mut Soak| {
        soak.expired();
        soak.records("salesforce.refresh")[1]["answered"] = Value::Null;
    };
    assert_eq!(broken(lost), []);
    let mut soak = kept();
    lost(&mut soak);
    assert_eq!(soak.reckon().totals.lost_with_process, 1);
    let revoked_later = |soak: &mut Soak| {
        lost(soak);
        soak.grant_of("fourth")["ended"] = "administrator".into();
        soak.people[2].ends.push(Planned { reason: "expired", span: span(END + 60) });
    };
    assert_eq!(broken(revoked_later), []);
    let unlost = |soak: &mut Soak| {
        revoked_later(soak);
        soak.records("salesforce.refresh").pop();
    };
    assert!(broken(unlost).contains(&Promise::Kept), "an administrator who comes later explains no end");
}

#[test]
fn a_lost_answer_to_another_connections_refresh_explains_no_end() {
    let others = |soak: &mut Soak| {
        soak.expired();
        soak.refresh("another's", "lost");
        soak.records("salesforce.refresh")[2]["answered"] = Value::Null;
    };
    assert_eq!(broken(others), [Promise::NoOrphans, Promise::Kept]);
}

#[test]
fn a_rotated_token_that_is_not_stored_is_noticed() {
    let lost = |soak: &mut Soak| soak.row(LIVES)["refresh_token"]["S"] = "second".into();
    assert_eq!(broken(lost), [Promise::LatestRow, Promise::NoOrphans]);
}

#[test]
fn a_connection_without_a_token_for_whoever_asks_is_lost() {
    for status in [503, 409, 404] {
        assert_eq!(broken(|soak| soak.asked(LIVES, status)), [Promise::Kept], "{status}");
    }
    assert_eq!(broken(|soak| soak.evidence.asked.clear()), [Promise::Kept]);
}

#[test]
fn a_dead_token_that_is_handed_out_is_noticed() {
    let dead = |soak: &mut Soak| soak.evidence.asked.iter_mut().for_each(|asked| asked.works = false);
    assert_eq!(broken(dead), [Promise::Kept]);
}

#[test]
fn a_token_of_a_connection_that_has_ended_is_noticed() {
    assert_eq!(broken(|soak| soak.asked(LEFT, 200)), [Promise::Kept]);
}

#[test]
fn an_end_without_a_record_is_silent() {
    let unrecorded = |soak: &mut Soak| {
        soak.evidence.attempts.retain(|item| item["status"]["S"] != "ended");
        soak.records("bot.events").pop();
    };
    assert!(broken(unrecorded).contains(&Promise::EndsTold));
    let without_id = |soak: &mut Soak| {
        unrecorded(soak);
        soak.row(LEFT).as_object_mut().unwrap().remove("end_id");
    };
    assert!(broken(without_id).contains(&Promise::EndsTold));
}

#[test]
fn an_end_of_which_the_bot_hears_nothing_is_silent() {
    assert!(broken(|soak| drop(soak.records("bot.events").pop())).contains(&Promise::EndsTold));
    assert!(broken(|soak| soak.on_bus = |bus| drop(bus.pop())).contains(&Promise::EndsTold));
}

#[test]
fn an_end_of_which_the_chat_hears_nothing_is_silent() {
    assert_eq!(broken(|soak| drop(soak.records("twilio.messages").pop())), [Promise::EndsTold]);
}

#[test]
fn an_end_without_a_way_back_is_noticed() {
    assert_eq!(broken(|soak| soak.event_of_end()["data"]["relink_url"] = Value::Null), [Promise::EndsTold]);
}

#[test]
fn an_end_that_is_withheld_is_silent_unless_the_chat_has_connected_again() {
    let withheld = |soak: &mut Soak| {
        soak.records("twilio.messages").pop();
        soak.event_of_end()["data"]["message"] = "withheld".into();
    };
    assert_eq!(broken(withheld), [Promise::EndsTold]);
    let replaced = |soak: &mut Soak| {
        withheld(soak);
        soak.record_of_end()["replaced_at"] = json!({"N": "1"});
    };
    assert_eq!(broken(replaced), []);
}

#[test]
fn an_end_that_the_bot_hears_of_after_the_chat_has_connected_again_is_told_in_other_words() {
    let in_other_words =
        |soak: &mut Soak| soak.event_of_end()["data"]["user_message"] = "An earlier one has ended.".into();
    assert_eq!(broken(in_other_words), [Promise::EndsTold]);
    let replaced = |soak: &mut Soak| {
        in_other_words(soak);
        soak.record_of_end()["replaced_at"] = json!({"N": "1"});
    };
    assert_eq!(broken(replaced), []);
    let unsent = |soak: &mut Soak| {
        replaced(soak);
        soak.records("twilio.messages").pop();
    };
    assert_eq!(broken(unsent), [Promise::EndsTold]);
    let pending = |soak: &mut Soak| {
        unsent(soak);
        soak.event_of_end()["data"]["message"] = "pending".into();
    };
    assert_eq!(broken(pending), []);
}

#[test]
fn an_answer_that_was_waited_for_explains_no_end() {
    for (took, is_explained) in [(14_000, false), (16_000, true)] {
        let slow = |soak: &mut Soak| {
            soak.expired();
            let refreshes = soak.records("salesforce.refresh");
            refreshes[1]["asked"]["at_ms"] = (BEGAN + 100_000).into();
            refreshes[1]["at_ms"] = (BEGAN + 100_000 + took).into();
        };
        assert_eq!(broken(slow).contains(&Promise::Kept), !is_explained, "{took}");
        let beside_another = |soak: &mut Soak| {
            slow(soak);
            soak.records("salesforce.refresh")[0]["asked"]["at_ms"] = (BEGAN + 90_000).into();
        };
        assert!(!broken(beside_another).contains(&Promise::Kept), "{took}");
    }
}

#[test]
fn an_end_that_is_not_marked_as_told_is_noticed() {
    let unmarked = |soak: &mut Soak| drop(soak.record_of_end().as_object_mut().unwrap().remove("notified_at"));
    assert_eq!(broken(unmarked), [Promise::EndsTold]);
}

#[test]
fn an_end_that_is_told_twice_is_noticed() {
    let again = |soak: &mut Soak| {
        let mut event = soak.records("bot.events").pop().unwrap();
        soak.records("bot.events").push(event.clone());
        let id = event["asked"]["body"]["id"].as_str().unwrap().to_owned();
        event["asked"]["body"]["id"] = format!("{id}9").into();
        soak.records("bot.events").push(event);
    };
    assert_eq!(broken(again), [Promise::EndsTold]);
    assert_eq!(broken(|soak| soak.message(LEFT, &format!("{OVER}\nhttp://x"), END + 1)), [Promise::ToldOnce]);
}

#[test]
fn an_end_that_is_told_as_another_kind_is_noticed() {
    assert_eq!(broken(|soak| soak.event_of_end()["type"] = "connection.expired".into()), [Promise::EndsTold]);
}

#[test]
fn an_end_that_is_told_and_is_none_is_noticed() {
    let none = |soak: &mut Soak| {
        let data = json!({"attempt_id": "fourth", "message": "withheld", "reason": "expired"});
        let body = json!({"id": "evt_nothing_ended_1", "type": "connection.expired", "subject": LIVES, "data": data});
        soak.push("bot.events", record(Some(LIVES), BEGAN, body, json!({})));
    };
    assert_eq!(broken(none), [Promise::EndsTold]);
}

#[test]
fn a_row_of_a_consent_before_the_disconnect_is_stale() {
    let resurrected = |soak: &mut Soak| {
        soak.grant_of("fifth")["alive"] = true.into();
        soak.evidence.rows.retain(|row| row["wa_id"]["S"] != *LEFT);
        soak.evidence.rows.push(json!({"wa_id": {"S": LEFT}, "attempt_id": {"S": "fifth"},
            "refresh_token": {"S": "refresh fifth"}, "consented_at": {"N": (BEGAN + 50).to_string()}}));
        soak.asked(LEFT, 200);
    };
    assert_eq!(broken(resurrected), [Promise::LatestRow]);
}

#[test]
fn a_consent_after_the_end_that_is_not_in_the_row_is_stale() {
    let later = |soak: &mut Soak| {
        soak.people[3].logins[0].arrivals[0].span = span(END + 60);
    };
    assert!(broken(later).contains(&Promise::LatestRow));
}

#[test]
fn a_family_that_the_stack_has_revoked_by_using_a_token_twice_is_noticed() {
    for verdict in ["reused", "family_revoked"] {
        let again = |soak: &mut Soak| {
            soak.refresh("second", "nothing");
            let record = soak.records("salesforce.refresh").last_mut().unwrap();
            record["verdict"] = verdict.into();
        };
        assert_eq!(broken(again), [Promise::UsedOnce], "{verdict}");
    }
    assert_eq!(broken(|soak| soak.grant_of("fifth")["ended"] = "reuse".into()), [Promise::UsedOnce]);
}

#[test]
fn a_connection_that_ends_because_a_token_was_used_twice_is_lost() {
    let reused = |soak: &mut Soak| {
        soak.expired();
        soak.grant_of("fourth")["alive"] = false.into();
        soak.grant_of("fourth")["ended"] = "reuse".into();
        soak.refresh("second", "nothing");
        soak.records("salesforce.refresh")[2]["verdict"] = "family_revoked".into();
    };
    assert_eq!(broken(reused), [Promise::Kept, Promise::UsedOnce]);
    // A family of which nobody can have presented a used token.
    let unknown = |soak: &mut Soak| {
        reused(soak);
        soak.records("salesforce.refresh").pop();
    };
    assert_eq!(broken(unknown), [Promise::Kept, Promise::UsedOnce]);
}

#[test]
fn a_token_whose_successor_is_lost_is_presented_when_it_can_come_no_more_and_no_sooner() {
    let presented_after = |minutes: u64| {
        move |soak: &mut Soak| {
            soak.expired();
            soak.records("salesforce.refresh")[1]["answered"] = Value::Null;
            soak.grant_of("fourth")["alive"] = false.into();
            soak.grant_of("fourth")["ended"] = "reuse".into();
            soak.refresh("second", "nothing");
            let again = &mut soak.records("salesforce.refresh")[2];
            again["verdict"] = "family_revoked".into();
            again["asked"]["at_ms"] = (BEGAN + 1_000 + minutes * 60_000).into();
        }
    };
    assert_eq!(broken(presented_after(20)), []);
    assert_eq!(broken(presented_after(19)), [Promise::Kept, Promise::UsedOnce]);
    let turned = |soak: &mut Soak| {
        presented_after(2)(soak);
        soak.evidence.turned_at = Some(BEGAN + 60_000);
    };
    assert_eq!(broken(turned), []);
    let mut soak = kept();
    turned(&mut soak);
    let Totals { lost_with_process, revoked_in_vain, .. } = soak.reckon().totals;
    assert_eq!((lost_with_process, revoked_in_vain), (1, 1));
}

#[test]
fn a_refresh_token_that_is_not_sealed_is_noticed() {
    assert_eq!(broken(|soak| soak.row(LIVES)["sealed"]["BOOL"] = false.into()), [Promise::Hidden]);
}

#[test]
fn a_token_in_the_logs_is_noticed() {
    for token in ["5Aep861abc", "00D5g00000Engne!AQabc", "eyJhbGciOiJSUzI1NiJ9.e30.abc", "sealed:v1:a:b:c"] {
        let seen = Seen { place: "the logs", text: format!("refreshed {token}") };
        assert_eq!(broken(|soak| soak.evidence.seen.push(seen)), [Promise::Hidden], "{token}");
    }
    let seen = Seen { place: "the logs", text: "connection not refreshed".to_owned() };
    assert_eq!(broken(|soak| soak.evidence.seen.push(seen)), []);
}

#[test]
fn a_token_among_the_dead_letters_is_noticed() {
    assert!(broken(|soak| soak.evidence.untold.push("5Aep861abc".to_owned())).contains(&Promise::Hidden));
}

#[test]
fn what_is_left_on_the_upkeep_queue_is_noticed() {
    let left = |text: &'static str| move |soak: &mut Soak| soak.evidence.upkeep.push(text.to_owned());
    assert_eq!(broken(left(r#"{"v":1,"refresh":{}}"#)), [Promise::RightDeadLetters]);
    assert_eq!(broken(left("sealed:v1:a:b:c")), [Promise::RightDeadLetters, Promise::Hidden]);
}

#[test]
fn tokens_of_somebody_whom_salesforce_shuts_out_are_no_orphans() {
    let shut_out = |reason: &'static str| {
        move |soak: &mut Soak| {
            soak.people[2].excuses.reasons.insert("user_inactive");
            soak.ended(LIVES, "fourth", reason);
            soak.asked(LIVES, 409);
        }
    };
    assert_eq!(broken(shut_out("user_inactive")), []);
    assert_eq!(broken(shut_out("expired")), [Promise::NoOrphans, Promise::Kept]);
}

#[test]
fn ends_do_not_count_as_failures_with_which_a_chat_is_pestered() {
    let ends = |soak: &mut Soak| {
        for number in 0..4 {
            let id = format!("end {number}");
            let at = BEGAN + END * 1_000 + 50 - number;
            soak.evidence.attempts.push(
                json!({"wa_id": {"S": LEFT}, "attempt_id": {"S": id}, "status": {"S": "ended"},
                "reason": {"S": "disconnected"}, "connected_by": {"S": "fifth"}, "updated_at": {"N": at.to_string()},
                "notified_at": {"N": at.to_string()}}),
            );
            let data = json!({"attempt_id": "fifth", "message": "sent", "reason": "disconnected", "next": "relink",
                "user_message": OVER, "relink_url": "http://x/connect/1"});
            let body = json!({"id": format!("evt_{id}_ended_{at}"), "type": "connection.revoked", "subject": LEFT, "data": data});
            soak.push("bot.events", record(Some(LEFT), at, body, json!({})));
            soak.message(LEFT, &format!("{OVER}\nhttp://x/connect/1"), END);
        }
    };
    assert_eq!(broken(ends), []);
}
