//! Who holds the refresh tokens: sealed in their rows where the stack does, as Salesforce gave them where bots do.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fakes::{
    Answer,
    aws::{self, DATA_KEY},
    dynamodb::Tables,
    salesforce::REVOKE,
};
use secrecy::{ExposeSecret as _, SecretBox};
use serde_json::{Value, json};
use shared::{
    connection::{SealedText, app_hash},
    custody::seal::{Parts, Purpose},
};

use crate::{
    storage::row,
    world::{ATTEMPT, CHAT, CLIENT_SECRET, NOW, RECEIVED_AT, World, ends, handle, number, record, sets, text},
};

const TOKENS: &str = "salesforce_tokens";
const ATTEMPTS: &str = "connection_attempts";
const SEALED: &str = "sealed:v1:a2V5:bm9uY2VfMTJieXRl:ZGF0YQ";

/// The refresh token that is sealed in this attribute of the chat's row.
pub(crate) fn opened(attribute: &Value) -> String {
    let text = SealedText::parse(attribute["S"].as_str().unwrap()).unwrap();
    let (key, chat) = (SecretBox::new(Box::new(DATA_KEY)), CHAT.parse().unwrap());
    let token = Parts::of(&text).unwrap().open(&key, Purpose::RefreshToken, &chat).unwrap();
    token.expose_secret().to_owned()
}

/// The chat's row, of another consent at that time, with its refresh token sealed.
fn sealed_row(consented_at: u64) -> Value {
    let mut row = row(consented_at);
    row["Item"]["refresh_token"] = text(SEALED);
    row
}

/// How often data keys for refresh tokens were asked for.
fn token_keys(world: &World) -> Vec<Value> {
    world.calls("GenerateDataKey").into_iter().filter(|call| call["KeyId"] == "tokens").collect()
}

/// The upkeep queue takes nothing more.
fn refuse_upkeep(world: &World) {
    world.0.on("SendMessage", |request| {
        let is_upkeep = request.json()["QueueUrl"].as_str().unwrap().ends_with("/upkeep");
        if is_upkeep { aws::error("AccessDenied") } else { json!({ "MessageId": "m" }).into() }
    });
}

#[tokio::test]
async fn a_refresh_token_is_sealed_for_its_chat_and_never_sent_to_a_table() {
    let world = World::start().await;
    assert!(ends(&world, &world.message()).await);
    let tokens = sets(&world.stores()[0]["TransactItems"][0]["Update"]);
    assert_eq!(opened(&tokens["refresh_token"]), "5AepREFRESH");
    assert_eq!(tokens["access_token"], text("00Dxx!ACCESS"), "bots read it");
    for operation in ["GetItem", "TransactWriteItems", "UpdateItem"] {
        for call in world.calls(operation) {
            let call = call.to_string();
            assert!(!call.contains("5AepREFRESH") && !call.contains(&STANDARD.encode(DATA_KEY)), "{call}");
        }
    }
}

/// CloudTrail logs the context in clear.
#[tokio::test]
async fn the_data_key_is_of_the_token_key_and_kms_hears_nothing_of_the_chat() {
    let world = World::start().await;
    assert!(ends(&world, &world.message()).await);
    let [key] = &token_keys(&world)[..] else { panic!("one data key") };
    assert_eq!(key["EncryptionContext"], json!({ "purpose": "refresh-token" }));
    assert!(!key.to_string().contains("1555123"), "{key}");
    assert_eq!(world.calls("GenerateDataKey").len(), 1);
}

#[tokio::test]
async fn each_message_has_a_data_key_of_its_own() {
    let world = World::start().await;
    let function = world.function();
    for _ in 0..2 {
        assert!(handle(&function, &[record("one", &world.message(), 1)]).await.is_empty());
    }
    assert_eq!(token_keys(&world).len(), 2);
}

#[tokio::test]
async fn a_grant_without_a_refresh_token_needs_no_data_key() {
    let world = World::start().await;
    let Answer::Response { status, body, .. } = world.0.tokens(CLIENT_SECRET) else { panic!("no tokens") };
    let mut tokens: Value = serde_json::from_str(&body).unwrap();
    tokens["refresh_token"] = Value::Null;
    world.token_endpoint_answers([Answer::new(status, tokens.to_string())]);
    assert!(ends(&world, &world.message()).await);
    assert!(token_keys(&world).is_empty());
    assert!(!sets(&world.stores()[0]["TransactItems"][0]["Update"]).contains_key("refresh_token"));
}

