//! Waiting until everything has its outcome, and collecting what can be seen then.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use system::{
    Cloud,
    custody::is_sealed,
    now_ms,
    reckoning::{Asked, Evidence, Person, Seen},
};

use crate::bots::{Bots, sweep, try_update};

/// The soak fails if nothing changes for this long: longer than any pause between two tries.
const STALLED: Duration = Duration::from_mins(7);
/// How long nothing changes before it is believed: longer than the upkeep queue hides a message whose receiver was killed.
const QUIET: Duration = Duration::from_secs(80);
/// How long a sweep has before the next one.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(20);
/// How far the rows' clock is turned, in milliseconds: further than anything is waited for there.
const LATER_MS: u64 = 40 * 60_000;
/// How often dead letters are redriven. The first time ends the faults, so that nothing is left for a second one, but
/// what the reckoning complains of.
const REDRIVES: u32 = 2;
/// How many are asked about at once.
const ASKING: usize = 4;

/// What is waited for.
pub(crate) struct Settling<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) people: &'a [Person],
    /// How many messages nobody can process.
    pub(crate) unprocessable: u64,
}

/// How far everything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    /// Logins that have no outcome yet of which everybody was told.
    open: usize,
    /// Logins whose delay was told.
    delayed: usize,
    /// Messages on the exchange queue, in flight and delayed ones too.
    queued: u64,
    /// Outcomes on the notifier's retry queue.
    untold: u64,
    /// Of the exchange queue.
    dead_letters: u64,
    /// Of the retry queue.
    dead_untold: u64,
}

