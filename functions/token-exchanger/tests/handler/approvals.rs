//! Several approvals of one login: in two tabs of Salesforce's page, or by going back. The tables are in memory here, so that
//! deliveries follow each other as on the queue.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use fakes::{Answer, dynamodb::Tables, salesforce::TOKEN};
use serde_json::{Value, json};
use shared::{AuthorizationCode, Timestamp};
use token_exchanger::TokenExchanger;
use tokio::sync::Notify;

use crate::custody::opened;
use crate::world::{ATTEMPT, CHAT, CLIENT_SECRET, NOW, World, holding, record};

const EXPIRED: &str = r#"{"error":"invalid_grant","error_description":"expired authorization code"}"#;
const ATTEMPTS: &str = "connection_attempts";
const TOKENS: &str = "salesforce_tokens";

thread_local! {
    static CLOCK: Cell<u64> = const { Cell::new(0) };
}

fn clock() -> Timestamp {
    NOW.plus(Duration::from_millis(CLOCK.get()))
}

/// What Salesforce makes of one request with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// 503, and when to ask again, in seconds.
    Unavailable(&'static str),
    /// The code is redeemed, and the answer is lost.
    AnswerLost,
    /// The exchanger is killed while it waits for the answer. The code is redeemed.
    Killed,
    /// The user is frozen: a final refusal.
    Frozen,
}

/// One login, its messages and the tables.
struct Login {
    world: World,
    function: TokenExchanger,
    tables: Tables,
    faults: Arc<Mutex<HashMap<String, Vec<Fault>>>>,
    kill: Arc<Notify>,
}

impl Login {
    async fn start() -> Self {
        CLOCK.set(0);
        let world = World::start().await;
        let tables = Tables::on(&world.0);
        let faults: Arc<Mutex<HashMap<String, Vec<Fault>>>> = Arc::default();
        let kill = Arc::new(Notify::new());
        let (script, killed, redeemed) = (Arc::clone(&faults), Arc::clone(&kill), Mutex::new(HashSet::new()));
        let template = world.0.tokens(CLIENT_SECRET);
        world.0.on(TOKEN, move |request| {
            let code = request.form().into_iter().find(|(name, _)| name == "code").unwrap().1;
            let mut script = script.lock().unwrap();
            let fault = script.get_mut(&code).filter(|faults| !faults.is_empty()).map(|faults| faults.remove(0));
            match fault {
                Some(Fault::Unavailable(seconds)) => return Answer::retry_after(seconds),
                Some(Fault::Frozen) => return Answer::new(400, r#"{"error":"inactive_user"}"#),
                _ => {}
            }
            let is_first = redeemed.lock().unwrap().insert(code.clone());
            match fault {
                Some(Fault::AnswerLost) => return Answer::Lost,
                Some(Fault::Killed) => {
                    killed.notify_one();
                    return Answer::Never;
                }
                _ if !is_first => return Answer::new(400, EXPIRED),
                _ => {}
            }
            let Answer::Response { status, body, .. } = template.clone() else { panic!("no tokens") };
            Answer::new(status, body.replace("5AepREFRESH", &format!("5Aep.{code}")))
        });
        let function = world.function_at(clock);
        Self { world, function, tables, faults, kill }
    }

    fn fault(&self, code: &str, faults: &[Fault]) {
        self.faults.lock().unwrap().insert(code.to_owned(), faults.to_vec());
    }

    /// The message of a callback with this code, so many milliseconds after the first.
    fn callback(&self, code: &str, millis: u64) -> Value {
        let mut message = self.world.message();
        (message["code"], message["received_at"]) = (code.into(), (NOW.millis() + millis).into());
        message
    }

    /// The message of a callback with this code that the receiver refused.
    fn refused(&self, reason: &str, code: &str) -> Value {
        let mut message = holding(self.world.message(), "refused", json!(reason));
        message["received_at"] = clock().millis().into();
        message["code_sha256"] = sha256(code).into();
        message
    }

    /// Delivers a message; `false` where it comes back.
    async fn deliver(&self, message: &Value, receives: u32) -> bool {
        CLOCK.set(CLOCK.get() + 2);
        let batch = serde_json::from_value(json!({ "Records": [record("one", message, receives)] })).unwrap();
        let deadline = clock().plus(Duration::from_secs(30));
        tokio::select! {
            response = self.function.handle(batch, deadline) => response.unwrap().batch_item_failures.is_empty(),
            () = self.kill.notified() => false,
        }
    }

    /// Status, reason and code of each row, and of the attempt's first.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.tables.items(ATTEMPTS).iter().map(Row::of).collect();
        rows.sort_by_key(|row| row.attempt_id != ATTEMPT);
        rows
    }

