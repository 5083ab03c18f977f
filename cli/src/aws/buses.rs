//! `EventBridge`: the bot's event bus, and whether its rules take an event.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html>

use aws_types::{SdkConfig, region::Region};
use serde_json::{Value, json};
use shared::timestamp::Clock;

use super::json_api::EVENTS;
use crate::error::Error;

const ACTION: &str = "look at the event bus";

/// An event bus, as `EventBusName` names it.
#[derive(Clone, Debug)]
pub(crate) struct Bus {
    aws: SdkConfig,
    arn: String,
    clock: Clock,
}

impl Bus {
    /// The bus with this name in the account and Region of the stack with this id, or with this ARN.
    pub(crate) fn new(aws: &SdkConfig, name: &str, stack_id: &str, clock: Clock) -> Self {
        let mut parts = stack_id.split(':').skip(1);
        let mut part = || parts.next().unwrap_or_default();
        let (partition, _, region, account) = (part(), part(), part(), part());
        if !name.starts_with("arn:") {
            let arn = format!("arn:{partition}:events:{region}:{account}:event-bus/{name}");
            return Self { aws: aws.clone(), arn, clock };
        }
        let region = name.split(':').nth(3).unwrap_or(region).to_owned();
        Self { aws: aws.to_builder().region(Region::new(region)).build(), arn: name.to_owned(), clock }
    }

    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    /// The account that it is in.
    pub(crate) fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    /// The Region that it is in.
    pub(crate) fn region(&self) -> &str {
        self.arn.split(':').nth(3).unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.arn.split_once(":event-bus/").map_or(&self.arn, |(_, name)| name)
    }

    /// Whether it exists.
    pub(crate) async fn exists(&self) -> Result<bool, Error> {
        let found = self.list(("ListEventBuses", "EventBuses"), json!({"NamePrefix": self.name()})).await?;
        Ok(found.iter().any(|bus| bus["Name"] == self.name()))
    }