#[tokio::test]
async fn bots_that_have_the_custody_find_the_token_as_salesforce_gave_it() {
    let world = World::start().await;
    let function = world.function_of("Bot", || NOW);
    assert!(handle(&function, &[record("one", &world.message(), 1)]).await.is_empty());
    assert_eq!(sets(&world.stores()[0]["TransactItems"][0]["Update"])["refresh_token"], text("5AepREFRESH"));
    assert!(world.calls("GenerateDataKey").is_empty());
}

/// The same for tokens that the tables did not take at first.
#[tokio::test]
async fn a_checkpoint_is_stored_as_the_custody_says() {
    for custody in ["Stack", "Bot"] {
        let world = World::start().await;
        let function = world.function_of(custody, || NOW);
        world.refuse_transactions(20);
        assert!(handle(&function, &[record("one", &world.message(), 1)]).await.is_empty());
        world.0.forget_script();
        let keys = token_keys(&world).len();
        assert!(handle(&function, &[record("two", &world.queued("traded").remove(0), 1)]).await.is_empty());
        let stored = sets(&world.stores().pop().unwrap()["TransactItems"][0]["Update"])["refresh_token"].clone();
        match custody {
            "Stack" => assert_eq!((opened(&stored), token_keys(&world).len()), ("5AepREFRESH".to_owned(), keys + 1)),
            _ => assert_eq!(stored, text("5AepREFRESH")),
        }
    }
}

/// KMS makes no data key for refresh tokens for so many requests.
fn refuse_token_keys(world: &World, times: u32) {
    let (left, sealed) = (AtomicU32::new(times), STANDARD.encode("ciphertext of a checkpoint"));
    world.0.on("GenerateDataKey", move |request| {
        let is_of_tokens = request.json()["KeyId"] == "tokens";
        let fails = |left: u32| left.checked_sub(1);
        if is_of_tokens && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails).is_ok() {
            return aws::error("AccessDeniedException");
        }
        json!({ "Plaintext": STANDARD.encode(DATA_KEY), "CiphertextBlob": sealed }).into()
    });
}

#[tokio::test]
async fn a_seal_that_fails_is_tried_again_before_the_tokens_are_stored() {
    let world = World::start().await;
    refuse_token_keys(&world, 2);
    assert!(ends(&world, &world.message()).await);
    assert_eq!((token_keys(&world).len(), world.queued("traded").len()), (3, 0));
    assert_eq!(opened(&sets(&world.stores()[0]["TransactItems"][0]["Update"])["refresh_token"]), "5AepREFRESH");
}

#[tokio::test]
async fn while_nothing_can_be_sealed_for_the_row_the_tokens_wait_on_the_queue() {
    let world = World::start().await;
    refuse_token_keys(&world, u32::MAX);
    assert!(ends(&world, &world.message()).await);
    assert!(world.stores().is_empty(), "nothing is stored in clear");
    let message = world.queued("traded").remove(0);
    assert_eq!(world.tries(), 1);

    refuse_token_keys(&world, 0);
    world.0.on("Decrypt", |_| json!({ "Plaintext": STANDARD.encode(DATA_KEY) }).into());
    assert!(ends(&world, &message).await);
    assert_eq!(world.tries(), 1, "the code is not sent again");
    assert_eq!(opened(&sets(&world.stores()[0]["TransactItems"][0]["Update"])["refresh_token"]), "5AepREFRESH");
}

#[tokio::test]
async fn a_sealed_token_that_is_replaced_goes_onto_the_upkeep_queue_as_it_is() {
    let world = World::start().await;
    world.0.next("GetItem", sealed_row(RECEIVED_AT - 1));
    assert!(ends(&world, &world.message()).await);
    let expected = json!({ "v": 1, "revoke": {
        "wa_id": CHAT,
        "token": SEALED,
        // The row names a host that is neither Salesforce's nor the operator's.
        "hosts": [world.0.url()],
        "origin": { "attempt_id": "99999999999999999999999999999999", "consented_at": RECEIVED_AT - 1 },
    } });
    assert_eq!(world.upkeep(), [expected]);
    assert_eq!(world.calls("SendMessage")[0]["DelaySeconds"], 60, "longer than the invocation that replaces it");
    let operations = world.0.operations();
    let place = |name| operations.iter().position(|operation| operation == name).unwrap();
    assert!(place("SendMessage") < place("TransactWriteItems"), "{operations:?}");
    assert!(world.queued("revoke").is_empty());
}

