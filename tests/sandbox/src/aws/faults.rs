//! The faults that are to be injected into calls of AWS.

use std::{sync::Mutex, time::Duration};

use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    control::{Action, Delay, InvalidAnswer},
    lock,
};

/// A fault, as a request describes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AwsFault {
    operation: String,
    containing: Option<String>,
    #[serde(default = "once")]
    times: u32,
    for_ms: Option<u64>,
    action: Action,
    /// Whether the client of a call is being killed.
    #[serde(skip)]
    is_killing: bool,
}

/// How long a call is held whose client is being killed: longer than any client lives.
const UNTIL_KILLED: Delay = Delay { delay_ms: 3_600_000 };

fn once() -> u32 {
    1
}

/// The faults that have not been used up yet.
#[derive(Default)]
pub(crate) struct AwsFaults(Mutex<Vec<(AwsFault, Option<Instant>)>>);

impl AwsFaults {
    /// Adds a fault, if it can be carried out.
    pub(crate) fn add(&self, fault: AwsFault) -> Result<(), InvalidAnswer> {
        fault.action.check()?;
        let end = fault.for_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        lock(&self.0).push((fault, end));
        Ok(())
    }

    /// Removes the faults with exactly this text, or all.
    pub(crate) fn clear(&self, containing: Option<&str>) {
        lock(&self.0).retain(|(fault, _)| containing.is_some() && fault.containing.as_deref() != containing);
    }

    /// The operations whose faults with exactly this text are not used up, oldest first.
    pub(crate) fn left(&self, containing: Option<&str>) -> Vec<String> {
        let faults = lock(&self.0);
        let now = Instant::now();
        let left = faults.iter().filter(|(fault, end)| fault.times > 0 && end.is_none_or(|end| now < end));
        left.filter(|(fault, _)| fault.containing.as_deref() == containing)
            .map(|(fault, _)| fault.operation.clone())
            .collect()
    }

    /// The fault for this call, which counts as used once more.
    ///
    /// To find the process to kill takes a while, in which the SDK may give up the call and repeat it. So a fault that
    /// kills is used up by [`Self::end_kill`], and until then it holds further calls.
    pub(crate) fn take(&self, operation: &str, body: &[u8]) -> Option<Action> {
        let mut faults = lock(&self.0);
        let now = Instant::now();
        faults.retain(|(fault, end)| fault.times > 0 && end.is_none_or(|end| now < end));
        let (fault, _) = faults.iter_mut().find(|(fault, _)| fault.matches(operation, body))?;
        if matches!(fault.action, Action::Kill(_)) {
            let is_repeated = std::mem::replace(&mut fault.is_killing, true);
            return Some(if is_repeated { Action::Delay(UNTIL_KILLED) } else { fault.action.clone() });
        }
        fault.times -= 1;
        Some(fault.action.clone())
    }

    /// The client of this call has been killed, or the next call's will be.
    pub(crate) fn end_kill(&self, operation: &str, body: &[u8], is_killed: bool) {
        let mut faults = lock(&self.0);
        if let Some((fault, _)) =
            faults.iter_mut().find(|(fault, _)| fault.is_killing && fault.matches(operation, body))
        {
            fault.is_killing = false;
            fault.times -= u32::from(is_killed);
        }
    }
}

impl AwsFault {
    fn matches(&self, operation: &str, body: &[u8]) -> bool {
        let named = self.operation == operation
            || self.operation.strip_suffix('*').is_some_and(|service| operation.starts_with(service));
        let about =
            |text: &String| !text.is_empty() && body.windows(text.len()).any(|window| window == text.as_bytes());
        named && self.containing.as_ref().is_none_or(about)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(faults: impl IntoIterator<Item = Value>) -> AwsFaults {
        let all = AwsFaults::default();
        faults.into_iter().for_each(|fault| all.add(serde_json::from_value(fault).unwrap()).unwrap());
        all
    }

    #[test]
    fn apply_to_their_operation_and_to_the_text_that_they_name() {
        let faults = faults([
            json!({"operation": "dynamodb.*", "containing": "07", "times": 2, "action": {"drop": "after"}}),
            json!({"operation": "sqs.SendMessage", "action": {"status": 500}}),
        ]);
        assert!(faults.take("sqs.DeleteMessage", b"07").is_none());
        assert!(faults.take("dynamodb.GetItem", b"{08}").is_none());
        assert!(faults.take("dynamodb.GetItem", b"{07}").is_some());
        assert!(faults.take("dynamodb.UpdateItem", b"{07}").is_some());
        assert!(faults.take("dynamodb.UpdateItem", b"{07}").is_none());
        assert!(faults.take("sqs.SendMessage", b"").is_some());
    }

    #[test]
    fn a_call_that_is_repeated_while_its_client_is_killed_is_held() {
        let faults = faults([json!({"operation": "dynamodb.*", "containing": "07", "action": {"kill": "before"}})]);
        let take = || faults.take("dynamodb.UpdateItem", b"07");
        assert!(matches!(take(), Some(Action::Kill(_))));
        assert!(matches!(take(), Some(Action::Delay(_))));
        faults.end_kill("dynamodb.UpdateItem", b"07", false);
        assert!(matches!(take(), Some(Action::Kill(_))));
        assert_eq!(faults.left(Some("07")), ["dynamodb.*"]);
        faults.end_kill("dynamodb.UpdateItem", b"07", true);
        assert!(faults.left(Some("07")).is_empty());
        assert!(take().is_none());
    }

    #[test]
    fn end_after_their_time_or_when_removed() {
        let over = json!({"operation": "kms.*", "for_ms": 0, "action": {"drop": "before"}});
        assert!(faults([over]).take("kms.Sign", b"").is_none());
        let lasting =
            |text: &str| json!({"operation": "kms.*", "containing": text, "times": 9, "action": {"drop": "before"}});
        let faults = faults([lasting("a"), lasting("b")]);
        faults.clear(Some("a"));
        assert!(faults.take("kms.Sign", b"a").is_none() && faults.take("kms.Sign", b"b").is_some());
        faults.clear(None);
        assert!(faults.take("kms.Sign", b"b").is_none());
    }
}
