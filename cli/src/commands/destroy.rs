//! `wasf destroy`: deletes the stack, and says what stays and why.

use serde_json::{Value, json};

use crate::{
    aws::{Queue, delete_stack},
    error::{Error, Exit},
    report::{Progress, Report, Table, count},
    target::Target,
};

/// What outlives a stack (`DeletionPolicy` in the template): by its name there, what it is, and why it stays.
const STAYS: [(&str, &str, &str); 7] = [
    ("TokenTable", "table", "the tokens of everybody who is connected, which the bot reads"),
    ("AttemptTable", "table", "who connected when, for 90 days"),
    ("TokenKey", "key", "encrypts the table of tokens and its backups"),
    ("EncryptionKey", "key", "encrypts the table of attempts and its backups"),
    ("StateKey", "key", "nothing needs it any more: a new stack makes its own"),
    ("PkceKey", "key", "nothing needs it any more: a new stack makes its own"),
    ("LinkKey", "key", "nothing needs it any more: a new stack makes its own"),
];
/// The parameters that name secrets. The stack has not made them, so it does not delete them.
const SECRETS: [&str; 5] = [
    "ClientIdSecretName",
    "ClientSecretSecretName",
    "CallbackUriSecretName",
    "WhatsAppSecretName",
    "BotWebhookSecretName",
];
/// The queues, which go with what is in them.
const QUEUES: [(&str, &str); 3] = [
    ("ExchangeQueueUrl", "exchange queue"),
    ("ExchangeDlqUrl", "dead letters"),
    ("NotifierFailureQueueUrl", "failed notifications"),
];

/// Something that stays.
struct Left<'a> {
    what: &'static str,
    name: &'a str,
    why: &'static str,
}

pub(crate) async fn run(target: &Target, force: bool, confirm: bool) -> Result<Report, Error> {
    let mut waiting = Vec::new();
    for (output, name) in QUEUES {
        let counts = Queue::new(&target.aws, target.stack.output(output)?).counts().await?;
        waiting.push((name, counts.waiting + counts.in_flight + counts.delayed));
    }
    let messages: usize = waiting.iter().map(|(_, number)| number).sum();
    if confirm && !force && messages > 0 {
        let why = format!(
            "{} in its queues, which may be somebody's consent; see wasf dlq stats and wasf dlq redrive, or add --force",
            count(messages, "message")
        );
        return Err(Error::failed(format!("delete the stack {}", target.stack.name()), why));
    }
    if confirm {
        delete_stack(&target.aws, &target.stack, &mut Progress::of("asked whether the stack is gone")).await?;
    }
    Ok(report(&left(target), &waiting, confirm))
}

/// What stays, in the order of its weight.
fn left(target: &Target) -> Vec<Left<'_>> {
    let resources =
        STAYS.iter().filter_map(|(logical, what, why)| Some(Left { what, name: target.stack.resource(logical)?, why }));
    // Tables that the stack only used.
    let adopted = [("CreateTokenTable", "TokenTableName"), ("CreateAttemptTable", "AttemptTableName")]
        .into_iter()
        .filter(|(created, _)| target.stack.parameter(created) == "No")
        .map(|(_, name)| Left { what: "table", name: target.stack.parameter(name), why: "the stack did not make it" });
    let secrets = SECRETS.iter().map(|name| target.stack.parameter(name)).filter(|name| !name.is_empty());
    let secrets = secrets.map(|name| Left { what: "secret", name, why: "the stack did not make it" });
    resources.chain(adopted).chain(secrets).collect()
}

fn report(left: &[Left<'_>], waiting: &[(&str, usize)], confirmed: bool) -> Report {
    let mut table = Table::with_header(["STAYS", "NAME", "WHY"]);
    for Left { what, name, why } in left {
        table.row([(*what).to_owned(), (*name).to_owned(), (*why).to_owned()]);
    }
    let messages: Vec<_> = waiting
        .iter()
        .filter(|(_, number)| *number > 0)
        .map(|(queue, number)| format!("{} in {queue}", count(*number, "message")))
        .collect();
    let goes = "functions, API, alarms, logs, queues and the table of limits";
    let lost = if messages.is_empty() { String::new() } else { format!(", with {}", messages.join(", ")) };
    let next = if confirmed {
        format!(
            "The stack is deleted: {goes}{lost}.\nTo deploy again, wait a minute, then run wasf init --confirm and make \
             deploy: the tables are used as they are.\nA key that nothing needs costs a dollar a month until you run aws \
             kms schedule-key-deletion --key-id KEY."
        )
    } else {
        format!("Dry run: would delete {goes}{lost}. Run it again with --confirm.")
    };
    let stays: Vec<Value> =
        left.iter().map(|Left { what, name, why }| json!({"what": what, "name": name, "why": why})).collect();
    let waiting: Value = waiting.iter().map(|(queue, number)| ((*queue).to_owned(), json!(number))).collect();
    let json = json!({"dry_run": !confirmed, "deleted": confirmed, "stays": stays, "waiting": waiting});
    Report::new(format!("{}\n{next}\n", table.text()), json, Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_lost_with_the_queues_is_named() {
        let key = Left { what: "key", name: "1234", why: "encrypts" };
        let planned = report(&[key], &[("exchange queue", 0), ("dead letters", 2)], false);
        assert!(planned.text.contains("with 2 messages in dead letters. Run it again"), "{}", planned.text);
        assert_eq!((&planned.json["deleted"], &planned.json["stays"][0]["name"]), (&json!(false), &json!("1234")));
    }
}
