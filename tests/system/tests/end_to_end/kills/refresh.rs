//! Refreshes that are killed (SIGKILL) during each of their calls, with rotation: the bot has a live token at its next call, or the
//! person hears of the end where the rotated token died with the process before it was sealed away. No grant is ever revoked
//! because a refresh token was presented twice.
//!
//! The token-keeper dies while the bot waits for its answer, the token-refresher with a message of the upkeep queue. Nobody waits
//! for that message to come back: the bot asks again, and has the answer. What it would wait for is turned in the row, so that the
//! local cloud bears so many at once: the lease of who died, 20 seconds, which one test waits for, and the 20 minutes in which
//! a lost token's successor could come.
//!
//! The key for the new tokens and the app's secrets are fetched beside the decryption of the old one, and their calls name no chat:
//! the kills there stand for all three.

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, Semaphore};

use super::one_by_one;
use system::{
    Cloud,
    connections::{events, number, reject, row, seed, send, set_ago, sha256, text, token_table},
    custody::sealing_key,
    faults::throttled,
    new_chat, now_ms, wait_until,
};

const DUE: Duration = Duration::from_hours(24 * 21);
const CLAIM_OR_STORE: &str = "dynamodb.UpdateItem";
/// What a keeper waits for two seconds for, and does without.
const IN_PASSING: &str = "salesforce.introspect";

/// Which function refreshes, and dies.
#[derive(Clone, Copy, Debug)]
enum Who {
    Keeper,
    Refresher,
}

const BOTH: &[Who] = &[Who::Keeper, Who::Refresher];
const KEEPER: &[Who] = &[Who::Keeper];
const REFRESHER: &[Who] = &[Who::Refresher];

/// How many refreshes are under way at a time, until they die: the waiting afterwards costs little.
static BEGINNING: Semaphore = Semaphore::const_new(4);

/// During which call: the operation or endpoint, after so many of its calls, before the call is carried out or after.
type Call = (&'static str, u32, &'static str);

/// A connection whose refresh token rotates, and the bot that uses it.
struct Connection {
    cloud: Cloud,
    chat: String,
    /// The access token that the bot has.
    old: String,
}

/// The cloud, with messages of the upkeep queue one by one. One whose refresher was killed comes back after a minute.
async fn cloud() -> Cloud {
    static SET: OnceCell<()> = OnceCell::const_new();
    let cloud = one_by_one().await;
    let turn = async || {
        cloud.set_batch_size("main", "TokenRefresherFunctionName", 1).await;
        let url = cloud.stack("main").output("UpkeepQueueUrl");
        let change = json!({"QueueUrl": url, "Attributes": {"VisibilityTimeout": "60"}});
        cloud.aws("sqs", "AmazonSQS.SetQueueAttributes", change).await;
    };
    SET.get_or_init(turn).await;
    cloud
}

impl Connection {
    async fn new() -> Self {
        let (cloud, chat) = (cloud().await, new_chat());
        seed(&cloud, &chat, DUE).await;
        cloud.rotate_refresh_tokens(&chat).await;
        let old = text(&row(&cloud, &chat).await, "access_token").to_owned();
        Self { cloud, chat, old }
    }

    /// What a call of AWS is known by: KMS is told no chat, but the data key of the chat's row.
    async fn named_in(&self, operation: &str) -> String {
        if operation == "kms.Decrypt" { sealing_key(&row(&self.cloud, &self.chat).await) } else { self.chat.clone() }
    }

    async fn fault(&self, at: &str, times: u32, action: Value) {
        if at.starts_with("salesforce.") {
            self.cloud.fault(&self.chat, at, times, action).await;
        } else {
            self.cloud.aws_fault(at, &*self.named_in(at).await, times, action).await;
        }
    }

    /// A refresh that is killed during this call; whether it was.
    async fn refresh_dies(&self, who: Who, (at, after, when): Call) -> bool {
        self.fault(at, after, json!({"delay_ms": 0})).await;
        self.fault(at, 1, json!({"kill": when})).await;
        let named = self.named_in(at).await;
        match who {
            Who::Keeper if !self.is_not_answered(at).await => return false,
            Who::Keeper => {}
            Who::Refresher => self.send_refresh().await,
        }
        self.cloud.used_up(&named).await;
        let fault = format!("kill_{when}");
        let killed = |journal: &system::Journal| journal.faults(at).contains(&&*fault);
        if at.starts_with("salesforce.") {
            self.cloud.wait_for(&self.chat, "a refresher that is killed", killed).await;
        }
        true
    }

    /// The bot asks, and who answers is killed; `false` where the answer came before: a busy machine may find the process to kill
    /// when its SDK has given the call up. What the local cloud has not done in time is asked for again.
    async fn is_not_answered(&self, at: &str) -> bool {
        wait_until("a keeper that is killed", async || match self.ask().await.status() {
            StatusCode::INTERNAL_SERVER_ERROR => Some(true),
            StatusCode::SERVICE_UNAVAILABLE => None,
            StatusCode::OK => Some(false),
            status => panic!("{at}: {status}"),
        })
        .await
    }

