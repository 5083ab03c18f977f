//! The alarms of the local cloud.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{Cloud, new_chat, wait_until};

impl Cloud {
    /// Calls CloudWatch.
    pub async fn cloudwatch(&self, operation: &str, order: Value) -> Value {
        self.aws("monitoring", &format!("GraniteServiceVersion20100801.{operation}"), order).await
    }

    /// Every alarm, as CloudWatch describes it.
    pub async fn alarms(&self) -> Vec<Value> {
        let answer = self.cloudwatch("DescribeAlarms", json!({})).await;
        answer["MetricAlarms"].as_array().expect("alarms").clone()
    }

    /// The alarms of a state, by their names in the template.
    pub async fn alarms_that_are(&self, state: &str) -> BTreeSet<String> {
        let alarms = self.alarms().await;
        alarms.iter().filter(|alarm| alarm["StateValue"] == state).map(name).collect()
    }

    /// Waits until just these have rung.
    pub async fn rings(&self, rung: &mut BTreeSet<String>, alarm: &str) {
        rung.insert(alarm.to_owned());
        wait_until(alarm, async || self.alarms_that_are("ALARM").await.contains(alarm).then_some(())).await;
        let ringing = self.alarms_that_are("ALARM").await;
        assert!(ringing.is_subset(rung), "{alarm} was to ring, and these did: {ringing:?}");
    }

    /// Lets an alarm ring at the first value above 0.
    pub async fn lower(&self, alarm: &str) {
        let mut found = self.alarms().await.into_iter().find(|found| name(found) == alarm).expect("the alarm");
        for (property, value) in [("Threshold", 0), ("EvaluationPeriods", 1), ("DatapointsToAlarm", 1)] {
            found[property] = value.into();
        }
        self.cloudwatch("PutMetricAlarm", found).await;
    }

    /// So many people connect, each with this wrong.
    pub async fn people_meet(&self, count: usize, endpoint: &str, times: u32, action: &Value) {
        join_all((0..count).map(async |_| {
            let chat = new_chat();
            self.fault(&chat, endpoint, times, action.clone()).await;
            self.consent(&chat).await;
        }))
        .await;
    }
}

/// `main-KmsAlarm-1A2B` is the template's `KmsAlarm`.
pub fn name(alarm: &Value) -> String {
    let name = alarm["AlarmName"].as_str().expect("a name");
    name.split('-').find(|part| part.ends_with("Alarm")).unwrap_or(name).to_owned()
}
