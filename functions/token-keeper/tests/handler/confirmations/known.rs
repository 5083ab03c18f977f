//! Codes of logins that wait for them, or have waited.

use super::*;

#[tokio::test]
async fn the_links_own_chat_confirms_its_login_and_the_exchanger_hears_of_it() {
    let world = World::holding().await;
    let answer = world.confirm(CHAT, "Confirmation code: K7PW-4MXR").await;
    assert_eq!((answer.status_code, &body(&answer)["status"]), (200, &json!("confirmed")));
    assert!(said(&answer).starts_with("Thank you, that is the right code."));
    assert_eq!(world.sender(CODE), CHAT);
    let [message] = &world.told()[..] else { panic!("one message") };
    assert_eq!((message.state.as_str(), message.received_at), ("the state", NOW));
    let Consent::Decided { proof: of, code_sha256 } = &message.consent else { panic!("{message:?}") };
    assert_eq!((of, &**code_sha256), (&proof(CODE), "sha256"));
    assert_eq!(world.asked_salesforce(), 0);
    assert_eq!(world.row(), Value::Null, "nothing is connected here");
}

#[tokio::test]
async fn a_chat_is_answered_in_the_language_of_the_link() {
    let world = World::start().await;
    hold_row(&world.tables, &held_in(Some(Language::Hindi), in_ten_minutes()));
    let answer = world.confirm(CHAT, CODE).await;
    assert_eq!(said(&answer), texts::CODE_CONFIRMED.text(Language::Hindi));
}

#[tokio::test]
async fn another_chat_is_warned_in_the_language_of_the_page_that_shows_the_code() {
    let world = World::start().await;
    hold_row(&world.tables, &held_in(Some(Language::Arabic), in_ten_minutes()));
    let answer = world.confirm(OTHER_CHAT, CODE).await;
    assert_eq!(said(&answer), texts::CODE_WRONG_CHAT.text(Language::Arabic));
}

#[tokio::test]
async fn a_right_code_is_no_guess() {
    let world = World::holding().await;
    assert_eq!(world.answer(CHAT, CODE).await, ok());
    assert_eq!(world.guesses(CHAT), 0);
    assert_eq!(world.server.operations(), ["UpdateItem", "UpdateItem", "SendMessage", "UpdateItem", "GetItem"]);
}

#[tokio::test]
async fn a_code_is_read_as_people_send_it() {
    for text in ["k7pw4mxr", "my code is K7PW 4MXR!", "_K7PW–4MXR_", "\u{200e}K7PW-4MXR\n"] {
        let world = World::holding().await;
        assert_eq!(world.answer(CHAT, text).await, ok(), "{text}");
    }
}

#[tokio::test]
async fn a_repetition_is_answered_alike_and_changes_nothing() {
    let world = World::holding().await;
    let first = world.confirm(CHAT, CODE).await;
    let row = world.tables.item(PENDING, proof(CODE).as_str());
    assert_eq!(body(&world.confirm(CHAT, CODE).await), body(&first));
    assert_eq!(world.tables.item(PENDING, proof(CODE).as_str()), row);
    let told = world.told().len();
    settle(&world.tables);
    assert_eq!(body(&world.confirm(CHAT, CODE).await), body(&first));
    assert_eq!(world.told().len(), told, "it was carried out");
    assert_eq!(world.guesses(CHAT), 0);
}

#[tokio::test]
async fn the_code_of_a_login_that_a_later_one_has_overtaken_is_promised_nothing() {
    let overtaken = texts::FAILED_SUPERSEDED.text(Language::English);
    for (consented_at, is_overtaken) in [(NOW.millis() - 1, false), (NOW.millis() + 1, true)] {
        let world = World::holding().await;
        let mut row = world.connected(5);
        row["consented_at"] = json!({ "N": consented_at.to_string() });
        world.put(row);
        for _ in ["first", "again"] {
            let answer = world.confirm(CHAT, CODE).await;
            assert_eq!((answer.status_code, &body(&answer)["status"]), (200, &json!("confirmed")));
            assert_eq!(said(&answer) == overtaken, is_overtaken, "{}", said(&answer));
        }
        assert_eq!(world.told().len(), 2, "the exchanger ends it all the same");
    }
}

#[tokio::test]
async fn the_code_of_a_login_after_which_the_chat_was_disconnected_is_promised_nothing() {
    let ended = texts::FAILED_OUTDATED_LINK.text(Language::English);
    for (reason, ended_at, is_ended) in [
        ("disconnected", NOW.millis() + 1, true),
        ("revoked", NOW.millis() + 1, true),
        ("disconnected", NOW.minus(Duration::from_hours(1)).millis(), false),
        // Salesforce ends no login that comes later.
        ("expired", NOW.millis() + 1, false),
    ] {
        let world = World::holding().await;
        let number = |number: u64| json!({ "N": number.to_string() });
        let mut row = json!({ "wa_id": { "S": CHAT }, "ended_reason": { "S": reason }, "ended_at": number(ended_at) });
        if reason != "expired" {
            row["consented_at"] = number(ended_at);
            row["revoked_at"] = number(ended_at);
        }
        world.put(row);
        for _ in ["first", "again"] {
            let answer = world.confirm(CHAT, CODE).await;
            assert_eq!((answer.status_code, &body(&answer)["status"]), (200, &json!("confirmed")));
            assert_eq!(said(&answer) == ended, is_ended, "{reason} {ended_at}: {}", said(&answer));
        }
    }
}