#[tokio::test]
async fn a_plain_token_that_is_replaced_is_revoked_by_this_function() {
    let world = World::start().await;
    world.0.next("GetItem", row(RECEIVED_AT - 1));
    assert!(ends(&world, &world.message()).await);
    assert_eq!((world.upkeep().len(), world.queued("revoke").len()), (0, 1));
}

#[tokio::test]
async fn a_sealed_token_that_the_upkeep_queue_did_not_take_is_put_there_once_it_is_replaced() {
    let world = World::start().await;
    refuse_upkeep(&world);
    world.0.next("GetItem", sealed_row(RECEIVED_AT - 1));
    world.0.on("TransactWriteItems", |_| json!({}).into());
    assert!(ends(&world, &world.message()).await, "the consent counts for more");
    assert_eq!(world.stores().len(), 1);
    let operations = world.0.operations();
    let written = operations.iter().position(|operation| operation == "TransactWriteItems").unwrap();
    let sends = |operations: &[String]| operations.iter().filter(|operation| *operation == "SendMessage").count();
    assert!(sends(&operations[..written]) > 0 && sends(&operations[written..]) > 0, "{operations:?}");
    assert_eq!(world.0.count(REVOKE), 0, "a sealed text means nothing to Salesforce");
}

/// The first write was made, its answers are lost, and the token is rotated before the next one.
#[tokio::test]
async fn a_repeated_write_neither_overwrites_nor_revokes_a_token_that_was_rotated_since() {
    let world = World::start().await;
    let tables = Tables::on(&world.0);
    let (behind, lost) = (tables.clone(), AtomicU32::new(0));
    world.0.on("TransactWriteItems", move |request| {
        let answer = behind.transact(&request.json());
        match lost.fetch_add(1, Ordering::Relaxed) {
            0 => {
                let mut row = behind.item(TOKENS, CHAT);
                row["refresh_token"] = text(SEALED);
                behind.put(TOKENS, CHAT, row);
                Answer::Lost
            }
            // The SDK's own tries, too.
            1..4 => Answer::Lost,
            _ => answer,
        }
    });
    assert!(ends(&world, &world.message()).await);
    let reads = world.calls("GetItem").into_iter().filter(|call| call["TableName"] == TOKENS).count();
    assert!(reads > 1, "the row is read again before it is written again");
    let writes = world.stores();
    let first = &sets(&writes[0]["TransactItems"][0]["Update"])["refresh_token"];
    for write in &writes {
        assert_eq!(sets(&write["TransactItems"][0]["Update"])["refresh_token"], *first, "it was sealed again");
    }
    assert_eq!(tables.item(TOKENS, CHAT)["refresh_token"], text(SEALED));
    assert_eq!(tables.item(ATTEMPTS, ATTEMPT)["status"], text("connected"));
    assert_eq!((world.upkeep().len(), world.queued("revoke").len()), (0, 0));
}

/// Sealed with another data key by another delivery.
#[tokio::test]
async fn a_checkpoint_that_is_delivered_again_leaves_a_rotated_token_alone() {
    let world = World::start().await;
    world.refuse_transactions(20);
    assert!(ends(&world, &world.message()).await);
    world.0.forget_script();
    let message = world.queued("traded").remove(0);
    let tables = Tables::on(&world.0);
    assert!(ends(&world, &message).await);
    let mut row = tables.item(TOKENS, CHAT);
    assert_eq!(opened(&row["refresh_token"]), "5AepREFRESH");
    row["refresh_token"] = text(SEALED);
    tables.put(TOKENS, CHAT, row.clone());
    assert!(ends(&world, &message).await);
    assert_eq!(tables.item(TOKENS, CHAT), row);
    assert_eq!((world.upkeep().len(), world.queued("revoke").len()), (0, 0));
}

/// Salesforce may give one refresh token to two consents, and only who opens the row's can tell.
#[tokio::test]
async fn an_overtaken_token_that_a_sealed_row_may_hold_is_handed_to_the_upkeep_queue() {
    let world = World::start().await;
    world.0.on("GetItem", |_| sealed_row(RECEIVED_AT + 1).into());
    assert!(ends(&world, &world.message()).await);
    assert_eq!(world.last_update()["reason"], text("superseded"));
    assert!(world.upkeep().is_empty());
    assert!(ends(&world, &world.queued("revoke").remove(0)).await);
    let [message] = &world.upkeep()[..] else { panic!("one revocation") };
    assert_eq!(opened(&json!({ "S": message["revoke"]["token"] })), "5AepREFRESH");
    assert_eq!(message["revoke"]["origin"], json!({ "attempt_id": ATTEMPT, "consented_at": RECEIVED_AT }));
    assert_eq!(world.0.count(REVOKE), 0);
}

