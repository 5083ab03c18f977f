//! What a stack that does not exist yet is going to call its own: names that no other stack of the account has, and the
//! tables that a deleted stack, or the older system, has left.

use std::collections::BTreeMap;

use shared::{Timestamp, attempt::attr};

use super::answers::{CLIENT_ID, CLIENT_SECRET, WEBHOOK, WHATSAPP};
use crate::{
    aws::{TableSettings, Tables},
    error::Error,
};

/// The name in `samconfig.toml`: a stack of this name uses plain names, as every stack once did.
const USUAL: &str = "whatsapp-salesforce-connect";
/// The tables, by the parameters that name them.
const TOKENS: (&str, &str) = ("TokenTableName", "salesforce_tokens");
const ATTEMPTS: (&str, &str) = ("AttemptTableName", "connection_attempts");

/// The parameters of a new stack's secrets, where it has another name than the usual one and they are not given. The
/// template names the tables by the same rule.
pub(super) fn of_a_new_stack(stack: &str, known: &BTreeMap<String, String>) -> BTreeMap<&'static str, String> {
    if stack == USUAL {
        return BTreeMap::new();
    }
    let secrets = [CLIENT_ID, CLIENT_SECRET, WHATSAPP, WEBHOOK].into_iter();
    let unnamed = secrets.filter(|(parameter, _)| given(known, parameter).is_none());
    unnamed.map(|(parameter, name)| (parameter, format!("{stack}/{name}"))).collect()
}

/// The parameters by which a new stack uses tables that exist under its tables' names; CloudFormation refuses to create
/// them. A table that does not fit is an error: the deployment would succeed, and nobody could connect.
pub(super) async fn existing_tables(
    tables: &Tables,
    stack: &str,
    known: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<BTreeMap<&'static str, String>, Error> {
    let (tokens, attempts) = (name_of(TOKENS, stack, known), name_of(ATTEMPTS, stack, known));
    let mut parameters = BTreeMap::new();
    match tables.describe(&tokens).await? {
        Some(table) => parameters.extend(adopted_tokens(tokens, &table)?),
        None => created("CreateTokenTable", &tokens, known)?,
    }
    match tables.describe(&attempts).await? {
        Some(table) => parameters.extend(adopted_attempts(attempts, table, now)?),
        None => created("CreateAttemptTable", &attempts, known)?,
    }
    Ok(parameters)
}