    /// Whether an enabled rule with a target takes one of these events.
    pub(crate) async fn is_heard(&self, events: &[Value]) -> Result<bool, Error> {
        for rule in self.list(("ListRules", "Rules"), json!({"EventBusName": self.name()})).await? {
            if self.takes(&rule, events).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every page of a list.
    async fn list(&self, (operation, name): (&str, &str), mut input: Value) -> Result<Vec<Value>, Error> {
        let mut found = Vec::new();
        loop {
            let mut answer = self.read(operation, &input).await?;
            if let Value::Array(page) = answer[name].take() {
                found.extend(page);
            }
            input["NextToken"] = answer["NextToken"].take();
            if input["NextToken"].is_null() {
                return Ok(found);
            }
        }
    }

    async fn takes(&self, rule: &Value, events: &[Value]) -> Result<bool, Error> {
        let (Some(name), Some(pattern), Some("ENABLED")) =
            (rule["Name"].as_str(), rule["EventPattern"].as_str(), rule["State"].as_str())
        else {
            return Ok(false);
        };
        // Most patterns name what they want, and one call for each of all events would take minutes.
        let wanted: Value = serde_json::from_str(pattern).unwrap_or_default();
        for event in events.iter().filter(|event| may_take(&wanted, event)) {
            let input = json!({"EventPattern": pattern, "Event": event.to_string()});
            if self.read("TestEventPattern", &input).await?["Result"] == true {
                return self.has_target(name).await;
            }
        }
        Ok(false)
    }

    async fn has_target(&self, rule: &str) -> Result<bool, Error> {
        let answer = self.read("ListTargetsByRule", &json!({"EventBusName": self.name(), "Rule": rule})).await?;
        Ok(answer["Targets"].as_array().is_some_and(|targets| !targets.is_empty()))
    }

    async fn read(&self, operation: &str, input: &Value) -> Result<Value, Error> {
        EVENTS.read(&self.aws, (ACTION, operation), input, self.clock).await
    }
}

/// Whether a rule's pattern may take an event: its lists of plain values, which the event's value has to be in. Anything
/// else that a pattern can say is left to `EventBridge`.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>
fn may_take(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(fields) => {
            fields.iter().all(|(name, wanted)| name.starts_with('$') || may_take(wanted, &event[name.as_str()]))
        }
        Value::Array(values) if values.iter().any(Value::is_object) => true,
        Value::Array(values) => match event {
            Value::Array(found) => found.iter().any(|each| values.contains(each)),
            found => values.contains(found),
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use fakes::Server;
    use shared::Timestamp;

    use super::*;
    use crate::aws::tests::config_of;

    const NOW: Clock = || Timestamp::from_millis(1_790_000_000_000);
    const ELSEWHERE: &str = "arn:aws:events:eu-west-1:210987654321:event-bus/bot";

    async fn bus(server: &Server, name: &str) -> Bus {
        let stack_id = "arn:aws:cloudformation:us-east-1:123456789012:stack/connect/0b1c";
        Bus::new(&config_of(server).await, name, stack_id, NOW)
    }

    /// Whether an event is heard on a bus with a rule of that state, whose pattern matches or not, with so many targets.
    async fn is_heard(state: &'static str, matches: bool, targets: usize) -> bool {
        let server = Server::start().await;
        let rule = |name: &str, state: &str| json!({"Name": name, "State": state, "EventPattern": "{}"});
        let scheduled = json!({"Name": "nightly", "State": "ENABLED", "ScheduleExpression": "rate(1 day)"});
        server.next("ListRules", json!({"Rules": [scheduled], "NextToken": "2"}));
        server.on("ListRules", move |_| json!({"Rules": [rule("connections", state)]}).into());
        server.on("TestEventPattern", move |_| json!({"Result": matches}).into());
        server.on("ListTargetsByRule", move |_| json!({"Targets": vec![json!({"Id": "1"}); targets]}).into());
        bus(&server, "bot").await.is_heard(&[json!({"id": "1"})]).await.unwrap()
    }

    #[tokio::test]
    async fn an_event_is_heard_where_an_enabled_rule_with_a_target_matches_it() {
        assert!(is_heard("ENABLED", true, 1).await);
        assert!(!is_heard("DISABLED", true, 1).await);
        assert!(!is_heard("ENABLED", false, 1).await);
        assert!(!is_heard("ENABLED", true, 0).await);
    }

    #[tokio::test]
    async fn a_rule_is_tested_only_with_events_that_its_pattern_may_take() {
        let server = Server::start().await;
        let pattern = json!({"detail": {"data": {"next": ["relink"]}}}).to_string();
        server.on("ListRules", move |_| {
            json!({"Rules": [{"Name": "r", "State": "ENABLED", "EventPattern": pattern}]}).into()
        });
        server.on("TestEventPattern", |_| json!({"Result": true}).into());
        server.on("ListTargetsByRule", |_| json!({"Targets": [{"Id": "1"}]}).into());
        let event = |next: &str| json!({"detail": {"data": {"next": next}}});
        assert!(bus(&server, "bot").await.is_heard(&[event("wait"), event("relink")]).await.unwrap());
        let tested = server.only_request("TestEventPattern").json();
        assert_eq!(tested["Event"], event("relink").to_string());
    }

    #[test]
    fn a_pattern_may_take_what_it_does_not_plainly_exclude() {
        let event = json!({"source": "s", "resources": ["a", "b"], "detail": {"type": "t"}});
        for (pattern, may) in [
            (json!({}), true),
            (json!({"source": ["s", "other"], "detail": {"type": ["t"]}}), true),
            (json!({"source": ["other"]}), false),
            (json!({"detail": {"data": {"next": ["relink"]}}}), false),
            (json!({"detail": {"data": {"next": [null, {"exists": false}]}}}), true),
            (json!({"source": [{"prefix": "x"}]}), true),
            (json!({"$or": [{"source": ["other"]}, {"source": ["s"]}]}), true),
            (json!({"resources": ["b"]}), true),
            (json!({"resources": ["c"]}), false),
        ] {
            assert_eq!(may_take(&pattern, &event), may, "{pattern}");
        }
    }

    #[tokio::test]
    async fn a_bus_that_is_gone_does_not_exist() {
        let server = Server::start().await;
        server.on("ListEventBuses", |_| json!({"EventBuses": [{"Name": "bot-events"}]}).into());
        assert!(!bus(&server, "bot").await.exists().await.unwrap());
        assert!(bus(&server, "bot-events").await.exists().await.unwrap());
    }

    #[tokio::test]
    async fn a_bus_is_asked_about_by_its_name_in_its_own_region() {
        let server = Server::start().await;
        server.on("ListEventBuses", |_| json!({"EventBuses": [{"Name": "bot"}]}).into());
        let bus = bus(&server, ELSEWHERE).await;
        assert!(bus.exists().await.unwrap());
        assert_eq!((bus.arn(), bus.account()), (ELSEWHERE, "210987654321"));
        let request = server.only_request("ListEventBuses");
        assert_eq!(request.json(), json!({"NamePrefix": "bot"}));
        assert_eq!(request.header("x-amz-target"), "AWSEvents.ListEventBuses");
        assert!(request.header("authorization").contains("/eu-west-1/events/aws4_request"));
    }

    #[tokio::test]
    async fn a_name_is_of_a_bus_of_the_stacks_account_and_region() {
        let server = Server::start().await;
        let bus = bus(&server, "bot").await;
        assert_eq!(bus.arn(), "arn:aws:events:us-east-1:123456789012:event-bus/bot");
    }
}
