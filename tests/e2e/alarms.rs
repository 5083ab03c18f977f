//! Each alarm against what it is for: none rings for people who connect, each rings for its fault.
//!
//! They run on a cloud of their own, because the other tests' faults would ring as well.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Browser, Cloud, broken, new_chat, parameter, refusal, throttled, wait_until};

/// What takes longer than a test may: each rings with a threshold of nothing.
const LOWERED: [&str; 3] = ["ExchangeBacklogAlarm", "ReceiverSlowAlarm", "NotifierLagAlarm"];
const CODE_MS: u64 = 14 * 60_000;

impl Cloud {
    async fn cloudwatch(&self, operation: &str, order: Value) -> Value {
        self.aws("monitoring", &format!("GraniteServiceVersion20100801.{operation}"), order).await
    }

    async fn alarms(&self) -> Vec<Value> {
        let answer = self.cloudwatch("DescribeAlarms", json!({})).await;
        answer["MetricAlarms"].as_array().expect("alarms").clone()
    }

    /// The alarms of a state, by their names in the template.
    async fn alarms_that_are(&self, state: &str) -> BTreeSet<String> {
        let alarms = self.alarms().await;
        alarms.iter().filter(|alarm| alarm["StateValue"] == state).map(name).collect()
    }

    /// Waits until just these have rung.
    async fn rings(&self, rung: &mut BTreeSet<String>, alarm: &str) {
        rung.insert(alarm.to_owned());
        wait_until(alarm, async || self.alarms_that_are("ALARM").await.contains(alarm).then_some(())).await;
        let ringing = self.alarms_that_are("ALARM").await;
        assert!(ringing.is_subset(rung), "{alarm} was to ring, and these did: {ringing:?}");
    }

    async fn lower(&self, alarm: &str) {
        let mut found = self.alarms().await.into_iter().find(|found| name(found) == alarm).expect("the alarm");
        for (property, value) in [("Threshold", 0), ("EvaluationPeriods", 1), ("DatapointsToAlarm", 1)] {
            found[property] = value.into();
        }
        self.cloudwatch("PutMetricAlarm", found).await;
    }

    /// So many people connect, each with this wrong.
    async fn people_meet(&self, count: usize, endpoint: &str, times: u32, action: &Value) {
        join_all((0..count).map(async |_| {
            let chat = new_chat();
            self.fault(&chat, endpoint, times, action.clone()).await;
            self.consent(&chat).await;
        }))
        .await;
    }
}

/// `main-KmsAlarm-1A2B` is the template's `KmsAlarm`.
fn name(alarm: &Value) -> String {
    let name = alarm["AlarmName"].as_str().expect("a name");
    name.split('-').find(|part| part.ends_with("Alarm")).unwrap_or(name).to_owned()
}

#[tokio::test]
async fn no_alarm_rings_for_people_who_connect_and_each_rings_for_its_fault() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    let all: BTreeSet<_> = cloud.alarms().await.iter().map(name).collect();
    let mut rung = BTreeSet::new();

    let well: Vec<_> = (0..8).map(|_| new_chat()).collect();
    for chat in &well {
        cloud.consent(chat).await;
    }
    for chat in &well {
        cloud.outcome(chat).await;
    }
    let mut browser = Browser::new(&cloud);
    let authorize_url = browser.press(&cloud.link(&new_chat()).await.url).await;
    let denied = browser.log_in(&authorize_url, false).await;
    browser.visit(Method::GET, &denied).await;

    // Whatever had rung for these people would be found beside the first.
    cloud.people_meet(1, "salesforce.token", 2, &refusal("invalid_client", "invalid client credentials")).await;
    cloud.rings(&mut rung, "MisconfiguredAlarm").await;

    let busy = json!({"status": 503, "headers": {"retry-after": "40"}, "body": ""});
    cloud.people_meet(11, "salesforce.token", 1, &busy).await;
    cloud.rings(&mut rung, "SalesforceUnavailableAlarm").await;

    for _ in 0..6 {
        cloud.consent_of("main", &new_chat(), CODE_MS).await;
    }
    cloud.rings(&mut rung, "CodesExpiredAlarm").await;

    join_all((0..6).map(async |_| {
        let chat = new_chat();
        cloud.fault(&chat, "salesforce.token", 1, json!({"drop": "after"})).await;
        cloud.consent(&chat).await;
    }))
    .await;
    cloud.rings(&mut rung, "AnswersLostAlarm").await;

    let chat = new_chat();
    cloud.aws_fault("dynamodb.TransactWriteItems", &*chat, 40, throttled()).await;
    cloud.consent(&chat).await;
    cloud.rings(&mut rung, "NotStoredAlarm").await;

    let chat = new_chat();
    cloud.aws_fault("dynamodb.TransactWriteItems", &*chat, 40, throttled()).await;
    cloud.aws_fault("sqs.SendMessage", "traded", 20, broken()).await;
    cloud.consent(&chat).await;
    cloud.rings(&mut rung, "TokensLostAlarm").await;
    cloud.end_aws_faults("traded").await;

    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&cloud.link(&new_chat()).await.url).await;
    cloud.aws_fault("kms.GenerateMac", None, 10_000, broken()).await;
    browser.visit(Method::GET, &callback).await;
    cloud.rings(&mut rung, "KmsAlarm").await;
    cloud.end_all_faults().await;

    let refused = json!({"status": 401, "body": {"code": 20003, "message": "Authenticate"}});
    cloud.people_meet(1, "twilio.messages", 2, &refused).await;
    cloud.rings(&mut rung, "WhatsAppRefusedAlarm").await;

    cloud.people_meet(6, "bot.events", 1, &json!({"status": 500, "body": ""})).await;
    cloud.rings(&mut rung, "BotRefusedAlarm").await;

    let link = cloud.link(&new_chat()).await;
    cloud.aws_fault("dynamodb.UpdateItem", &*link.attempt_id, 1, json!({"kill": "before"})).await;
    cloud.consent_by(&link).await;
    cloud.rings(&mut rung, "ExchangerErrorAlarm").await;

    // New processes have no secrets yet.
    let callback = browser.approve(&cloud.link(&new_chat()).await.url).await;
    cloud.aws_fault("secretsmanager.BatchGetSecretValue", None, 10_000, broken()).await;
    cloud.give_up_after(main, 8).await;
    browser.visit(Method::GET, &callback).await;
    cloud.rings(&mut rung, "CredentialsAlarm").await;
    cloud.end_all_faults().await;

    cloud.send(main, "not a message").await;
    cloud.rings(&mut rung, "ExchangeDeadLetterAlarm").await;

    let pointer = json!({"QueueUrl": main.output("NotifierFailureQueueUrl"), "MessageBody": "{}"});
    cloud.aws("sqs", "AmazonSQS.SendMessage", pointer).await;
    cloud.rings(&mut rung, "NotifierFailureAlarm").await;

    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&cloud.link(&new_chat()).await.url).await;
    cloud.aws_fault("sqs.SendMessage", &*parameter(&callback, "code"), 3, broken()).await;
    browser.visit(Method::GET, &callback).await;
    cloud.rings(&mut rung, "ReceiverErrorAlarm").await;

    for alarm in LOWERED {
        cloud.lower(alarm).await;
        cloud.people_meet(1, "salesforce.token", 1, &busy).await;
        cloud.rings(&mut rung, alarm).await;
    }

    assert_eq!(rung, all, "an alarm that nothing here is for");
}