#[tokio::test]
async fn the_code_of_a_login_with_a_link_from_before_a_disconnect_is_promised_nothing() {
    let ended = texts::FAILED_OUTDATED_LINK.text(Language::English);
    let number = |minutes: u64| json!({ "N": NOW.minus(Duration::from_mins(minutes)).millis().to_string() });
    let disconnected = json!({
        "wa_id": { "S": CHAT },
        "ended_reason": { "S": "disconnected" },
        "ended_at": number(5),
        "consented_at": number(5),
        "revoked_at": number(5),
    });
    // By another link, after the disconnect and before this login.
    let connected_again = json!({ "wa_id": { "S": CHAT }, "consented_at": number(2), "revoked_at": number(5) });
    for (row, link_age, is_outdated) in [
        (&disconnected, 10, true),
        (&disconnected, 5, false),
        (&disconnected, 1, false),
        (&connected_again, 10, true),
        (&connected_again, 1, false),
    ] {
        let world = World::start().await;
        let issued_at = NOW.minus(Duration::from_mins(link_age));
        hold_row(&world.tables, &held_of(None, Some(issued_at), in_ten_minutes()));
        world.put(row.clone());
        for settled in [false, false, true] {
            if settled {
                settle(&world.tables);
            }
            let said = said(&world.confirm(CHAT, CODE).await);
            assert_eq!(said == ended, is_outdated, "{link_age} minutes, {row}: {said}");
        }
    }
}

#[tokio::test]
async fn where_the_chats_row_cannot_be_read_a_code_is_confirmed_as_ever() {
    let world = World::holding().await;
    world.server.on("GetItem", |_| error("AccessDeniedException"));
    assert!(said(&world.confirm(CHAT, CODE).await).starts_with("Thank you, that is the right code."));
}

#[tokio::test]
async fn another_chat_is_warned_and_its_code_decides_the_login() {
    let world = World::holding().await;
    for _ in 0..2 {
        let answer = world.confirm(OTHER_CHAT, CODE).await;
        assert_eq!((answer.status_code, &body(&answer)["error"]), (409, &json!("wrong_chat")));
        assert!(said(&answer).starts_with("Nothing was connected: "));
        assert!(!text(&answer).contains("1555"), "whose link it is stays unsaid: {}", text(&answer));
    }
    assert_eq!(world.sender(CODE), OTHER_CHAT);
    assert!(matches!(world.told()[..], [ExchangeMessage { consent: Consent::Decided { .. }, .. }, _]));
    assert_eq!(world.guesses(OTHER_CHAT), 0);
}

#[tokio::test]
async fn after_another_chat_the_links_own_chat_is_too_late() {
    let world = World::holding().await;
    assert_eq!(world.answer(OTHER_CHAT, CODE).await, wrong_chat());
    let answer = world.confirm(CHAT, CODE).await;
    assert_eq!((answer.status_code, &body(&answer)["error"]), (404, &json!("unknown_code")));
    assert!(said(&answer).starts_with("That code is no longer valid"));
    assert_eq!(world.guesses(CHAT), 0, "it is the code of a login of its own");
}

#[tokio::test]
async fn another_chat_that_sends_the_code_after_the_links_own_hears_that_it_is_connected_there() {
    let world = World::holding().await;
    assert_eq!(world.answer(CHAT, CODE).await, ok());
    for _ in 0..2 {
        let answer = world.confirm(OTHER_CHAT, CODE).await;
        assert_eq!((answer.status_code, &body(&answer)["error"]), (409, &json!("wrong_chat")));
        assert!(said(&answer).contains("The Salesforce account is connected there"), "{}", said(&answer));
        if world.tables.item(PENDING, proof(CODE).as_str())["sealed_key"].is_object() {
            settle(&world.tables);
        }
    }
    assert_eq!(world.sender(CODE), CHAT);
}

#[tokio::test]
async fn when_the_time_is_over_nothing_is_confirmed() {
    let world = World::start().await;
    hold(&world.tables, NOW);
    let answer = world.confirm(CHAT, CODE).await;
    assert_eq!((answer.status_code, &body(&answer)["error"]), (404, &json!("unknown_code")));
    assert!(said(&answer).starts_with("That code is no longer valid"));
    assert_eq!((world.sender(CODE), world.guesses(CHAT)), (Value::Null, 0));
    assert!(world.told().is_empty());
}

#[tokio::test]
async fn when_the_time_is_over_another_chat_is_warned_all_the_same() {
    let world = World::start().await;
    hold(&world.tables, NOW);
    let answer = world.confirm(OTHER_CHAT, CODE).await;
    assert_eq!((answer.status_code, &body(&answer)["error"]), (409, &json!("wrong_chat")));
    assert!(said(&answer).starts_with("Nothing was connected: "));
    assert_eq!(world.sender(CODE), Value::Null);
    assert!(world.told().is_empty());
}

#[tokio::test]
async fn another_spelling_is_another_chat() {
    let world = World::holding().await;
    assert_eq!(world.answer("whatsapp:15551234567", CODE).await, wrong_chat());
}

#[tokio::test]
async fn a_plus_that_arrived_as_a_space_is_the_same_chat() {
    let world = World::holding().await;
    assert_eq!(world.answer("whatsapp: 15551234567", CODE).await, ok());
}