#[tokio::test]
async fn what_the_upkeep_queue_does_not_take_from_here_comes_back() {
    let world = World::start().await;
    world.0.on("GetItem", |_| sealed_row(RECEIVED_AT + 1).into());
    assert!(ends(&world, &world.message()).await);
    refuse_upkeep(&world);
    let message = world.queued("revoke").remove(0);
    assert_eq!(handle(&world.function(), &[record("one", &message, 3)]).await, ["one"]);
    assert_eq!(world.visibility_timeouts(), [300]);
    assert_eq!(world.0.count(REVOKE), 0);
}

/// The row is of a time when the stack had the custody.
#[tokio::test]
async fn bots_that_have_the_custody_now_leave_sealed_tokens_to_the_upkeep_queue() {
    let world = World::start().await;
    world.0.next("GetItem", sealed_row(RECEIVED_AT - 1));
    let function = world.function_of("Bot", || NOW);
    assert!(handle(&function, &[record("one", &world.message(), 1)]).await.is_empty());
    assert_eq!(world.upkeep()[0]["revoke"]["token"], SEALED);
    assert_eq!(sets(&world.stores()[0]["TransactItems"][0]["Update"])["refresh_token"], text("5AepREFRESH"));
}

/// A new login failed after its exchange, and the row is of a time when the stack had the custody.
#[tokio::test]
async fn bots_that_have_the_custody_now_leave_it_to_the_refresher_whether_a_sealed_row_has_an_unused_token() {
    let world = World::start().await;
    let function = world.function_of("Bot", || NOW);
    world.0.on("GetItem", |_| sealed_row(RECEIVED_AT + 1).into());
    assert!(handle(&function, &[record("one", &world.message(), 1)]).await.is_empty());
    assert!(handle(&function, &[record("two", &world.queued("revoke").remove(0), 1)]).await.is_empty());
    let [message] = &world.upkeep()[..] else { panic!("one revocation") };
    assert_eq!(opened(&json!({ "S": message["revoke"]["token"] })), "5AepREFRESH");
    assert_eq!(world.0.count(REVOKE), 0);
}

#[tokio::test]
async fn the_row_says_when_an_access_token_ends_that_says_so_itself() {
    for (access_token, expires_at) in
        [("e30.eyJleHAiOjE3OTAwMDcyMDB9.c2ln", Some(number(1_790_007_200_000))), ("00Dxx!A", None)]
    {
        let world = World::start().await;
        let Answer::Response { status, body, .. } = world.0.tokens(CLIENT_SECRET) else { panic!("no tokens") };
        world.token_endpoint_answers([Answer::new(status, body.replace("00Dxx!ACCESS", access_token))]);
        assert!(ends(&world, &world.message()).await);
        let tokens = sets(&world.stores()[0]["TransactItems"][0]["Update"]);
        assert_eq!(tokens.get("expires_at"), expires_at.as_ref(), "{access_token}");
    }
}

#[tokio::test]
async fn a_new_connection_ends_a_refresh_that_is_under_way() {
    let world = World::start().await;
    let tables = Tables::on(&world.0);
    let mut row = sealed_row(RECEIVED_AT - 1)["Item"].clone();
    row["lease_until"] = number(NOW.millis() + 10_000);
    row["lease_holder"] = text("somebody");
    row["lost_at"] = number(NOW.millis());
    row["version"] = number(7);
    tables.put(TOKENS, CHAT, row);
    assert!(ends(&world, &world.message()).await);
    let row = tables.item(TOKENS, CHAT);
    assert_eq!((&row["version"], &row["refreshed_at"]), (&number(8), &number(NOW.millis())));
    assert_eq!(row["app_hash"], text(&app_hash("3MVG9.client")));
    for name in ["lease_until", "lease_holder", "lost_at"] {
        assert!(row.get(name).is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_chat_in_whose_row_a_bot_keeps_a_version_of_its_own_connects_all_the_same() {
    let world = World::start().await;
    let tables = Tables::on(&world.0);
    tables.put(TOKENS, CHAT, json!({"wa_id": text(CHAT), "version": text("v2"), "of_the_bot": text("note")}));
    assert!(ends(&world, &world.message()).await);
    let row = tables.item(TOKENS, CHAT);
    assert_eq!((&row["version"], &row["of_the_bot"]), (&number(1), &text("note")));
    assert_eq!(tables.item(ATTEMPTS, ATTEMPT)["status"], text("connected"));
}
