//! The key that opens the refresh tokens of a table which a new stack uses again. A stack that is deleted leaves it, and without
//! it everybody in the table has to connect again.

use super::answers::REFRESH_TOKEN_KEY;
use crate::{
    aws::{ConnectionTable, HasSealed, Key, Keys, SdkConfig},
    commands::key_policy,
    error::Error,
};

/// What the template says of the key.
const DESCRIPTION: &str = "Seals the refresh tokens in the table that bots read.";
const ACTION: &str = "use the key of the table's refresh tokens";
const OR_WITHOUT: &str = "or give --refresh-token-key-arn=- for a new key, with which everybody whose refresh token is sealed has to connect again";

/// So many rows are searched for a sealed refresh token: a minute's work.
const MOST_ROWS: usize = 100_000;

/// The key to give to a new stack of this name that uses the table; `None` where the table needs none. `known` is the one that
/// `samconfig.toml` or a flag names.
///
/// # Errors
/// The table's refresh tokens are sealed, and it is not clear by which key; or the key cannot be used.
pub(super) async fn find(
    aws: &SdkConfig,
    stack: &str,
    table: &str,
    known: Option<&str>,
) -> Result<Option<String>, Error> {
    let keys = Keys::new(aws);
    if let Some(arn) = known {
        return usable(&keys.read(arn).await?).map(Some);
    }
    let left = keys.described(DESCRIPTION).await;
    if let Ok((left, _)) = &left {
        match of_stack(left, stack) {
            Ok(Some(key)) => return usable(key).map(Some),
            Ok(None) => {}
            Err(several) => return Err(ambiguous(&several)),
        }
    }
    // That of the older system has none, and whoever deploys may not be allowed to list keys.
    if !is_sealed(aws, table).await? {
        return Ok(None);
    }
    let (left, unread) = left?;
    Err(missing(table, &left, unread))
}

async fn is_sealed(aws: &SdkConfig, table: &str) -> Result<bool, Error> {
    match ConnectionTable::new(aws, table).has_sealed(MOST_ROWS).await {
        Ok(HasSealed::Yes) => Ok(true),
        Ok(HasSealed::No) => Ok(false),
        Ok(HasSealed::Unknown { rows_read }) => {
            Err(unknown(table, &format!("none of the first {rows_read} rows is, and there are more")))
        }
        Err(error) => Err(unknown(table, &error.to_string())),
    }
}

fn unknown(table: &str, why: &str) -> Error {
    let why = format!(
        "whether those in {table} are sealed is not known: {why}; give the key that the table's last stack had by \
         --refresh-token-key-arn, {OR_WITHOUT}"
    );
    Error::failed(ACTION, why)
}

/// The key that a stack of this name has left; several, where one of them would be a guess. A key whose deletion somebody has
/// scheduled counts where there is no other.
fn of_stack<'a>(left: &'a [Key], stack: &str) -> Result<Option<&'a Key>, Vec<&'a Key>> {
    let own: Vec<_> = left.iter().filter(|key| opens_for(key) == Some(stack)).collect();
    let kept: Vec<_> = own.iter().copied().filter(|key| key.state != "PendingDeletion").collect();
    match (&kept[..], &own[..]) {
        ([key], _) | ([], [key]) => Ok(Some(key)),
        ([], []) => Ok(None),
        _ => Err(own),
    }
}

/// The stack whose keeper a key's policy lets in, also when it is deployed again.
fn opens_for(key: &Key) -> Option<&str> {
    let patterns = key_policy::spared(&key.statements, "kms:Decrypt").into_iter().flatten();
    let mut stacks = patterns.filter_map(|arn| arn.split_once(":role/")?.1.strip_suffix("-TokenKeeperRole-*"));
    stacks.next()
}

/// The key's ARN, if it can be used.
fn usable(key: &Key) -> Result<String, Error> {
    let Key { arn, state, .. } = key;
    let remedy = match state.as_str() {
        "Enabled" => return Ok(arn.clone()),
        "PendingDeletion" => {
            format!("aws kms cancel-key-deletion --key-id {arn}, and aws kms enable-key --key-id {arn}")
        }
        _ => format!("aws kms enable-key --key-id {arn}"),
    };
    Err(Error::failed(ACTION, format!("{arn} is {state}; run {remedy}, {OR_WITHOUT}")))
}

fn missing(table: &str, left: &[Key], unread: usize) -> Error {
    let others: Vec<_> =
        left.iter().map(|key| format!("{} of the stack {}", key.arn, opens_for(key).unwrap_or("?"))).collect();
    let others = match (others.is_empty(), unread) {
        (false, _) => format!("others have left {}; give one by --refresh-token-key-arn", others.join(", ")),
        (true, 0) => "there is no such key in this account and region".to_owned(),
        (true, unread) => format!("{unread} of the account's keys may not be read; give --refresh-token-key-arn"),
    };
    Error::failed(
        ACTION,
        format!(
            "refresh tokens in {table} are sealed, and no stack of this name has left a key: {others}, {OR_WITHOUT}"
        ),
    )
}

