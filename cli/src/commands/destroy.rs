//! `wasf destroy`: deletes the stack, and says what stays, why, and how to take it away.

mod left;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use self::left::{Left, detach, key_left, retained_left, secret_left, table_left, token_key_left};
use crate::{
    aws::{
        Holder, Keys, Presence, Queue, Roles, SecretsManager, TableSettings, Tables, delete_stack, retained_resources,
    },
    error::{Error, Exit},
    report::{Progress, Report, Table, count},
    stack::Resource,
    target::Target,
};

/// The tables: the output or parameter that names each, the resource, and the parameter by which the stack has not made it.
const TABLES: [(&str, &str, &str); 2] =
    [("TokenTableName", "TokenTable", "CreateTokenTable"), ("AttemptTableName", "AttemptTable", "CreateAttemptTable")];
/// The parameters that name secrets. The stack has not made them, so it does not delete them.
const SECRETS: [&str; 5] = [
    "ClientIdSecretName",
    "ClientSecretSecretName",
    "CallbackUriSecretName",
    "WhatsAppSecretName",
    "BotWebhookSecretName",
];
/// The queues, which go with what is in them.
const QUEUES: [(&str, &str); 7] = [
    ("ExchangeQueueUrl", "exchange queue"),
    ("ExchangeDlqUrl", "dead letters"),
    ("NotifierRetryQueueUrl", "outcomes to be told"),
    ("NotifierRetryDlqUrl", "outcomes that were retried for a day"),
    ("NotifierFailureQueueUrl", "failed notifications"),
    ("UpkeepQueueUrl", "refreshed tokens, revocations and logins that wait for their chat"),
    ("UpkeepDlqUrl", "dead letters of upkeep"),
];

pub(crate) async fn run(target: &Target, force: bool, confirm: bool) -> Result<Report, Error> {
    let mut waiting = Vec::new();
    for (output, name) in QUEUES {
        // A stack from before has fewer.
        let Ok(url) = target.stack.output(output) else { continue };
        let counts = Queue::new(&target.aws, url).counts().await?;
        waiting.push((name, counts.waiting + counts.in_flight + counts.delayed));
    }
    let messages: usize = waiting.iter().map(|(_, number)| number).sum();
    if confirm && !force && messages > 0 {
        let why = format!(
            "{} in its queues, which may be somebody's consent or its answer; see wasf dlq stats, wasf dlq redrive (with --queue upkeep, too) and wasf \
             events redrive, or add --force",
            count(messages, "message")
        );
        return Err(Error::failed(format!("delete the stack {}", target.stack.name()), why));
    }
    let attached = Attached::read(target).await?;
    if confirm && !attached.holders.is_empty() {
        let why = format!(
            "IAM does not delete a policy that is attached, and the deletion would stop half-way; run {}",
            attached.commands().join(" && ")
        );
        return Err(Error::failed(format!("delete the stack {}", target.stack.name()), why));
    }
    let left = left(target).await?;
    if confirm {
        delete_stack(&target.aws, &target.stack, &mut Progress::of("asked whether the stack is gone")).await?;
    }
    Ok(report(&left, &waiting, &attached, confirm))
}

/// Whom the bot's policy is attached to: they are in the way of deleting it.
#[derive(Debug, Default)]
struct Attached {
    policy: String,
    holders: Vec<Holder>,
}

impl Attached {
    async fn read(target: &Target) -> Result<Self, Error> {
        // A stack from before has none.
        let Some(policy) = target.stack.resource("BotPolicy") else { return Ok(Self::default()) };
        Ok(Self { policy: policy.to_owned(), holders: Roles::new(&target.aws).holders(policy).await? })
    }

    fn commands(&self) -> Vec<String> {
        self.holders.iter().map(|holder| detach(holder, &self.policy)).collect()
    }

    fn text(&self) -> String {
        if self.holders.is_empty() {
            return String::new();
        }
        let commands: Vec<_> = self.commands().iter().map(|command| format!("  {command}\n")).collect();
        format!(
            "\nIn the way: the bot's policy is attached, and IAM does not delete it until you run\n{}",
            commands.concat()
        )
    }

    fn json(&self) -> Value {
        let of =
            |(holder, remove): (&Holder, String)| json!({"what": holder.kind, "name": holder.name, "remove": remove});
        self.holders.iter().zip(self.commands()).map(of).collect()
    }
}

