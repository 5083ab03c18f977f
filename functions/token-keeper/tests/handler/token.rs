//! `POST /connections/token`: tokens that work, and what is answered where there is none.

use super::*;

#[tokio::test]
async fn a_fresh_token_costs_one_read_and_nothing_else() {
    let world = World::start().await;
    world.put(world.connected(59));
    assert_eq!(world.server.operations(), Vec::<String>::new(), "a start asks for nothing");
    let answer = world.call("token", &chat()).await;
    assert_eq!((answer.status_code, &body(&answer)["access_token"]), (200, &json!(OLD_TOKEN)));
    assert_eq!(world.server.operations(), ["GetItem"]);
    assert_eq!(world.server.requests(fakes::ANY).len(), 0, "nobody but AWS is asked");
}

#[tokio::test]
async fn the_document_has_every_field_of_a_token_answer_and_no_other() {
    let world = World::start().await;
    world.put(world.connected(1));
    let answer = world.call("token", &json!({ "wa_id": CHAT, "min_validity": 3_600, "unknown": {} })).await;
    let documented = contract::Table::under(contract::API, "### Token response");
    assert_eq!(documented.column("field"), contract::set(body(&answer).as_object().unwrap().keys()));
    assert_eq!(
        body(&answer),
        json!({
            "access_token": OLD_TOKEN,
            "token_type": "Bearer",
            "instance_url": world.server.url(),
            "issued_at": "2026-09-21T14:12:20Z",
            "expires_at": "2026-09-21T15:13:20Z",
            "scope": "api refresh_token",
        })
    );
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert_eq!(header(&answer, "content-type"), "application/json");
}

#[tokio::test]
async fn a_row_of_the_older_system_has_the_fields_that_always_come() {
    let world = World::start().await;
    world.put(json!({
        "wa_id": { "S": CHAT },
        "access_token": { "S": OLD_TOKEN },
        "refresh_token": { "S": "5AepOLD" },
        "instance_url": { "S": world.server.url() },
        "issued_at": { "N": NOW.millis().to_string() },
    }));
    let answer = body(&world.call("token", &chat()).await);
    let always = contract::Table::under(contract::API, "### Token response").column_where("field", "", "always");
    let fields = contract::set(answer.as_object().unwrap().keys());
    assert!(always.is_subset(&fields), "{fields:?}");
    assert_eq!(answer["access_token"], OLD_TOKEN);
}

#[tokio::test]
async fn a_token_that_has_grown_old_is_refreshed() {
    let world = World::start().await;
    world.put(world.connected(60));
    let answer = body(&world.call("token", &chat()).await);
    assert_eq!(answer["access_token"], NEW_TOKEN);
    assert_eq!(answer["expires_at"], "2026-09-21T16:13:20Z", "as introspection says");
    let row = world.row();
    assert_eq!(row["access_token"]["S"], NEW_TOKEN);
    assert!(row["refresh_token"]["S"].as_str().unwrap().starts_with("sealed:v1:"));
    assert_eq!(world.server.count(TOKEN), 1);
}

#[tokio::test]
async fn the_rejected_token_is_refreshed_once_and_then_shared() {
    let world = World::start().await;
    world.put(world.connected(1));
    let rejecting = json!({ "wa_id": CHAT, "rejected": sha256(OLD_TOKEN) });
    for _ in 0..3 {
        assert_eq!(body(&world.call("token", &rejecting).await)["access_token"], NEW_TOKEN);
    }
    assert_eq!(world.server.count(TOKEN), 1);
}

#[tokio::test]
async fn a_token_that_ends_too_soon_is_refreshed() {
    let world = World::start().await;
    let mut row = world.connected(30);
    row["expires_at"]["N"] = NOW.plus(Duration::from_mins(10)).millis().to_string().into();
    world.put(row);
    let with = async |seconds: u64| {
        body(&world.call("token", &json!({ "wa_id": CHAT, "min_validity": seconds })).await)["access_token"].clone()
    };
    assert_eq!(with(600).await, OLD_TOKEN);
    assert_eq!(with(601).await, NEW_TOKEN);
}

#[tokio::test]
async fn a_chat_that_never_connected_has_no_token() {
    let world = World::start().await;
    let answer = world.call("token", &chat()).await;
    assert_eq!((answer.status_code, &body(&answer)["error"]), (404, &json!("not_connected")));
    assert_eq!(world.server.operations(), ["GetItem"]);
}

#[tokio::test]
async fn an_ended_connection_is_answered_with_a_link_that_lives_a_day() {
    let world = World::start().await;
    world.put(json!({
        "wa_id": { "S": CHAT },
        "ended_at": { "N": "1789999000000" },
        "ended_reason": { "S": "expired" },
        "end_id": { "S": "09".repeat(16) },
        "login_url": { "S": world.server.url() },
    }));
    let answer = world.call("token", &chat()).await;
    assert_eq!(answer.status_code, 409);
    let answer = body(&answer);
    assert_eq!((&answer["error"], &answer["reason"]), (&json!("needs_reauthorization"), &json!("expired")));
    assert_eq!(answer["next"], "relink");
    let url = answer["relink_url"].as_str().unwrap();
    let sealed = url.strip_prefix("https://abc.execute-api.us-east-1.amazonaws.com/connect/").unwrap();
    let aws = shared::aws::config(&Settings::new(|name| setting(name, &world.server))).unwrap();
    let link = Kms::new(&aws).link_key("link").await.unwrap().open(&sealed.parse().unwrap()).unwrap();
    assert_eq!((link.wa_id.as_str(), link.login_url.as_str()), (CHAT, world.server.url()));
    assert_eq!((link.issued_at, link.expires_at), (NOW, NOW.plus(Duration::from_hours(24))));
    assert_eq!(world.asked_salesforce(), 0);
}

