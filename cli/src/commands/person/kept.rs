//! Where else a chat is known, and for how long: what no command of `wasf` can show or erase.

use serde_json::{Value, json};

use crate::report::Table;

/// A place that is not searched.
pub(super) struct Kept {
    place: &'static str,
    what: &'static str,
    how_long: &'static str,
}

/// DynamoDB's recovery period, where a table does not set another
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html>).
const RECOVERY: &str = "35 days, or the table's own recovery period";

/// By the template: a test compares them.
pub(super) const KEPT: [Kept; 9] = [
    Kept { place: "point-in-time recovery of both tables", what: "the rows as they were", how_long: RECOVERY },
    Kept { place: "backups of your own", what: "the rows as they were", how_long: "as long as you keep them" },
    Kept { place: "attempt table's stream", what: "outcomes and references, with the chat", how_long: "24 hours" },
    Kept { place: "exchange queue", what: "a consent under way, with the chat", how_long: "4 days" },
    Kept { place: "dead letters", what: "consents that were not exchanged, with the chat", how_long: "14 days" },
    Kept { place: "upkeep queue", what: "sealed tokens to store or revoke, with the chat", how_long: "4 days" },
    Kept { place: "upkeep dead letters", what: "sealed tokens to store or revoke, with the chat", how_long: "14 days" },
    Kept { place: "logs", what: "ids of attempts and links; no chat, no name", how_long: "30 days" },
    Kept { place: "bot, WhatsApp, Salesforce", what: "events, messages, logins", how_long: "by their own rules" },
];

pub(super) fn text() -> String {
    let mut table = Table::with_header(["KEPT ELSEWHERE", "WHAT", "FOR"]);
    for Kept { place, what, how_long } in KEPT {
        table.row([place, what, how_long].map(str::to_owned));
    }
    format!("\n{}\nAfter a restore from a backup, erase again.\n", table.text())
}

pub(super) fn json() -> Value {
    KEPT.iter().map(|Kept { place, what, how_long }| json!({"place": place, "what": what, "for": how_long})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept_for(place: &str) -> &'static str {
        KEPT.iter().find(|kept| kept.place == place).unwrap().how_long
    }

    #[test]
    fn queues_and_logs_keep_as_long_as_the_template_says() {
        let days = |resource| fakes::template::number(resource, "MessageRetentionPeriod") / 86_400;
        assert_eq!(kept_for("exchange queue"), format!("{} days", days("ExchangeQueue")));
        assert_eq!(kept_for("dead letters"), format!("{} days", days("ExchangeDeadLetterQueue")));
        assert_eq!(kept_for("upkeep queue"), format!("{} days", days("UpkeepQueue")));
        assert_eq!(kept_for("upkeep dead letters"), format!("{} days", days("UpkeepDeadLetterQueue")));
        let template = include_str!("../../../../template.yaml");
        let mut retentions = template
            .split("RetentionInDays: ")
            .skip(1)
            .map(|rest| rest.split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default());
        assert!(retentions.all(|days| kept_for("logs") == format!("{days} days")));
    }
}