    /// How each code ended, as its row says now.
    fn ended(&self, code: &str) -> (String, String) {
        let row = self.rows().into_iter().find(|row| row.code_sha256 == sha256(code)).unwrap();
        (row.status, row.reason)
    }

    /// The code whose tokens the chat is connected by.
    fn connected_by(&self) -> Option<String> {
        let row = self.tables.item(TOKENS, CHAT);
        row.get("refresh_token").map(|token| opened(token).trim_start_matches("5Aep.").to_owned())
    }

    fn requests_with(&self, code: &str) -> usize {
        self.world.token_forms().iter().filter(|form| form["code"] == code).count()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Row {
    attempt_id: String,
    status: String,
    reason: String,
    code_sha256: String,
    updated_at: String,
}

impl Row {
    fn of(item: &Value) -> Self {
        let text = |name: &str| item[name]["S"].as_str().unwrap_or_default().to_owned();
        Self {
            attempt_id: text("attempt_id"),
            status: text("status"),
            reason: text("reason"),
            code_sha256: text("code_sha256"),
            updated_at: item["updated_at"]["N"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

fn sha256(code: &str) -> String {
    AuthorizationCode::parse(code.to_owned()).unwrap().sha256()
}

fn ended(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn of_two_approvals_in_an_outage_the_later_one_connects_and_the_other_has_an_outcome() {
    for gap in [500, 1_000, 2_000, 3_000] {
        let login = Login::start().await;
        let (ada, grace) = (login.callback("ada", 0), login.callback("grace", gap));
        login.fault("ada", &[Fault::Unavailable("20"); 4]);
        login.fault("grace", &[Fault::Unavailable("20")]);
        assert!(!login.deliver(&ada, 1).await);
        CLOCK.set(gap);
        assert!(!login.deliver(&grace, 1).await);
        CLOCK.set(25_000);
        assert!(!login.deliver(&ada, 2).await, "it waits for the later one");
        assert_eq!(login.requests_with("ada"), 1);
        assert!(login.deliver(&grace, 2).await);
        assert_eq!(login.connected_by().unwrap(), "grace");
        assert!(login.deliver(&ada, 3).await);
        assert_eq!((login.ended("grace"), login.ended("ada")), (ended("connected", ""), ended("failed", "superseded")));
        // Each of them is delivered once more.
        for message in [&ada, &grace] {
            assert!(login.deliver(message, 4).await);
        }
        assert_eq!(login.rows().len(), 2);
    }
}

#[tokio::test]
async fn the_earlier_approval_connects_where_the_later_one_fails() {
    let login = Login::start().await;
    let (ada, grace) = (login.callback("ada", 0), login.callback("grace", 1_000));
    login.fault("ada", &[Fault::Unavailable("20")]);
    login.fault("grace", &[Fault::Frozen]);
    assert!(!login.deliver(&ada, 1).await);
    CLOCK.set(1_000);
    assert!(login.deliver(&grace, 1).await);
    assert_eq!(login.ended("grace"), ended("failed", "user_inactive"));
    CLOCK.set(25_000);
    assert!(login.deliver(&ada, 2).await);
    assert_eq!(login.connected_by().unwrap(), "ada");
    assert!(login.deliver(&grace, 2).await, "it is over");
    assert_eq!(login.requests_with("grace"), 1);
}

#[tokio::test]
async fn an_error_at_salesforces_page_that_nobody_chose_ends_no_approval_that_waits() {
    for error in ["server_error", "OAUTH_APP_BLOCKED", "invalid_scope"] {
        let login = Login::start().await;
        login.fault("ada", &[Fault::Unavailable("150")]);
        assert!(!login.deliver(&login.callback("ada", 0), 1).await);
        assert_eq!(login.rows()[0].status, "delayed", "the next try comes late");
        CLOCK.set(1_000);
        let mut message = holding(login.world.message(), "denied", json!({ "error": error }));
        message["received_at"] = clock().millis().into();
        for receives in [1, 2] {
            assert!(login.deliver(&message, receives).await);
        }
        CLOCK.set(151_000);
        assert!(login.deliver(&login.callback("ada", 0), 2).await);
        assert_eq!((login.connected_by().as_deref(), login.rows().len()), (Some("ada"), 1), "{error}");
    }
}

#[tokio::test]
async fn a_lost_answer_of_one_approval_is_remembered_while_another_is_tried() {
    let login = Login::start().await;
    let (ada, grace) = (login.callback("ada", 0), login.callback("grace", 500));
    for code in ["ada", "grace"] {
        login.fault(code, &[Fault::AnswerLost, Fault::AnswerLost]);
    }
    assert!(!login.deliver(&ada, 1).await);
    CLOCK.set(3_000);
    assert!(!login.deliver(&grace, 1).await);
    CLOCK.set(20_000);
    assert!(!login.deliver(&ada, 2).await);
    assert!(login.deliver(&grace, 2).await);
    assert_eq!(login.ended("grace"), ended("failed", "unknown"));
    assert!(login.deliver(&ada, 3).await);
    assert_eq!(login.ended("ada"), ended("failed", "unknown"));
    assert_eq!(login.requests_with("ada"), 3);
}

#[tokio::test]
async fn an_approval_that_a_killed_exchanger_held_is_not_forgotten() {
    let login = Login::start().await;
    let (ada, grace) = (login.callback("ada", 0), login.callback("grace", 500));
    login.fault("ada", &[Fault::Killed]);
    assert!(!login.deliver(&ada, 1).await);
    CLOCK.set(1_000);
    assert!(!login.deliver(&grace, 1).await, "the lease is still held");
    CLOCK.set(62_000);
    login.fault("grace", &[Fault::Frozen]);
    assert!(login.deliver(&grace, 2).await);
    assert!(login.deliver(&ada, 2).await);
    assert_eq!(login.ended("ada"), ended("failed", "unknown"), "it was redeemed before");
}

#[tokio::test]
async fn each_approval_after_the_first_is_told_once() {
    let login = Login::start().await;
    assert!(login.deliver(&login.callback("first", 0), 1).await);
    let later: Vec<_> = (1..=4).map(|number| login.callback(&format!("code{number}"), number * 1_000)).collect();
    CLOCK.set(10_000);
    for _ in 0..2 {
        for message in &later {
            assert!(login.deliver(message, 1).await);
        }
    }
    for number in 1..=4 {
        assert_eq!(login.ended(&format!("code{number}")), ended("failed", "used_login"), "{number}");
    }
    assert_eq!((login.rows().len(), login.connected_by().unwrap().as_str()), (5, "first"));
    assert_eq!(login.world.tries(), 1, "none of them is exchanged");
}

#[tokio::test]
async fn the_rows_of_one_logins_approvals_are_bounded() {
    let login = Login::start().await;
    assert!(login.deliver(&login.callback("first", 0), 1).await);
    CLOCK.set(60_000);
    for number in 1..=30 {
        assert!(login.deliver(&login.callback(&format!("code{number}"), number * 1_000), 1).await);
    }
    assert_eq!(login.rows().len(), 6);
}

#[tokio::test]
async fn an_approval_beyond_the_codes_that_are_tried_is_told() {
    let login = Login::start().await;
    for number in 0..3 {
        let code = format!("code{number}");
        login.fault(&code, &[Fault::Unavailable("20"); 9]);
        assert!(!login.deliver(&login.callback(&code, number * 1_000), 1).await);
        CLOCK.set(3_000);
    }
    assert!(login.deliver(&login.callback("fourth", 3_000), 1).await);
    assert_eq!(login.ended("fourth"), ended("failed", "used_login"));
    assert_eq!(login.requests_with("fourth"), 0);
}

#[tokio::test]
async fn another_code_in_a_browser_that_has_finished_is_one_more_approval() {
    let login = Login::start().await;
    assert!(login.deliver(&login.callback("ada", 0), 1).await);
    assert!(login.deliver(&login.refused("used_login", "grace"), 1).await);
    assert_eq!(login.ended("grace"), ended("failed", "used_login"));
    for message in [login.refused("used_login", "ada"), login.refused("used_login", "grace")] {
        assert!(login.deliver(&message, 1).await);
    }
    assert_eq!(login.rows().len(), 2, "neither is told again");
    assert_eq!(login.connected_by().unwrap(), "ada");
}

#[tokio::test]
async fn of_another_browsers_callback_nothing_is_said_where_the_right_one_came() {
    for reason in ["wrong_browser", "expired_state"] {
        let login = Login::start().await;
        assert!(login.deliver(&login.callback("ada", 0), 1).await);
        for code in ["grace", "ada"] {
            assert!(login.deliver(&login.refused(reason, code), 1).await);
        }
        assert_eq!(login.rows().len(), 1, "{reason}");
        assert_eq!(login.connected_by().unwrap(), "ada");
    }
}

#[tokio::test]
async fn a_refused_callback_is_told_while_the_first_approval_is_in_retry() {
    let login = Login::start().await;
    login.fault("ada", &[Fault::Unavailable("20")]);
    assert!(!login.deliver(&login.callback("ada", 0), 1).await);
    assert!(login.deliver(&login.refused("used_login", "grace"), 1).await);
    assert_eq!(login.ended("grace"), ended("failed", "used_login"));
    CLOCK.set(30_000);
    assert!(login.deliver(&login.callback("ada", 0), 2).await);
    assert_eq!(login.connected_by().unwrap(), "ada");
}

#[tokio::test]
async fn a_refused_callback_before_any_approval_ends_the_attempt_and_yields_to_the_right_one() {
    let login = Login::start().await;
    assert!(login.deliver(&login.refused("wrong_browser", "ada"), 1).await);
    assert_eq!(login.rows()[0].reason, "wrong_browser");
    assert!(login.deliver(&login.callback("ada", 0), 1).await, "the very same code, from the right browser");
    assert_eq!(login.connected_by().unwrap(), "ada");
}

#[tokio::test]
async fn a_code_whose_tokens_wait_on_the_queue_is_told_of_by_their_message_alone() {
    let login = Login::start().await;
    let ada = login.callback("ada", 0);
    login.world.refuse_transactions(20);
    assert!(login.deliver(&ada, 1).await, "its tokens are on the queue");
    let sealed = login.world.queued("traded").remove(0);
    // The same message again: before and after the code's life, with and without receives before, and after all tries.
    for (at, receives) in [(62_000, 1), (62_000, 2), (70_000, 9), (900_000, 1), (900_000, 3)] {
        CLOCK.set(at);
        assert!(login.deliver(&ada, receives).await, "{at} {receives}");
        assert_eq!((login.rows().len(), &*login.rows()[0].status), (1, "exchanging"), "{at} {receives}");
    }
    login.world.0.forget_script();
    assert!(login.deliver(&sealed, 1).await);
    assert_eq!((login.connected_by().as_deref(), login.requests_with("ada")), (Some("ada"), 1));
}

#[tokio::test]
async fn sealed_tokens_of_one_approval_do_not_hide_another() {
    let login = Login::start().await;
    let (ada, grace) = (login.callback("ada", 0), login.callback("grace", 500));
    login.world.refuse_transactions(20);
    assert!(login.deliver(&ada, 1).await, "its tokens are on the queue");
    login.world.0.forget_script();
    let sealed = login.world.queued("traded").remove(0);
    CLOCK.set(62_000);
    login.fault("grace", &[Fault::Unavailable("20")]);
    assert!(!login.deliver(&grace, 1).await);
    assert!(login.deliver(&sealed, 1).await);
    assert_eq!(login.connected_by().unwrap(), "ada");
    assert!(login.deliver(&grace, 2).await);
    assert_eq!(login.ended("grace"), ended("failed", "used_login"), "no consent is silently dropped");
}

#[tokio::test]
async fn tokens_that_come_after_another_approvals_are_revoked_and_told() {
    for received_at in [500, 0] {
        let login = Login::start().await;
        login.world.refuse_transactions(20);
        let sealed_code = login.callback("grace", received_at);
        assert!(login.deliver(&sealed_code, 1).await);
        login.world.0.forget_script();
        let sealed = login.world.queued("traded").remove(0);
        // What another approval left behind: connected, by a code of its own.
        let mut item = login.tables.item(ATTEMPTS, ATTEMPT);
        (item["status"], item["code_sha256"]) = (json!({ "S": "connected" }), json!({ "S": sha256("ada") }));
        login.tables.put(ATTEMPTS, ATTEMPT, item);
        let row = json!({ "wa_id": { "S": CHAT }, "consented_at": { "N": (NOW.millis() + 250).to_string() } });
        login.tables.put(TOKENS, CHAT, row);
        assert!(login.deliver(&sealed, 11).await);
        let reason = if received_at == 500 { "used_login" } else { "superseded" };
        assert_eq!(login.ended("grace"), ended("failed", reason));
        assert_eq!(login.world.queued("revoke").len(), 1);
    }
}

/// Numbers that look random, and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        // MMIX by Donald Knuth.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn fault(&mut self) -> Fault {
        match self.below(6) {
            0 => Fault::AnswerLost,
            1 => Fault::Frozen,
            _ => Fault::Unavailable("20"),
        }
    }
}

/// Whatever Salesforce answers, and in whichever order the messages come: every approval has an outcome, its reason is true,
/// and where an earlier one is connected the later ones are told.
#[tokio::test]
async fn no_approval_disappears() {
    for seed in 0..30 {
        let mut numbers = Numbers(seed);
        let login = Login::start().await;
        let codes: Vec<_> = (0..3 + numbers.below(2)).map(|number| format!("code{number}")).collect();
        let messages: Vec<_> = codes.iter().zip(0..).map(|(code, number)| login.callback(code, number * 700)).collect();
        let faults: Vec<Vec<_>> =
            codes.iter().map(|_| (0..numbers.below(5)).map(|_| numbers.fault()).collect()).collect();
        for (code, faults) in codes.iter().zip(&faults) {
            login.fault(code, faults);
        }
        let (mut receives, mut is_done) = (vec![0; codes.len()], vec![false; codes.len()]);
        let mut seen = HashSet::new();
        CLOCK.set(3_000);
        let turns = 12 * codes.len();
        for turn in 0..turns {
            let in_disorder = turn < turns / 3;
            let index = if in_disorder { usize::try_from(numbers.below(4)).unwrap() } else { turn } % codes.len();
            if !is_done[index] {
                CLOCK.set(CLOCK.get() + if in_disorder { numbers.below(90_000) } else { 70_000 });
                receives[index] += 1;
                is_done[index] = login.deliver(&messages[index], receives[index]).await;
                seen.extend(login.rows());
            }
        }
        assert!(is_done.iter().all(|done| *done), "{seed}: {receives:?}");
        for (code, faults) in codes.iter().zip(&faults) {
            let outcomes: HashSet<_> = seen
                .iter()
                .filter(|row| row.code_sha256 == sha256(code) && ["connected", "failed"].contains(&&*row.status))
                .map(|row| row.reason.as_str())
                .collect();
            assert_eq!(outcomes.len(), 1, "{seed}, {code}: {outcomes:?}");
            let reason = outcomes.into_iter().next().unwrap();
            let redeemed = faults.iter().position(|fault| *fault == Fault::AnswerLost);
            if redeemed.is_some_and(|before| login.requests_with(code) > before) {
                let true_ones = ["unknown", "superseded", "used_login", "user_inactive"];
                assert!(true_ones.contains(&reason), "{seed}, {code}: {reason}");
            }
            if login.connected_by().is_some_and(|connected| connected < *code) {
                assert_ne!(reason, "superseded", "{seed}, {code}: the later one is told");
            }
            assert!(login.requests_with(code) <= 20, "{seed}");
        }
    }
}