#[tokio::test]
async fn where_only_an_administrator_can_help_there_is_no_link_as_in_the_event() {
    for reason in EndReason::ALL {
        let world = World::start().await;
        let ended_reason = json!({ "S": reason.as_str() });
        world.put(json!({ "wa_id": { "S": CHAT }, "ended_at": { "N": "9" }, "ended_reason": ended_reason }));
        let answer = body(&world.call("token", &chat()).await);
        assert_eq!(answer["next"], reason.next().as_str());
        assert_eq!(answer.get("relink_url").is_some(), reason.next() == Next::Relink, "{answer}");
    }
}

#[tokio::test]
async fn the_link_for_an_ended_connection_carries_its_reference_and_its_language_on() {
    let world = World::start().await;
    world.put(json!({
        "wa_id": { "S": CHAT },
        "ended_at": { "N": "1789999000000" },
        "ended_reason": { "S": "expired" },
        "reference": { "S": "crm/42" },
        "language": { "S": "hi" },
    }));
    let answer = body(&world.call("token", &chat()).await);
    let sealed = answer["relink_url"].as_str().unwrap().rsplit_once('/').unwrap().1;
    let aws = shared::aws::config(&Settings::new(|name| setting(name, &world.server))).unwrap();
    let link = Kms::new(&aws).link_key("link").await.unwrap().open(&sealed.parse().unwrap()).unwrap();
    assert!(link.has_reference);
    assert_eq!(link.language.map(Language::tag), Some("hi"));
    let kept = world.tables.item("connection_attempts", &format!("reference#{}", link.link_id));
    assert_eq!(kept["reference"]["S"], "crm/42");
}

#[tokio::test]
async fn a_connection_that_salesforce_has_ended_ends_and_is_recorded() {
    let world = World::start().await;
    world.put(world.connected(60));
    let dead = json!({ "error": "invalid_grant", "error_description": "expired access/refresh token" });
    world.server.on(TOKEN, move |_| Answer::json(400, &dead));
    let answer = world.call("token", &chat()).await;
    assert_eq!((answer.status_code, &body(&answer)["reason"]), (409, &json!("expired")));
    assert!(body(&answer)["relink_url"].is_string());
    assert_eq!((&world.row()["access_token"], &world.row()["ended_reason"]["S"]), (&Value::Null, &json!("expired")));
    let [record] = &world.tables.items("connection_attempts")[..] else { panic!("one record") };
    assert_eq!((&record["status"]["S"], &record["wa_id"]["S"]), (&json!("ended"), &json!(CHAT)));
    // Whoever asks next hears the same, and Salesforce is left alone.
    assert_eq!(world.call("token", &chat()).await.status_code, 409);
    assert_eq!(world.server.count(TOKEN), 1);
}

#[tokio::test]
async fn a_link_that_cannot_be_made_is_asked_for_again() {
    let world = World::start().await;
    world.put(json!({ "wa_id": { "S": CHAT }, "ended_at": { "N": "1" }, "ended_reason": { "S": "expired" } }));
    world.server.on("GenerateMac", |_| error("DisabledException"));
    let answer = world.call("token", &chat()).await;
    assert_eq!((answer.status_code, header(&answer, "retry-after")), (503, "3"));
}

#[tokio::test]
async fn while_salesforce_is_down_the_old_token_serves() {
    let world = World::start().await;
    world.put(world.connected(60));
    world.server.on(TOKEN, |_| Answer::retry_after("120"));
    let answer = world.call("token", &chat()).await;
    assert_eq!((answer.status_code, &body(&answer)["access_token"]), (200, &json!(OLD_TOKEN)));
    assert_eq!(world.row()["ended_at"], Value::Null);
}

#[tokio::test]
async fn a_rejected_token_and_no_other_is_not_now() {
    let world = World::start().await;
    world.put(world.connected(60));
    world.server.on(TOKEN, |_| Answer::retry_after("120"));
    let answer = world.call("token", &json!({ "wa_id": CHAT, "rejected": sha256(OLD_TOKEN) })).await;
    assert_eq!((answer.status_code, &body(&answer)["error"]), (503, &json!("temporarily_unavailable")));
    assert_eq!(header(&answer, "retry-after"), "120");
    assert_eq!(world.row()["access_token"]["S"], OLD_TOKEN, "nothing has ended");
}

#[tokio::test]
async fn a_table_that_does_not_answer_is_not_now() {
    let world = World::start().await;
    world.server.fail(error("AccessDeniedException"));
    for call in CALLS {
        let answer = world.call(call, &chat()).await;
        assert_eq!((answer.status_code, &body(&answer)["error"]), (503, &json!("temporarily_unavailable")), "{call}");
        assert!(answer.headers.contains_key("retry-after"), "{call}");
    }
}

#[tokio::test]
async fn where_bots_have_the_custody_nothing_is_read() {
    let world = World::with(&[("TOKEN_CUSTODY", "Bot")]).await;
    world.put(world.connected(1));
    let answer = world.call("token", &chat()).await;
    assert_eq!((answer.status_code, &body(&answer)["error"]), (409, &json!("bot_custody")));
    assert_eq!(world.server.operations(), Vec::<String>::new());
    assert_eq!(body(&world.call("status", &chat()).await)["status"], "connected");
}