fn ambiguous(several: &[&Key]) -> Error {
    let keys: Vec<_> = several.iter().map(|key| format!("{} ({})", key.arn, key.state)).collect();
    Error::failed(
        ACTION,
        format!(
            "stacks of this name have left {} keys: {}; give {REFRESH_TOKEN_KEY} by --refresh-token-key-arn, {OR_WITHOUT}",
            keys.len(),
            keys.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::*;

    fn key(id: &str, stack: &str, state: &str) -> Key {
        let names = json!([
            format!("arn:aws:iam::123456789012:role/{stack}-TokenKeeperRole-1X2Y3Z"),
            format!("arn:aws:iam::123456789012:role/{stack}-TokenKeeperRole-*"),
        ]);
        let condition = json!({"ArnNotLike": {"aws:PrincipalArn": names}});
        Key {
            arn: id.to_owned(),
            state: state.to_owned(),
            statements: vec![
                json!({"Effect": "Allow"}),
                json!({"Effect": "Deny", "Principal": "*", "Action": ["kms:Decrypt"], "Condition": condition}),
            ],
        }
    }

    fn found(left: &[Key]) -> Result<Option<&str>, usize> {
        let found = of_stack(left, "shop");
        found.map(|key| key.map(|key| key.arn.as_str())).map_err(|several| several.len())
    }

    #[test]
    fn the_key_is_the_one_that_lets_the_next_stack_of_the_name_in() {
        let shop = key("k1", "shop", "Enabled");
        assert_eq!(found(&[key("k0", "shop-2", "Enabled"), shop.clone()]), Ok(Some("k1")));
        assert_eq!(found(&[key("k0", "shop-2", "Enabled")]), Ok(None));
        let bare = Key { statements: vec![json!({"Effect": "Allow", "Principal": "*"})], ..shop };
        assert_eq!(found(&[bare]), Ok(None), "a policy that somebody has replaced");
    }

    #[test]
    fn among_several_keys_nothing_is_guessed() {
        let [old, new] = ["k1", "k2"].map(|id| key(id, "shop", "Enabled"));
        assert_eq!(found(&[old.clone(), new]), Err(2));
        assert_eq!(found(&[old, key("k2", "shop", "PendingDeletion")]), Ok(Some("k1")));
        let given_up = ["k1", "k2"].map(|id| key(id, "shop", "PendingDeletion"));
        assert_eq!(found(&given_up), Err(2));
        let why = ambiguous(&given_up.iter().collect::<Vec<_>>()).to_string();
        assert!(why.contains("k1 (PendingDeletion), k2") && why.contains("--refresh-token-key-arn"), "{why}");
    }

    #[test]
    fn a_key_that_cannot_be_used_says_how_it_can() {
        assert_eq!(usable(&key("k1", "shop", "Enabled")).unwrap(), "k1");
        let why = |state| usable(&key("k1", "shop", state)).unwrap_err().to_string();
        assert!(why("Disabled").contains("enable-key --key-id k1"));
        assert!(why("PendingDeletion").contains("cancel-key-deletion --key-id k1"));
    }

    #[test]
    fn a_key_that_is_missing_says_what_others_there_are() {
        let why = missing("tokens", &[key("k0", "old", "Enabled")], 0).to_string();
        assert!(why.contains("k0 of the stack old") && why.contains("has to connect again"), "{why}");
        assert!(missing("tokens", &[], 3).to_string().contains("3 of the account's keys may not be read"));
        assert!(missing("tokens", &[], 0).to_string().contains("no such key"));
    }

    #[test]
    fn a_table_that_is_too_large_to_search_says_so_and_what_to_give() {
        let why = unknown("tokens", "none of the first 100000 rows is, and there are more").to_string();
        assert!(why.contains("those in tokens are sealed is not known: none of the first 100000 rows is"), "{why}");
        assert!(why.contains("--refresh-token-key-arn, or give --refresh-token-key-arn=-"), "{why}");
    }

    #[test]
    fn a_key_is_known_by_what_the_template_says_of_it() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let template = fs::read_to_string(path).unwrap();
        let key = template.split("\n  RefreshTokenKey:\n").nth(1).unwrap();
        assert!(key.split("\n\n").next().unwrap().contains(&format!("Description: {DESCRIPTION}\n")));
        assert!(key.contains("role/${AWS::StackName}-TokenKeeperRole-*"));
    }
}
