//! What `wasf init` did, and the settings of the Salesforce app.

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
        let state = match (secret.keep, secret.presence, confirmed) {
            (true, _, _) => "exists, kept",
            (false, Presence::Present, true) => "replaced",
            (false, Presence::Present, false) => "would be replaced",
            (false, _, true) => "created",
            (false, _, false) => "would be created",
        };
        table.row([format!("secret {}", secret.name), state.to_owned()]);
    }
    for (name, value) in parameters {
        table.row([format!("parameter {name}"), value.clone()]);
    }
    let callback_url =
        callback.unwrap_or("the output CallbackUrl of the first `make deploy`; run `wasf init` again to see it");
    let webhook = secrets.iter().find(|secret| secret.kind == Kind::Webhook && !secret.keep);
    let for_the_bot = webhook.map(|secret| {
        format!("\nThe bot verifies events with the secret {}. Allow the bot's role to read it.\n", secret.name)
    });
    let next = if confirmed {
        "Next: run make deploy, then wasf doctor."
    } else {
        "Dry run: nothing was changed. Run it again with --confirm."
    };
    let text = format!(
        "{}\nIn Salesforce, Setup → External Client App Manager, the app's OAuth settings:\n\
         \x20 Callback URL                                  {callback_url}\n\
         \x20 Scopes                                        api; refresh_token, offline_access\n\
         \x20 Require Secret for Web Server Flow            on\n\
         \x20 Require Proof Key for Code Exchange (PKCE)    on\n\
         \x20 IP Relaxation                                 Relax IP restrictions\n\
         \x20 Enforce Refresh Token IP Allowlist            off, unless the stack has a fixed IP address (SubnetIds)\n\
         {}\n{next}\n",
        table.text(),
        for_the_bot.unwrap_or_default(),
    );
    let secret = |secret: &PlannedSecret| json!({"name": secret.name, "kept": secret.keep, "was_there": secret.presence == Presence::Present});
    let json = json!({
        "dry_run": !confirmed,
        "secrets": secrets.iter().map(secret).collect::<Vec<_>>(),
        "parameters": parameters,
        "callback_url": callback,
    });
    Report::new(text, json, Exit::Done)
}
