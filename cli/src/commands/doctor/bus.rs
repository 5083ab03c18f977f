//! Whether events reach the bot by its event bus (`EventBusName`). What is found is judged by a pure function.

mod examples;

use shared::timestamp::Clock;

use self::examples::examples;
use super::finding::Finding;
use crate::{
    aws::{Bus, Roles},
    error::Error,
    target::Target,
};

const CHECK: &str = "event-bus";
const NO_EVENTS: &str = "The bot gets no events from the bus.";

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// It is another account's, so that nothing of it can be seen.
    Foreign,
    Absent,
    /// The notifier's role may not put events on it.
    Denied,
    /// No rule takes what the stack puts there.
    Unheard,
    Heard,
}

/// The bus with this name, which the notifier with this role puts events on.
pub(super) async fn check(target: &Target, name: &str, role_arn: &str, clock: Clock) -> Result<Vec<Finding>, Error> {
    let account = target.stack.id().split(':').nth(4).unwrap_or_default();
    let bus = Bus::new(&target.aws, name, target.stack.id(), clock);
    let denied = Roles::new(&target.aws).denied(role_arn, &["events:PutEvents"], bus.arn(), &[]).await?;
    let found = if !denied.is_empty() {
        Found::Denied
    } else if bus.account() != account {
        Found::Foreign
    } else if !bus.exists().await? {
        Found::Absent
    } else if bus.is_heard(&examples(account, bus.region(), clock())).await? {
        Found::Heard
    } else {
        Found::Unheard
    };
    Ok(vec![judge(name, found)])
}

fn judge(name: &str, found: Found) -> Finding {
    match found {
        Found::Heard => Finding::ok(CHECK, format!("the event bus {name} exists, and a rule takes the stack's events")),
        Found::Absent => Finding::problem(
            CHECK,
            format!("the event bus {name} does not exist"),
            NO_EVENTS,
            "Create it, or correct EventBusName and deploy; then run wasf events redrive.",
        ),
        Found::Denied => Finding::problem(
            CHECK,
            format!("Notifier may not put events on {name}: its role's policies do not allow it"),
            NO_EVENTS,
            "Deploy again; if the role has a permissions boundary, allow events:PutEvents there.",
        ),
        Found::Unheard => Finding::note(
            CHECK,
            format!("no rule on the event bus {name} takes the stack's events"),
            "EventBridge accepts events, and drops those that no enabled rule with a target matches.",
            "Create a rule and a target (docs/EVENTS.md, \"Event bus\").",
        ),
        Found::Foreign => Finding::note(
            CHECK,
            format!("{name} is in another account, where wasf does not look"),
            "Whether it exists, lets the notifier put events, and has a rule for them is not known.",
            "Run wasf events test, and see whether the rule's target receives connection.test.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};

    #[test]
    fn a_bus_without_a_rule_is_a_note_and_one_that_takes_no_events_a_problem() {
        for (found, level) in [
            (Found::Heard, Level::Ok),
            (Found::Unheard, Level::Note),
            (Found::Foreign, Level::Note),
            (Found::Absent, Level::Problem),
            (Found::Denied, Level::Problem),
        ] {
            assert_eq!(judge("bot", found).level, level, "{found:?}");
        }
    }
}