impl Settling<'_> {
    /// Waits until every login has an outcome of which everybody was told, and nothing is on its way. Redrives dead
    /// letters where it takes that.
    pub(crate) async fn settle(&self) {
        let (mut last, mut changed, mut redrives) = (None, Instant::now(), 0);
        loop {
            let standing = self.standing().await;
            let Standing { open, delayed, queued, untold, dead_letters, dead_untold } = standing;
            if last != Some(standing) {
                println!(
                    "soak: {open} open, {delayed} delayed, {queued} + {untold} on the queues, {dead_letters} + \
                     {dead_untold} dead letters"
                );
                (last, changed) = (Some(standing), Instant::now());
            }
            let are_still = queued + untold == 0;
            let redrivable = dead_letters.saturating_sub(self.unprocessable) + dead_untold;
            if are_still && open + delayed == 0 && dead_letters == self.unprocessable && dead_untold == 0 {
                return;
            }
            // What is open then is a dead letter of the retry queue.
            if are_still && open as u64 <= dead_untold && redrivable > 0 && redrives < REDRIVES {
                println!("soak: the faults end, and {redrivable} dead letters are redriven");
                self.cloud.end_all_faults().await;
                self.redrive().await;
                (changed, redrives) = (Instant::now(), redrives + 1);
            }
            if changed.elapsed() > STALLED {
                println!("soak: nothing has changed for {} s", STALLED.as_secs());
                return;
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }

    /// Ends the faults, turns the rows' clock, waits until no connection waits for anything, and asks for everybody's token at
    /// last. When the clock was turned, in milliseconds since the epoch, and what was answered.
    pub(crate) async fn rest(&self, bots: &Bots<'_>) -> (u64, Vec<Asked>) {
        self.cloud.end_all_faults().await;
        let main = self.cloud.stack("main");
        let task = json!({"SourceArn": main.output("UpkeepDlqArn")});
        if messages(self.cloud, main.output("UpkeepDlqUrl")).await.all() > 0 {
            println!("soak: dead letters of the upkeep queue are redriven");
            self.cloud.aws("sqs", "AmazonSQS.StartMessageMoveTask", task).await;
        }
        let turned_at = now_ms();
        self.turn_the_clock().await;
        self.upkeep().await;
        // Some learn only now that their connection has ended.
        self.ask(bots).await;
        self.upkeep().await;
        (turned_at, self.ask(bots).await)
    }

    async fn ask(&self, bots: &Bots<'_>) -> Vec<Asked> {
        let asking = self.people.iter().map(|person| bots.ask_at_last(&person.chat));
        stream::iter(asking).buffer_unordered(ASKING).collect().await
    }

    /// Waits until no row is left by a refresh, every end is told, and nothing can be received from the upkeep queue. What it
    /// hides may be a look at a connection that has been done since.
    async fn upkeep(&self) {
        let (mut last, mut changed) = (None, Instant::now());
        loop {
            let visible = messages(self.cloud, self.upkeep_queue()).await.visible;
            // Messages that were hidden come back all the time: what counts is whether they change anything.
            let unsettled = (self.left_rows().await, self.open_ends().await);
            if last != Some(unsettled) {
                let (left, open) = unsettled;
                println!("soak: {left} rows left by a refresh, {open} ends untold, {visible} on the upkeep queue");
                (last, changed) = (Some(unsettled), Instant::now());
            }
            if visible == 0 && changed.elapsed() > QUIET {
                if unsettled == (0, 0) {
                    return;
                }
                self.turn_the_clock().await;
                sweep(self.cloud).await;
                tokio::time::sleep(BETWEEN_SWEEPS).await;
            }
            if changed.elapsed() > STALLED {
                println!("soak: nothing has changed for {} s", STALLED.as_secs());
                return;
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }

    fn upkeep_queue(&self) -> &str {
        self.cloud.stack("main").output("UpkeepQueueUrl")
    }

    /// How many messages the upkeep queue hides.
    pub(crate) async fn hidden(&self) -> u64 {
        messages(self.cloud, self.upkeep_queue()).await.all()
    }

    /// In how many rows a refresh has left something.
    async fn left_rows(&self) -> usize {
        let rows = scan(self.cloud, self.cloud.stack("main").output("TokenTableName")).await;
        rows.iter().filter(|row| row.get("lease_until").is_some() || row.get("lost_at").is_some()).count()
    }

    /// How many ends are not told.
    async fn open_ends(&self) -> usize {
        let attempts = scan(self.cloud, self.cloud.stack("main").output("AttemptTableName")).await;
        attempts.iter().filter(|item| item["status"]["S"] == "ended" && item.get("notified_at").is_none()).count()
    }

    /// So much later, by the rows: the successor of a dead token comes no more, and no refresh is put off.
    async fn turn_the_clock(&self) {
        let table = self.cloud.stack("main").output("TokenTableName");
        for row in scan(self.cloud, table).await {
            for name in ["lost_at", "retry_at"].into_iter().filter(|name| row.get(*name).is_some()) {
                let update = json!({
                    "TableName": table,
                    "Key": {"wa_id": row["wa_id"]},
                    "ConditionExpression": "attribute_exists(#name)",
                    "UpdateExpression": "SET #name = :at",
                    "ExpressionAttributeNames": {"#name": name},
                    "ExpressionAttributeValues": {":at": {"N": (now_ms() - LATER_MS).to_string()}},
                });
                try_update(self.cloud, update).await;
            }
        }
    }

    async fn standing(&self) -> Standing {
        let main = self.cloud.stack("main");
        // The queues first: what has left them has been written by then.
        let queued = messages(self.cloud, main.output("ExchangeQueueUrl")).await.all();
        let untold = messages(self.cloud, main.output("NotifierRetryQueueUrl")).await.all();
        let dead_letters = messages(self.cloud, main.output("ExchangeDlqUrl")).await.all();
        let dead_untold = messages(self.cloud, main.output("NotifierRetryDlqUrl")).await.all();
        let attempts = scan(self.cloud, main.output("AttemptTableName")).await;
        let attempts: BTreeMap<_, _> =
            attempts.iter().filter_map(|item| Some((item["attempt_id"]["S"].as_str()?, item))).collect();
        let (mut open, mut delayed) = (0, 0);
        for login in self.people.iter().flat_map(|person| &person.logins) {
            let item = attempts.get(&*login.attempt);
            let is_told = item.is_some_and(|item| item.get("notified_at").is_some());
            match item.and_then(|item| item["status"]["S"].as_str()) {
                Some("connected" | "failed") if is_told => {}
                Some("delayed") if is_told => delayed += 1,
                _ => open += 1,
            }
        }
        Standing { open, delayed, queued, untold, dead_letters, dead_untold }
    }

    /// By SQS's own means, as an operator may.
    async fn redrive(&self) {
        let main = self.cloud.stack("main");
        self.cloud.redrive(main).await;
        let task = json!({"SourceArn": main.output("NotifierRetryDlqArn")});
        self.cloud.aws("sqs", "AmazonSQS.StartMessageMoveTask", task).await;
    }
}

/// How many messages a queue has.
struct Messages {
    visible: u64,
    /// In flight.
    hidden: u64,
    delayed: u64,
}

impl Messages {
    fn all(&self) -> u64 {
        self.visible + self.hidden + self.delayed
    }
}

async fn messages(cloud: &Cloud, queue: &str) -> Messages {
    let names = ["", "NotVisible", "Delayed"].map(|kind| format!("ApproximateNumberOfMessages{kind}"));
    let query = json!({"QueueUrl": queue, "AttributeNames": names});
    let answer = cloud.aws("sqs", "AmazonSQS.GetQueueAttributes", query).await;
    let count = |name: &String| answer["Attributes"][name].as_str().and_then(|text| text.parse::<u64>().ok());
    let [visible, hidden, delayed] = names.each_ref().map(|name| count(name).expect("a number"));
    Messages { visible, hidden, delayed }
}

/// Everything that can be seen of a soak.
pub(crate) async fn evidence(cloud: &Cloud, people: &[Person]) -> Evidence {
    let main = cloud.stack("main");
    let chats = people.iter().map(|person| &*person.chat).collect();
    Evidence {
        attempts: scan(cloud, main.output("AttemptTableName")).await,
        rows: opened(cloud, &chats, scan(cloud, main.output("TokenTableName")).await).await,
        journal: read(cloud, "/control/journal").await,
        bus: cloud.all_bus_events().await,
        grants: read(cloud, "/control/grants").await.as_array().expect("grants").clone(),
        dead_letters: bodies(cloud, main.output("ExchangeDlqUrl")).await,
        untold: [
            bodies(cloud, main.output("NotifierRetryDlqUrl")).await,
            bodies(cloud, main.output("NotifierFailureQueueUrl")).await,
        ]
        .concat(),
        upkeep: [bodies(cloud, main.output("UpkeepQueueUrl")).await, bodies(cloud, main.output("UpkeepDlqUrl")).await]
            .concat(),
        asked: Vec::new(),
        turned_at: None,
        seen: cloud.log_lines().await.into_iter().map(|text| Seen { place: "the logs", text }).collect(),
    }
}

/// The rows, those of these people with their refresh tokens as Salesforce knows them, and whether they were `sealed`.
pub(crate) async fn opened(cloud: &Cloud, chats: &BTreeSet<&str>, mut rows: Vec<Value>) -> Vec<Value> {
    let of_people = |row: &&mut Value| row["wa_id"]["S"].as_str().is_some_and(|chat| chats.contains(chat));
    for row in rows.iter_mut().filter(of_people) {
        if let Some(token) = cloud.refresh_token(row).await {
            row["sealed"] = json!({"BOOL": is_sealed(row)});
            row["refresh_token"] = json!({"S": token});
        }
    }
    rows
}

pub(crate) async fn read(cloud: &Cloud, path: &str) -> Value {
    let answer = cloud.client().get(format!("{}{path}", cloud.sandbox_url)).send().await;
    answer.expect("the sandbox").json().await.expect("an answer")
}

pub(crate) async fn scan(cloud: &Cloud, table: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut query = json!({"TableName": table, "ConsistentRead": true});
    loop {
        let page = cloud.aws("dynamodb", "DynamoDB_20120810.Scan", query.clone()).await;
        items.extend(page["Items"].as_array().into_iter().flatten().cloned());
        match page.get("LastEvaluatedKey") {
            Some(key) => query["ExclusiveStartKey"] = key.clone(),
            None => return items,
        }
    }
}

/// The bodies of all messages of a queue, which stay where they are.
async fn bodies(cloud: &Cloud, queue: &str) -> Vec<String> {
    let query = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 60});
    let mut bodies = BTreeMap::new();
    loop {
        let page = cloud.aws("sqs", "AmazonSQS.ReceiveMessage", query.clone()).await;
        let messages = page["Messages"].as_array().map_or(&[][..], Vec::as_slice);
        if messages.is_empty() {
            return bodies.into_values().collect();
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        bodies.extend(messages.iter().map(|message| (text(&message["MessageId"]), text(&message["Body"]))));
    }
}
