//! What `wasf init` did, and the settings of the Salesforce app.

use std::collections::BTreeMap;

use serde_json::{Map, json};

use crate::{
    aws::Presence,
    error::Exit,
    http::host_alone,
    report::{Report, Table},
    secret::Kind,
};

pub(super) struct PlannedSecret {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) presence: Presence,
    pub(super) keep: bool,
}

/// A parameter's value as it is shown: the webhook's URL may hold a secret of the bot's.
fn shown(name: &str, value: &str) -> String {
    match name {
        "BotWebhookUrl" if !value.is_empty() => host_alone(value),
        _ => value.to_owned(),
    }
}

pub(super) fn report(
    secrets: &[PlannedSecret],
    parameters: &BTreeMap<String, String>,
    callback: Option<&str>,
    environment: Option<&str>,
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
        let value = if value.is_empty() { "none".to_owned() } else { shown(name, value) };
        table.row([format!("parameter {name}"), value]);
    }
    let callback_url =
        callback.unwrap_or("the output CallbackUrl of the first `make deploy`; run `wasf init` again to see it");
    let webhook = secrets.iter().find(|secret| secret.kind == Kind::Webhook && !secret.keep);
    let for_the_bot = webhook.map(|secret| {
        format!("\nThe bot verifies events with the secret {}. Allow the bot's role to read it.\n", secret.name)
    });
    let next = match (confirmed, environment) {
        (false, _) => "Dry run: nothing was changed. Run it again with --confirm.".to_owned(),
        (true, None) => "Next: run make deploy, then wasf doctor.".to_owned(),
        (true, Some(name)) => {
            format!("Next: run make deploy SAM_FLAGS='--config-env {name}', then wasf --config-env {name} doctor.")
        }
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
        "parameters": parameters.iter().map(|(name, value)| (name.clone(), shown(name, value).into())).collect::<Map<_, _>>(),
        "callback_url": callback,
    });
    Report::new(text, json, Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_webhook_only_the_host_is_shown() {
        let url = "https://ada:S3CRET@bot.example.com/events/S3CRET?key=S3CRET".to_owned();
        let report = report(&[], &BTreeMap::from([("BotWebhookUrl".to_owned(), url)]), None, None, false);
        assert!(!report.text.contains("S3CRET") && !report.json.to_string().contains("S3CRET"), "{}", report.text);
        assert_eq!(report.json["parameters"]["BotWebhookUrl"], "https://bot.example.com");
    }
}