    /// Ends the lease of who died, where one stands.
    async fn end_lease(&self) {
        let update = json!({
            "TableName": token_table(&self.cloud),
            "Key": {"wa_id": {"S": self.chat}},
            "ConditionExpression": "attribute_exists(lease_until)",
            "UpdateExpression": "SET lease_until = :past",
            "ExpressionAttributeValues": {":past": {"N": (now_ms() - 1_000).to_string()}},
        });
        let (status, answer) = self.cloud.try_aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await;
        assert!(status.is_success() || answer.to_string().contains("ConditionalCheckFailed"), "{answer}");
    }

    async fn send_refresh(&self) {
        let message = json!({"v": 1, "refresh": {"wa_id": self.chat}}).to_string();
        send(&self.cloud, self.cloud.stack("main"), &message).await;
    }

    async fn ask(&self) -> Response {
        reject(&self.cloud, &self.chat, &self.old).await
    }

    /// The bot's next answer that is not for later. On a busy machine the local cloud may take more than a function's time.
    async fn answer(&self) -> (StatusCode, Value) {
        wait_until("an answer for the bot", async || {
            let answer = self.ask().await;
            let status = answer.status();
            if status.is_server_error() { None } else { Some((status, answer.json().await.unwrap())) }
        })
        .await
    }

    /// The bot has a live token, whose connection is whole: one rotation, and the row has what came of it.
    async fn lives(&self, call: &str) {
        let (status, live) = self.answer().await;
        assert_eq!(status, StatusCode::OK, "{call}");
        let token = live["access_token"].as_str().unwrap();
        assert_ne!(token, self.old, "{call}");
        assert!(self.cloud.is_live(live["instance_url"].as_str().unwrap(), token).await, "{call}");
        let row = wait_until("the tokens in the row", async || {
            Some(row(&self.cloud, &self.chat).await).filter(|row| text(row, "access_token") == token)
        })
        .await;
        let refresh_token = self.cloud.refresh_token(&row).await.unwrap();
        assert_eq!(self.cloud.live_tokens(&self.chat).await, [sha256(&refresh_token)], "{call}");
        assert!(row.get("lease_until").is_none() && row.get("lost_at").is_none(), "{call}");
        assert_eq!(self.cloud.token_counter(&self.chat, "rotations").await, 1, "{call}");
        self.revoked_nothing(call).await;
        assert!(self.cloud.journal(&self.chat).await.messages().is_empty(), "{call}");
    }

    /// The connection has ended, and the person and the bot hear of it once, with a way back.
    async fn ends(&self, call: &str) {
        wait_until("a token that is found dead, or the end", async || {
            self.ask().await;
            let row = row(&self.cloud, &self.chat).await;
            (number(&row, "lost_at") > 0 || row.get("ended_at").is_some()).then_some(())
        })
        .await;
        if row(&self.cloud, &self.chat).await.get("ended_at").is_none() {
            // No successor has come.
            set_ago(&self.cloud, &self.chat, "lost_at", Duration::from_mins(21)).await;
            self.send_refresh().await;
        }
        let (status, answer) = self.answer().await;
        assert_eq!((status, &answer["reason"]), (StatusCode::CONFLICT, &json!("expired")), "{call}");
        assert!(answer["relink_url"].as_str().unwrap().contains("/connect/"), "{call}");
        let told = |journal: &system::Journal| !journal.messages().is_empty() && !journal.events().is_empty();
        let journal = self.cloud.wait_for(&self.chat, "the end of the connection", told).await;
        assert!(journal.messages()[0].contains("/connect/"), "{call}");
        assert_eq!((journal.messages().len(), events(&journal, "connection.expired").len()), (1, 1), "{call}");
        self.revoked_nothing(call).await;
    }

    async fn revoked_nothing(&self, call: &str) {
        for name in ["families_revoked", "reuses"] {
            assert_eq!(self.cloud.token_counter(&self.chat, name).await, 0, "{call}: {name}");
        }
    }
}

/// These functions die during each of these calls, side by side, each in a connection of its own that this prepares; then the
/// bot asks again, and the connection is as it should be.
async fn each(who: &[Who], calls: &[Call], prepare: impl AsyncFn(&Connection), then: impl AsyncFn(&Connection, &str)) {
    let all = calls.iter().flat_map(|call| who.iter().map(move |who| (*call, *who)));
    join_all(all.map(async |(call, who)| {
        let turn = BEGINNING.acquire().await.unwrap();
        let connection = loop {
            let connection = Connection::new().await;
            prepare(&connection).await;
            if connection.refresh_dies(who, call).await {
                break connection;
            }
        };
        connection.end_lease().await;
        drop(turn);
        then(&connection, &format!("{who:?} {call:?}")).await;
    }))
    .await;
}

async fn nothing(_: &Connection) {}

async fn lives(connection: &Connection, call: &str) {
    connection.lives(call).await;
}

