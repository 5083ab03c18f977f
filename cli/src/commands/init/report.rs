//! What `wasf init` did, and what only a person can do in Salesforce.

use std::collections::BTreeMap;

use serde_json::json;

use super::secret::{Kind, PlannedSecret};
use crate::{
    aws::Presence,
    error::Exit,
    report::{Report, Table},
};

pub(super) fn report(
    secrets: &[PlannedSecret],
    parameters: &BTreeMap<String, String>,
    callback: Option<&str>,
    confirmed: bool,
) -> Report {
    let mut table = Table::default();
    for secret in secrets {
        let done = match (secret.keep, secret.presence, confirmed) {
            (true, _, _) => "is there already",
            (false, Presence::There, true) => "has a new value",
            (false, Presence::There, false) => "would get a new value",
            (false, _, true) => "is made",
            (false, _, false) => "would be made",
        };
        table.row([format!("secret {}", secret.name), done.to_owned()]);
    }
    for (name, value) in parameters {
        table.row([format!("parameter {name}"), value.clone()]);
    }
    let address =
        callback.unwrap_or("known after the first `make deploy` (output CallbackUrl); `wasf init` says it then");
    let webhook = secrets.iter().find(|secret| secret.kind == Kind::Webhook && !secret.keep);
    let for_the_bot = webhook.map(|secret| {
        format!(
            "\nThe bot verifies events with what the secret {} holds. Give the bot's role leave to read it.\n",
            secret.name
        )
    });
    let next = if confirmed {
        "Next: make deploy, then wasf doctor."
    } else {
        "Nothing is changed yet. Do it with --confirm."
    };
    let text = format!(
        "{}\nIn Salesforce, Setup → External Client App Manager, the app's OAuth settings:\n\
         \x20 Callback URL                                  {address}\n\
         \x20 Scopes                                        api; refresh_token, offline_access\n\
         \x20 Require Secret for Web Server Flow            on\n\
         \x20 Require Proof Key for Code Exchange (PKCE)    on\n\
         \x20 IP Relaxation                                 Relax IP restrictions\n\
         \x20 Enforce Refresh Token IP Allowlist            off, unless the stack has a fixed address (SubnetIds)\n\
         {}\n{next}\n",
        table.text(),
        for_the_bot.unwrap_or_default(),
    );
    let secret = |secret: &PlannedSecret| json!({"name": secret.name, "kept": secret.keep, "was_there": secret.presence == Presence::There});
    let json = json!({
        "dry_run": !confirmed,
        "secrets": secrets.iter().map(secret).collect::<Vec<_>>(),
        "parameters": parameters,
        "callback_url": callback,
    });
    Report::new(text, json, Exit::Done)
}
