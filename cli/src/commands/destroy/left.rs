//! What outlives a stack: why it stays, and the commands that take it away. Pure.

use serde_json::{Value, json};

use crate::{aws::Holder, stack::Resource};

/// Something that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// `table`, `key`, `secret`, or a resource's type.
    pub(super) what: &'static str,
    pub(super) name: String,
    pub(super) why: String,
    /// The commands that take it away, one after the other.
    pub(super) remove: Vec<String>,
}

impl Left {
    pub(super) fn json(&self) -> Value {
        json!({"what": self.what, "name": self.name, "why": self.why, "remove": self.remove})
    }
}

/// A table, by the output that names it; `adopted` is one that the stack has only used.
pub(super) fn table_left(output: &str, name: &str, adopted: bool) -> Left {
    let holds = match output {
        "TokenTableName" => "the tokens of everybody who is connected, which the bot reads",
        _ => "who connected when, for 90 days",
    };
    let whose = if adopted { "; the stack did not make it" } else { "" };
    Left {
        what: "table",
        name: name.to_owned(),
        why: format!("{holds}{whose}"),
        remove: vec![
            format!("aws dynamodb update-table --table-name {name} --no-deletion-protection-enabled"),
            format!("aws dynamodb delete-table --table-name {name}"),
        ],
    }
}

/// A key, with the tables that it encrypts.
pub(super) fn key_left(id: &str, tables: &[&str]) -> Left {
    let why = match tables {
        [] => "nothing that stays needs it, unless an older table's backup does; it costs a dollar a month".to_owned(),
        _ => format!("encrypts {} and the backups of it; nobody reads them without it", tables.join(" and ")),
    };
    Left {
        what: "key",
        name: id.to_owned(),
        why,
        remove: vec![format!("aws kms schedule-key-deletion --key-id {id} --pending-window-in-days 30")],
    }
}

/// The key that opens the refresh tokens in the token table: it goes last, or never.
pub(super) fn token_key_left(id: &str) -> Left {
    Left {
        what: "key",
        name: id.to_owned(),
        why: "opens the refresh tokens in the token table and its backups; without it everybody has to connect again, so keep it. \
              wasf init gives it to the next stack of this name (RefreshTokenKeyArn)"
            .to_owned(),
        remove: Vec::new(),
    }
}

/// The command that takes a policy away from somebody.
pub(super) fn detach(Holder { kind, name }: &Holder, policy_arn: &str) -> String {
    format!("aws iam detach-{kind}-policy --{kind}-name {name} --policy-arn {policy_arn}")
}

/// A secret, which no stack makes.
pub(super) fn secret_left(name: &str) -> Left {
    Left {
        what: "secret",
        name: name.to_owned(),
        why: "the stack did not make it, and another may use it".to_owned(),
        remove: vec![format!("aws secretsmanager delete-secret --secret-id {name}")],
    }
}

/// Any other resource that the deployed template retains.
pub(super) fn retained_left(resource: &Resource) -> Left {
    let why = format!("the template retains its {} ({})", resource.logical, resource.kind);
    Left { what: "resource", name: resource.physical.clone(), why, remove: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_which_tables_it_encrypts() {
        assert!(key_left("1", &["a", "b"]).why.starts_with("encrypts a and b"));
        assert!(key_left("1", &[]).why.starts_with("nothing that stays needs it"));
    }

    #[test]
    fn the_key_of_refresh_tokens_is_never_offered_for_deletion() {
        let left = token_key_left("1");
        assert!(left.remove.is_empty() && left.why.contains("RefreshTokenKeyArn"));
    }

    #[test]
    fn a_table_that_the_stack_only_used_says_so() {
        assert!(table_left("AttemptTableName", "attempts", true).why.ends_with("the stack did not make it"));
        assert!(!table_left("AttemptTableName", "attempts", false).why.contains("did not make"));
    }
}
