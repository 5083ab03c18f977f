//! The one chat that is meant. A number means the one of its addresses that the stack knows; nothing but that says how the bot
//! spells it, and another spelling would be another chat.

use std::io;

use shared::{Timestamp, WaId};

use crate::{
    args::Chat,
    aws::{AttemptTable, ConnectionTable, Of, Wanted},
    error::Error,
    target::Target,
};

/// The addresses that a number can have. No error has the number itself.
const SPELLINGS: &str = "whatsapp: and the number, with + or without";

/// Of the addresses that a number can have, the only one of which something is known, with that; `None` where nothing is.
pub(super) fn one_of<T>(mut found: Vec<(WaId, T)>) -> Result<Option<(WaId, T)>, Error> {
    if found.len() > 1 {
        return Err(Error::Usage(format!("the number means several chats; give the address of one: {SPELLINGS}")));
    }
    Ok(found.pop())
}

/// The chat whose row is meant; `None` where a number has none.
pub(super) async fn with_row(chat: Chat, tokens: &ConnectionTable) -> Result<Option<WaId>, Error> {
    let addresses = chat.addresses(io::stdin())?;
    if let [exact] = &addresses[..] {
        return Ok(Some(exact.clone()));
    }
    let mut found = Vec::new();
    for address in addresses {
        if tokens.has_row(&address).await? {
            found.push((address, ()));
        }
    }
    Ok(one_of(found)?.map(|(address, ())| address))
}

/// The chat that a link is for, which may be new: then its number does not say how the bot spells it.
pub(super) async fn for_a_link(chat: Chat, target: &Target, now: Timestamp) -> Result<WaId, Error> {
    let addresses = chat.addresses(io::stdin())?;
    if let [exact] = &addresses[..] {
        return Ok(exact.clone());
    }
    let tokens = ConnectionTable::new(&target.aws, target.stack.output("TokenTableName")?);
    let attempts = AttemptTable::new(&target.aws, target.stack.output("AttemptTableName")?);
    let mut found = Vec::new();
    for address in addresses {
        let of = Of::Chat(vec![address.clone()], None);
        let wanted = Wanted { of, since: Timestamp::from_millis(0), until: None, unnotified_only: false, limit: 1 };
        if tokens.has_row(&address).await? || !attempts.list(&wanted, now).await?.attempts.is_empty() {
            found.push((address, ()));
        }
    }
    one_of(found)?.map(|(address, ())| address).ok_or_else(unspelled)
}

fn unspelled() -> Error {
    Error::Usage(format!("the stack does not know this number yet; give its address as the bot uses it: {SPELLINGS}"))
}

#[cfg(test)]
mod tests {
    use fakes::Server;
    use serde_json::json;

    use super::*;
    use crate::{aws::tests::config_of, error::Exit};

    const PLUS: &str = "whatsapp:+15551234567";
    const BARE: &str = "whatsapp:15551234567";

    /// Which chat a number means, where the token table has rows of these addresses.
    async fn meant(rows: &'static [&'static str]) -> Result<Option<WaId>, Error> {
        let server = Server::start().await;
        server.on("GetItem", move |request| {
            let address = request.json()["Key"]["wa_id"]["S"].as_str().unwrap().to_owned();
            if rows.contains(&&*address) { json!({"Item": {"wa_id": {"S": address}}}).into() } else { json!({}).into() }
        });
        let tokens = ConnectionTable::new(&config_of(&server).await, "tokens");
        with_row("+1 555 123-4567".parse().unwrap(), &tokens).await
    }

    #[tokio::test]
    async fn a_number_means_the_spelling_that_has_a_row() {
        for spelling in [&[PLUS][..], &[BARE]] {
            assert_eq!(meant(spelling).await.unwrap().unwrap().as_str(), spelling[0]);
        }
        assert_eq!(meant(&[]).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_number_that_means_two_chats_is_a_usage_error_that_does_not_quote_it() {
        let error = meant(&[PLUS, BARE]).await.unwrap_err();
        assert!(error.exit() == Exit::Usage && error.to_string().contains("with + or without"), "{error}");
        assert!(!error.to_string().contains("1555"), "{error}");
    }

    #[tokio::test]
    async fn an_address_is_taken_as_it_is() {
        let tokens = ConnectionTable::new(&config_of(&Server::start().await).await, "tokens");
        for exact in [PLUS, BARE] {
            let found = with_row(exact.parse().unwrap(), &tokens).await.unwrap();
            assert_eq!(found.unwrap().as_str(), exact);
        }
    }

    #[test]
    fn a_link_for_an_unknown_number_asks_for_the_bots_spelling() {
        assert!(unspelled().to_string().ends_with("as the bot uses it: whatsapp: and the number, with + or without"));
    }
}