async fn ends(connection: &Connection, call: &str) {
    connection.ends(call).await;
}

#[tokio::test]
async fn killed_before_the_refresh_token_is_presented() {
    let calls = [
        ("dynamodb.GetItem", 0, "before"),
        (CLAIM_OR_STORE, 0, "before"),
        (CLAIM_OR_STORE, 0, "after"),
        ("kms.Decrypt", 0, "before"),
        ("kms.Decrypt", 0, "after"),
        ("salesforce.refresh", 0, "before"),
    ];
    each(BOTH, &calls, nothing, lives).await;
}

/// The bot's next call is answered when the lease has ended; nothing is turned.
#[tokio::test]
async fn the_lease_of_a_keeper_that_was_killed_is_waited_for() {
    let connection = Connection::new().await;
    assert!(connection.refresh_dies(Who::Keeper, ("salesforce.refresh", 0, "before")).await);
    connection.lives("without a turn").await;
}

#[tokio::test]
async fn killed_after_the_rotation_and_before_the_tokens_are_sealed_away() {
    each(BOTH, &[("salesforce.refresh", 0, "after"), (CLAIM_OR_STORE, 1, "before")], nothing, ends).await;
}

/// Then an opaque access token's end is asked for, and stored too.
#[tokio::test]
async fn killed_after_the_tokens_are_stored() {
    let calls = [
        (CLAIM_OR_STORE, 1, "after"),
        (IN_PASSING, 0, "before"),
        (IN_PASSING, 0, "after"),
        (CLAIM_OR_STORE, 2, "before"),
        (CLAIM_OR_STORE, 2, "after"),
    ];
    each(BOTH, &calls, nothing, lives).await;
}

/// The table refuses what follows the claim.
async fn refuse_to_store(connection: &Connection) {
    connection.fault(CLAIM_OR_STORE, 1, json!({"delay_ms": 0})).await;
    connection.fault(CLAIM_OR_STORE, 3, throttled()).await;
}

#[tokio::test]
async fn killed_before_the_tokens_that_the_table_refuses_are_on_the_queue() {
    each(BOTH, &[("sqs.SendMessage", 0, "before")], refuse_to_store, ends).await;
}

#[tokio::test]
async fn killed_when_the_tokens_that_the_table_refuses_are_on_the_queue() {
    each(BOTH, &[("sqs.SendMessage", 0, "after")], refuse_to_store, lives).await;
}

/// The message comes back, and meanwhile nobody takes the used token for a dead connection.
#[tokio::test]
async fn killed_while_the_tokens_are_stored_from_the_queue() {
    join_all(["before", "after"].map(async |when| {
        let connection = Connection::new().await;
        // A token that says by itself when it ends: the keeper writes no more.
        connection.cloud.token_policy(&connection.chat, json!({"rotation": true, "token_format": "jwt"})).await;
        refuse_to_store(&connection).await;
        connection.fault(CLAIM_OR_STORE, 1, json!({"kill": when})).await;
        assert_eq!(connection.ask().await.status(), StatusCode::OK);
        connection.cloud.used_up(&connection.chat).await;
        connection.lives(when).await;
    }))
    .await;
}

#[tokio::test]
async fn killed_while_the_row_is_given_back() {
    let unavailable = async |connection: &Connection| {
        connection.fault("salesforce.refresh", 3, json!({"status": 503})).await;
    };
    each(KEEPER, &[(CLAIM_OR_STORE, 1, "before"), (CLAIM_OR_STORE, 1, "after")], unavailable, lives).await;
}

/// A holder before this one may have used the token.
#[tokio::test]
async fn killed_while_salesforce_is_asked_whether_the_token_is_unused() {
    let left = async |connection: &Connection| {
        set_ago(&connection.cloud, &connection.chat, "lease_until", Duration::from_secs(1)).await;
    };
    let calls = [(IN_PASSING, 0, "before"), (IN_PASSING, 0, "after")];
    each(REFRESHER, &calls, left, lives).await;
}

#[tokio::test]
async fn killed_while_it_is_noted_that_the_token_is_dead() {
    let calls = [
        ("sqs.SendMessage", 0, "before"),
        ("sqs.SendMessage", 0, "after"),
        (CLAIM_OR_STORE, 1, "before"),
        (CLAIM_OR_STORE, 1, "after"),
    ];
    let lost = async |connection: &Connection| {
        assert!(connection.refresh_dies(Who::Keeper, ("salesforce.refresh", 0, "after")).await);
        connection.end_lease().await;
    };
    each(KEEPER, &calls, lost, ends).await;
}

#[tokio::test]
async fn killed_while_the_end_is_written() {
    let calls = [
        ("dynamodb.GetItem", 1, "before"),
        ("dynamodb.TransactWriteItems", 0, "before"),
        ("dynamodb.TransactWriteItems", 0, "after"),
    ];
    let revoked = async |connection: &Connection| connection.cloud.revoke_at_salesforce(&connection.chat).await;
    each(REFRESHER, &calls, revoked, ends).await;
}