/// What stays, in the order in which it may be taken away: a table before the key that encrypts it.
async fn left(target: &Target) -> Result<Vec<Left>, Error> {
    let (stack, aws) = (&target.stack, &target.aws);
    let (tables, keys, secrets) = (Tables::new(aws), Keys::new(aws), SecretsManager::new(aws));
    let retained = retained_resources(aws, stack).await?;
    let mut left = Vec::new();
    let mut encrypted: Vec<(String, TableSettings)> = Vec::new();
    for (output, logical, created) in TABLES {
        // A stack whose creation failed has no outputs.
        let name = stack.output(output).ok().or(stack.resource(logical)).unwrap_or(stack.parameter(output));
        if name.is_empty() {
            continue;
        }
        if let Some(table) = tables.describe(name).await? {
            left.push(table_left(output, name, stack.parameter(created) == "No"));
            encrypted.push((name.to_owned(), table));
        }
    }
    for name in SECRETS.iter().map(|parameter| stack.parameter(parameter)).filter(|name| !name.is_empty()) {
        if secrets.presence(name).await? == Presence::Present {
            left.push(secret_left(name));
        }
    }
    // Those of the tables may be an older stack's, or the owner's.
    let of_tables = encrypted.iter().filter_map(|(_, table)| table.encryption_key.as_deref().map(id_of));
    let of_stack = retained.iter().filter(|resource| resource.kind == "AWS::KMS::Key");
    // The stack may have been given it.
    let of_tokens = stack.output("RefreshTokenKeyArn").ok().map(id_of);
    let of_stack = of_stack.map(|resource| resource.physical.as_str());
    let ids: BTreeSet<&str> = of_stack.chain(of_tables).chain(of_tokens).collect();
    for id in ids {
        if keys.stays(id).await {
            let by_it = encrypted.iter().filter(|(_, table)| table.encryption_key.as_deref().map(id_of) == Some(id));
            let tables: Vec<_> = by_it.map(|(name, _)| name.as_str()).collect();
            left.push(if of_tokens == Some(id) { token_key_left(id) } else { key_left(id, &tables) });
        }
    }
    let is_listed = |resource: &&Resource| {
        resource.kind == "AWS::KMS::Key" || TABLES.iter().any(|(_, logical, _)| *logical == resource.logical)
    };
    left.extend(retained.iter().filter(|resource| !is_listed(resource)).map(retained_left));
    Ok(left)
}

/// The id in a key's ARN.
fn id_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn report(left: &[Left], waiting: &[(&str, usize)], attached: &Attached, confirmed: bool) -> Report {
    let mut table = Table::with_header(["STAYS", "NAME", "WHY"]);
    for Left { what, name, why, .. } in left {
        table.row([(*what).to_owned(), name.clone(), why.clone()]);
    }
    let remove: Vec<_> = left.iter().flat_map(|left| &left.remove).map(|command| format!("  {command}\n")).collect();
    let messages: Vec<_> = waiting
        .iter()
        .filter(|(_, number)| *number > 0)
        .map(|(queue, number)| format!("{} in {queue}", count(*number, "message")))
        .collect();
    let goes = "functions, API, alarms, logs, queues, the tables of limits and of pending logins, and every key that is not listed";
    let lost = if messages.is_empty() { String::new() } else { format!(", with {}", messages.join(", ")) };
    let next = if confirmed {
        format!(
            "The stack is deleted: {goes}{lost}.\nTo deploy again, run wasf init --confirm, then deploy as before: the tables \
             are used as they are, with their keys."
        )
    } else {
        format!("Dry run: would delete {goes}{lost}. Run it again with --confirm.")
    };
    let how = if remove.is_empty() {
        String::new()
    } else {
        format!(
            "\nNone of it is in the way of another deployment. To take it away for good, in this order:\n{}",
            remove.concat()
        )
    };
    let stays: Vec<Value> = left.iter().map(Left::json).collect();
    let waiting: Value = waiting.iter().map(|(queue, number)| ((*queue).to_owned(), json!(number))).collect();
    let json = json!({
        "dry_run": !confirmed, "deleted": confirmed, "stays": stays, "waiting": waiting, "in_the_way": attached.json(),
    });
    Report::new(format!("{}{how}{}\n{next}\n", table.text(), attached.text()), json, Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_lost_with_the_queues_is_named() {
        let planned = report(
            &[key_left("1234", &[])],
            &[("exchange queue", 0), ("dead letters", 2)],
            &Attached::default(),
            false,
        );
        assert!(planned.text.contains("with 2 messages in dead letters. Run it again"), "{}", planned.text);
        assert_eq!((&planned.json["deleted"], &planned.json["stays"][0]["name"]), (&json!(false), &json!("1234")));
    }

    #[test]
    fn what_stays_is_listed_with_the_commands_that_take_it_away_tables_before_their_keys() {
        let left = [table_left("TokenTableName", "tokens", false), key_left("1234", &["tokens"])];
        let planned = report(&left, &[], &Attached::default(), false);
        let place = |command: &str| planned.text.find(command).unwrap_or_else(|| panic!("{}", planned.text));
        let commands = [
            "aws dynamodb update-table --table-name tokens --no-deletion-protection-enabled",
            "aws dynamodb delete-table --table-name tokens",
            "aws kms schedule-key-deletion --key-id 1234",
        ];
        assert!(commands.map(place).is_sorted());
        assert_eq!(planned.json["stays"][0]["remove"], json!(commands[..2]));
        assert!(planned.json["stays"][1]["why"].as_str().unwrap_or_default().contains("tokens"));
    }

    #[test]
    fn who_is_in_the_way_of_the_deletion_is_named_with_the_command() {
        let holder = |kind, name: &str| Holder { kind, name: name.to_owned() };
        let attached =
            Attached { policy: "arn:p".to_owned(), holders: vec![holder("role", "bot"), holder("user", "old-bot")] };
        let planned = report(&[], &[], &attached, false);
        for command in [
            "aws iam detach-role-policy --role-name bot --policy-arn arn:p",
            "aws iam detach-user-policy --user-name old-bot --policy-arn arn:p",
        ] {
            assert!(planned.text.contains(command) && planned.json["in_the_way"].to_string().contains(command));
        }
        assert!(!report(&[], &[], &Attached::default(), false).text.contains("In the way"));
    }
}
