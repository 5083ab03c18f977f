//! The alarms of the local cloud.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{Cloud, Stack, new_chat, wait_until};

const AT_ONCE: usize = 4;
/// The shortest period that CloudWatch's alarms know.
const QUICK_SECONDS: u32 = 10;
/// The alarms that only a stack with `ChatProof=Required` has. The others are looked at on the main stack.
pub const OF_PROOF: [&str; 2] = ["UnconfirmedLoginsAlarm", "WrongChatsAlarm"];

impl Cloud {
    /// Calls CloudWatch.
    pub async fn cloudwatch(&self, operation: &str, order: Value) -> Value {
        self.aws("monitoring", &format!("GraniteServiceVersion20100801.{operation}"), order).await
    }

    /// Every alarm, as CloudWatch describes it, once: the main stack's, and those that it does not have.
    pub async fn alarms(&self) -> Vec<Value> {
        let (mut found, mut order) = (Vec::new(), json!({}));
        loop {
            let mut answer = self.cloudwatch("DescribeAlarms", order.clone()).await;
            found.extend(answer["MetricAlarms"].as_array().expect("alarms").iter().cloned());
            order["NextToken"] = answer["NextToken"].take();
            if order["NextToken"].is_null() {
                break;
            }
        }
        let is_of = |alarm: &&Value| {
            let whole = alarm["AlarmName"].as_str().expect("a name");
            whole.starts_with("main-") || whole.starts_with("proof-") && OF_PROOF.contains(&&*name(alarm))
        };
        found.retain(|alarm| is_of(&alarm));
        found
    }

    /// The alarms in a state, by their logical ids.
    pub async fn alarms_in_state(&self, state: &str) -> BTreeSet<String> {
        let alarms = self.alarms().await;
        alarms.iter().filter(|alarm| alarm["StateValue"] == state).map(name).collect()
    }

    /// Waits for an alarm; no other than those in `raised` may be in ALARM.
    pub async fn rises(&self, raised: &mut BTreeSet<String>, alarm: &str) {
        raised.insert(alarm.to_owned());
        wait_until(alarm, async || self.alarms_in_state("ALARM").await.contains(alarm).then_some(())).await;
        let in_alarm = self.alarms_in_state("ALARM").await;
        assert!(in_alarm.is_subset(raised), "expected {alarm}, found {in_alarm:?}");
    }

    /// Makes an alarm rise at the first value above 0.
    pub async fn lower_threshold(&self, alarm: &str) {
        self.change_alarm(alarm, &[("Threshold", 0), ("EvaluationPeriods", 1), ("DatapointsToAlarm", 1)]).await;
    }

    /// Makes an alarm rise at the first period that breaches its threshold.
    pub async fn shorten(&self, alarm: &str) {
        self.change_alarm(alarm, &[("EvaluationPeriods", 1), ("DatapointsToAlarm", 1)]).await;
    }

    /// Makes an alarm, as it is described here, look at seconds in place of minutes and hours.
    pub async fn quicken(&self, alarm: Value) {
        let quick = [("Period", QUICK_SECONDS), ("EvaluationPeriods", 1), ("DatapointsToAlarm", 1)];
        self.put_alarm(alarm, &quick).await;
    }

    /// Waits until an alarm is back in OK.
    pub async fn falls_silent(&self, alarm: &str) {
        wait_until(&format!("silence of {alarm}"), async || {
            (!self.alarms_in_state("ALARM").await.contains(alarm)).then_some(())
        })
        .await;
    }

    async fn change_alarm(&self, alarm: &str, properties: &[(&str, u32)]) {
        let found = self.alarms().await.into_iter().find(|found| name(found) == alarm).expect("the alarm");
        self.put_alarm(found, properties).await;
    }

    async fn put_alarm(&self, mut alarm: Value, properties: &[(&str, u32)]) {
        for (property, value) in properties {
            alarm[*property] = (*value).into();
            let metrics = alarm.get_mut("Metrics").and_then(Value::as_array_mut).into_iter().flatten();
            for read in metrics.filter(|metric| *property == "Period" && metric["MetricStat"].is_object()) {
                read["MetricStat"]["Period"] = (*value).into();
            }
        }
        // What CloudWatch says of an alarm, and is not told; an alarm on an expression has no metric's name.
        let settings = alarm.as_object_mut().expect("an alarm");
        settings.retain(|name, value| {
            let said = ["AlarmArn", "AlarmConfigurationUpdatedTimestamp"].contains(&name.as_str());
            !said && !name.starts_with("State") && *value != ""
        });
        self.cloudwatch("PutMetricAlarm", alarm).await;
    }

    /// Sets how many invocations of a function may run at once.
    pub async fn reserve(&self, stack: &Stack, function: &str, concurrency: u32) {
        let name = stack.output(&format!("{function}FunctionName"));
        let url = format!("{}/2017-10-31/functions/{name}/concurrency", self.endpoint);
        let change = json!({"ReservedConcurrentExecutions": concurrency}).to_string();
        let answer = self.signed("lambda", Method::PUT, &url, &[("content-type", "application/json")], change).await;
        assert!(answer.status().is_success());
    }

    /// So many people connect, each with this fault; a few at a time, as each one at once starts processes of its own.
    pub async fn connect_with_fault(&self, count: usize, endpoint: &str, times: u32, action: &Value) {
        let consents = (0..count).map(async |_| {
            let chat = new_chat();
            self.fault(&chat, endpoint, times, action.clone()).await;
            self.consent(&chat).await;
        });
        stream::iter(consents).buffer_unordered(AT_ONCE).collect::<()>().await;
    }
}

/// `main-KmsAlarm-1A2B` is the template's `KmsAlarm`.
pub fn name(alarm: &Value) -> String {
    let name = alarm["AlarmName"].as_str().expect("a name");
    name.split('-').find(|part| part.ends_with("Alarm")).unwrap_or(name).to_owned()
}