fn adopted_tokens(name: String, table: &TableSettings) -> Result<[(&'static str, String); 2], Error> {
    check_key(TOKENS.0, &name, table, attr::WA_ID)?;
    Ok([("CreateTokenTable", "No".to_owned()), (TOKENS.0, name)])
}

/// An attempt table is one that a stack has left: the names of its queues may still be blocked, so new ones are given.
fn adopted_attempts(name: String, table: TableSettings, now: Timestamp) -> Result<[(&'static str, String); 4], Error> {
    check_key(ATTEMPTS.0, &name, &table, attr::ATTEMPT_ID)?;
    let Some(stream) = table.stream_arn else {
        return Err(Error::failed(
            format!("use the table {name}, which exists"),
            format!(
                "it has no stream of new images, so nobody would be notified; run aws dynamodb update-table --table-name \
                 {name} --stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE, or give another {}",
                ATTEMPTS.0
            ),
        ));
    };
    Ok([
        ("CreateAttemptTable", "No".to_owned()),
        (ATTEMPTS.0, name),
        ("AttemptStreamArn", stream),
        ("QueueNameSuffix", format!("-{:x}", now.seconds())),
    ])
}

fn check_key(parameter: &str, name: &str, table: &TableSettings, wanted: &str) -> Result<(), Error> {
    if table.has_key(wanted) {
        return Ok(());
    }
    Err(Error::failed(
        format!("use the table {name}, which exists"),
        format!("its key is {}, and has to be {wanted} (S) alone; give another {parameter}", table.key),
    ))
}

/// That a table which does not exist is to be created.
fn created(parameter: &str, name: &str, known: &BTreeMap<String, String>) -> Result<(), Error> {
    if given(known, parameter) != Some("No") {
        return Ok(());
    }
    Err(Error::failed(
        format!("use the table {name}"),
        format!(
            "{parameter}=No, and there is no such table in this account and region; correct its name, or take {parameter} \
             out of samconfig.toml to have it created"
        ),
    ))
}

/// A table's name, as the template has it.
fn name_of((parameter, usual): (&str, &str), stack: &str, known: &BTreeMap<String, String>) -> String {
    match given(known, parameter) {
        Some(name) => name.to_owned(),
        None if stack == USUAL => usual.to_owned(),
        None => format!("{stack}-{usual}"),
    }
}

fn given<'a>(known: &'a BTreeMap<String, String>, parameter: &str) -> Option<&'a str> {
    known.get(parameter).map(String::as_str).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_second_stack_has_secrets_of_its_own() {
        let own = of_a_new_stack("shop", &known(&[("WhatsAppSecretName", "shared/whatsapp")]));
        let names: Vec<_> = own.iter().map(|(parameter, name)| (*parameter, name.as_str())).collect();
        assert_eq!(
            names,
            [
                ("BotWebhookSecretName", "shop/bot_webhook"),
                ("ClientIdSecretName", "shop/sf_client_id"),
                ("ClientSecretSecretName", "shop/sf_client_secret"),
            ]
        );
    }

    #[test]
    fn a_table_that_a_stack_has_left_is_used_with_its_stream_and_queues_of_other_names() {
        let table = TableSettings {
            key: "attempt_id (S)".to_owned(),
            stream_arn: Some("arn:stream".to_owned()),
            ..TableSettings::default()
        };
        let at = |seconds| adopted_attempts("attempts".to_owned(), table.clone(), Timestamp::from_seconds(seconds));
        let [created, name, stream, queues] = at(1_790_000_000).unwrap();
        assert_eq!((created.1.as_str(), name.1.as_str(), stream.1.as_str()), ("No", "attempts", "arn:stream"));
        assert_ne!(queues, at(1_790_000_001).unwrap()[3]);
    }

    #[test]
    fn a_table_that_does_not_fit_is_refused() {
        let keyed = |key: &str| TableSettings { key: key.to_owned(), ..TableSettings::default() };
        let attempts = |table| adopted_attempts("a".to_owned(), table, Timestamp::from_seconds(0)).unwrap_err();
        assert!(attempts(keyed("attempt_id (S)")).to_string().contains("no stream of new images"));
        for key in ["wa_id (S)", "attempt_id (N)", "attempt_id (S), at (N)", ""] {
            let why = attempts(TableSettings { stream_arn: Some("arn:stream".to_owned()), ..keyed(key) }).to_string();
            assert!(why.contains("has to be attempt_id (S)") && why.contains("AttemptTableName"), "{why}");
        }
        let why = adopted_tokens("t".to_owned(), &keyed("chat (S)")).unwrap_err().to_string();
        assert!(
            why.contains("its key is chat (S), and has to be wa_id (S)") && why.contains("TokenTableName"),
            "{why}"
        );
    }

    #[test]
    fn a_table_that_is_to_be_used_and_does_not_exist_is_an_error() {
        let parameter = "CreateAttemptTable";
        assert!(created(parameter, "a", &known(&[(parameter, "Yes")])).is_ok());
        assert!(created(parameter, "a", &BTreeMap::new()).is_ok());
        let why = created(parameter, "a", &known(&[(parameter, "No")])).unwrap_err().to_string();
        assert!(why.contains("no such table"), "{why}");
    }

    #[test]
    fn the_stack_of_the_usual_name_keeps_the_usual_names() {
        assert!(of_a_new_stack(USUAL, &BTreeMap::new()).is_empty());
        assert_eq!(name_of(TOKENS, USUAL, &BTreeMap::new()), "salesforce_tokens");
        assert_eq!(name_of(ATTEMPTS, "shop", &BTreeMap::new()), "shop-connection_attempts");
        assert_eq!(name_of(ATTEMPTS, "shop", &known(&[("AttemptTableName", "mine")])), "mine");
    }
}
