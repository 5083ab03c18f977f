//! What a stack that does not exist yet is going to call its own: names that no other stack of the account has, and the
//! tables that a deleted stack, or the older system, has left.

use std::collections::BTreeMap;

use super::answers::{CLIENT_ID, CLIENT_SECRET, WEBHOOK, WHATSAPP};
use crate::{aws::Tables, error::Error};

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
/// them.
pub(super) async fn existing_tables(
    tables: &Tables,
    stack: &str,
    known: &BTreeMap<String, String>,
) -> Result<BTreeMap<&'static str, String>, Error> {
    let mut parameters = BTreeMap::new();
    let name = name_of(TOKENS, stack, known);
    if tables.stream(&name).await?.is_some() {
        parameters.extend([("CreateTokenTable", "No".to_owned()), (TOKENS.0, name)]);
    }
    let name = name_of(ATTEMPTS, stack, known);
    match tables.stream(&name).await? {
        None => {}
        Some(Some(stream)) => {
            let names = [("CreateAttemptTable", "No".to_owned()), (ATTEMPTS.0, name), ("AttemptStreamArn", stream)];
            parameters.extend(names);
        }
        Some(None) => return Err(Error::failed("use the table of attempts that exists", no_stream(&name))),
    }
    Ok(parameters)
}

fn no_stream(table: &str) -> String {
    format!(
        "{table} has no stream of new images, so nobody would be notified; run aws dynamodb update-table --table-name \
         {table} --stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE, or give another AttemptTableName"
    )
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
    fn the_stack_of_the_usual_name_keeps_the_usual_names() {
        assert!(of_a_new_stack(USUAL, &BTreeMap::new()).is_empty());
        assert_eq!(name_of(TOKENS, USUAL, &BTreeMap::new()), "salesforce_tokens");
        assert_eq!(name_of(ATTEMPTS, "shop", &BTreeMap::new()), "shop-connection_attempts");
        assert_eq!(name_of(ATTEMPTS, "shop", &known(&[("AttemptTableName", "mine")])), "mine");
    }
}
