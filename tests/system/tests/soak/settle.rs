//! Waiting until everything has its outcome, and collecting what can be seen then.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use system::{
    Cloud,
    reckoning::{Evidence, Person},
};

/// The soak fails if nothing changes for this long: longer than any pause between two tries.
const STALLED: Duration = Duration::from_mins(7);
/// How often dead letters are redriven. The first time ends the faults, so that nothing is left for a second one, but
/// what the reckoning complains of.
const REDRIVES: u32 = 2;

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

    async fn standing(&self) -> Standing {
        let main = self.cloud.stack("main");
        // The queues first: what has left them has been written by then.
        let queued = messages(self.cloud, main.output("ExchangeQueueUrl")).await;
        let untold = messages(self.cloud, main.output("NotifierRetryQueueUrl")).await;
        let dead_letters = messages(self.cloud, main.output("ExchangeDlqUrl")).await;
        let dead_untold = messages(self.cloud, main.output("NotifierRetryDlqUrl")).await;
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

/// How many messages a queue has: visible, in flight and delayed.
async fn messages(cloud: &Cloud, queue: &str) -> u64 {
    let names = ["", "NotVisible", "Delayed"].map(|kind| format!("ApproximateNumberOfMessages{kind}"));
    let query = json!({"QueueUrl": queue, "AttributeNames": names});
    let answer = cloud.aws("sqs", "AmazonSQS.GetQueueAttributes", query).await;
    let count = |name: &String| answer["Attributes"][name].as_str().and_then(|text| text.parse::<u64>().ok());
    names.iter().map(|name| count(name).expect("a number")).sum()
}

/// Everything that can be seen of a soak.
pub(crate) async fn evidence(cloud: &Cloud) -> Evidence {
    let main = cloud.stack("main");
    Evidence {
        attempts: scan(cloud, main.output("AttemptTableName")).await,
        rows: opened(cloud, scan(cloud, main.output("TokenTableName")).await).await,
        journal: read(cloud, "/control/journal").await,
        grants: read(cloud, "/control/grants").await.as_array().expect("grants").clone(),
        dead_letters: bodies(cloud, main.output("ExchangeDlqUrl")).await,
        untold: [
            bodies(cloud, main.output("NotifierRetryDlqUrl")).await,
            bodies(cloud, main.output("NotifierFailureQueueUrl")).await,
        ]
        .concat(),
    }
}

/// The rows, with their refresh tokens as Salesforce knows them.
async fn opened(cloud: &Cloud, mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        if let Some(token) = cloud.refresh_token(row).await {
            row["refresh_token"] = json!({"S": token});
        }
    }
    rows
}

async fn read(cloud: &Cloud, path: &str) -> Value {
    let answer = cloud.client().get(format!("{}{path}", cloud.sandbox_url)).send().await;
    answer.expect("the sandbox").json().await.expect("an answer")
}

async fn scan(cloud: &Cloud, table: &str) -> Vec<Value> {
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
