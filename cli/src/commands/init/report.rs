//! What `wasf init` did, and the settings of the Salesforce app.

use std::collections::BTreeMap;

use serde_json::{Map, json};
use shared::proof::ProofPolicy;

use super::answers::REFRESH_TOKEN_KEY;
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

/// What a new stack takes over.
pub(super) struct Adopted {
    pub(super) tables: Vec<String>,
    /// The key that opens the refresh tokens in one of them.
    pub(super) key: Option<String>,
}

impl Adopted {
    /// By the parameters of the tables that were found, and all parameters; `None` where there are none.
    pub(super) fn read(found: &BTreeMap<&str, String>, parameters: &BTreeMap<String, String>) -> Option<Self> {
        let names = [("CreateTokenTable", "TokenTableName"), ("CreateAttemptTable", "AttemptTableName")];
        let names = names.into_iter().filter(|(created, _)| found.contains_key(created));
        let tables: Vec<_> = names.filter_map(|(_, name)| found.get(name).cloned()).collect();
        let key =
            parameters.get(REFRESH_TOKEN_KEY).filter(|arn| !arn.is_empty() && found.contains_key("CreateTokenTable"));
        (!tables.is_empty()).then(|| Self { tables, key: key.cloned() })
    }

    fn text(&self) -> String {
        let exist = if self.tables.len() == 1 { "exists: the stack uses it" } else { "exist: the stack uses them" };
        let opens = |key| format!(", and opens the refresh tokens with {key}, the key that they are sealed with");
        format!(
            "\n{} {exist} as before{}.\n",
            self.tables.join(" and "),
            self.key.as_ref().map(opens).unwrap_or_default()
        )
    }
}

/// What is done, or would be.
pub(super) struct Plan<'a> {
    pub(super) secrets: &'a [PlannedSecret],
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) adopted: Option<&'a Adopted>,
    pub(super) callback: Option<&'a str>,
    /// Whether chats confirm their logins.
    pub(super) proof: ProofPolicy,
    /// Of `samconfig.toml`.
    pub(super) environment: Option<&'a str>,
    /// Whether `samconfig.toml` is a checkout's, where `make` builds and deploys. A release is deployed by the SAM CLI alone.
    pub(super) in_checkout: bool,
    pub(super) confirmed: bool,
}

/// A parameter's value as it is shown: the webhook's URL may hold a secret of the bot's.
fn shown(name: &str, value: &str) -> String {
    match name {
        "BotWebhookUrl" if !value.is_empty() => host_alone(value),
        _ => value.to_owned(),
    }
}

pub(super) fn report(plan: &Plan<'_>) -> Report {
    let Plan { secrets, parameters, adopted, callback, proof, environment, in_checkout, confirmed } = *plan;
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
        callback.unwrap_or("the output CallbackUrl of the first deployment; run `wasf init` again to see it");
    let webhook = secrets.iter().find(|secret| secret.kind == Kind::Webhook && !secret.keep);
    let for_the_bot = webhook.map(|secret| {
        format!("\nThe bot verifies events with the secret {}. Allow the bot's role to read it.\n", secret.name)
    });
    let [deploy, wasf] = commands(environment, in_checkout);
    let next = if confirmed {
        format!("Next: run {deploy}, then {wasf} doctor.")
    } else {
        "Dry run: nothing was changed. Run it again with --confirm.".to_owned()
    };
    let text = format!(
        "{}{}\nIn Salesforce, Setup → External Client App Manager, the app's OAuth settings:\n\
         \x20 Callback URL                                  {callback_url}\n\
         \x20 Scopes                                        api; refresh_token, offline_access\n\
         \x20 Require Secret for Web Server Flow            on\n\
         \x20 Require Proof Key for Code Exchange (PKCE)    on\n\
         \x20 IP Relaxation                                 Relax IP restrictions\n\
         \x20 Enforce Refresh Token IP Allowlist            off, unless the stack has a fixed IP address (FixedEgress, SubnetIds)\n\
         {}\n{}\n{next}\n",
        table.text(),
        adopted.map(Adopted::text).unwrap_or_default(),
        for_the_bot.unwrap_or_default(),
        proof_text(proof, environment, in_checkout),
    );
    let secret = |secret: &PlannedSecret| json!({"name": secret.name, "kept": secret.keep, "was_there": secret.presence == Presence::Present});
    let json = json!({
        "dry_run": !confirmed,
        "secrets": secrets.iter().map(secret).collect::<Vec<_>>(),
        "parameters": parameters.iter().map(|(name, value)| (name.clone(), shown(name, value).into())).collect::<Map<_, _>>(),
        "callback_url": callback,
        "adopted": adopted.map(|adopted| json!({"tables": adopted.tables, "refresh_token_key": adopted.key})),
    });
    Report::new(text, json, Exit::Done)
}

/// How to deploy, and to call `wasf`, with this environment of `samconfig.toml`.
fn commands(environment: Option<&str>, in_checkout: bool) -> [String; 2] {
    let deploy = match (environment, in_checkout) {
        (None, true) => "make deploy".to_owned(),
        (None, false) => "sam deploy".to_owned(),
        (Some(name), true) => format!("make deploy SAM_FLAGS='--config-env {name}'"),
        (Some(name), false) => format!("sam deploy --config-env {name}"),
    };
    [deploy, environment.map_or_else(|| "wasf".to_owned(), |name| format!("wasf --config-env {name}"))]
}

/// What the operator, and the bot, have to know of it.
fn proof_text(proof: ProofPolicy, environment: Option<&str>, in_checkout: bool) -> String {
    let [deploy, wasf] = commands(environment, in_checkout);
    match proof {
        ProofPolicy::Required => {
            "Chats confirm their logins (ChatProof=Required): let the bot pass each message with a code on to POST /confirmations,\n\
             the stack's output ConfirmationsUrl (docs/API.md). Until it does, nobody gets connected.\n"
                .to_owned()
        }
        ProofPolicy::Off => format!(
            "Chats do not confirm their logins (ChatProof=Off): whoever forwards their link to somebody who approves it gets that\n\
             person's Salesforce in their own chat. Once the bot passes codes on (docs/API.md), change it:\n\
             \x20 {wasf} init --chat-proof Required --bot-phone-number … --confirm, then {deploy}\n"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(parameters: &BTreeMap<String, String>, adopted: Option<&Adopted>) -> Report {
        let secrets = &[];
        let plan = Plan {
            secrets,
            parameters,
            adopted,
            callback: None,
            proof: ProofPolicy::Off,
            environment: None,
            in_checkout: true,
            confirmed: false,
        };
        report(&plan)
    }

    #[test]
    fn of_the_webhook_only_the_host_is_shown() {
        let url = "https://ada:S3CRET@bot.example.com/events/S3CRET?key=S3CRET".to_owned();
        let report = reported(&BTreeMap::from([("BotWebhookUrl".to_owned(), url)]), None);
        assert!(!report.text.contains("S3CRET") && !report.json.to_string().contains("S3CRET"), "{}", report.text);
        assert_eq!(report.json["parameters"]["BotWebhookUrl"], "https://bot.example.com");
        assert!(report.json["adopted"].is_null());
    }

    #[test]
    fn the_report_says_what_the_bot_has_to_do_or_what_may_happen() {
        let required = proof_text(ProofPolicy::Required, None, true);
        assert!(required.contains("POST /confirmations") && required.contains("ConfirmationsUrl"), "{required}");
        let report = reported(&BTreeMap::new(), None);
        assert!(report.text.contains("whoever forwards their link"), "{}", report.text);
    }

    #[test]
    fn the_commands_that_turn_the_proof_on_are_whole_and_lead_to_the_same_environment() {
        let command =
            |environment| proof_text(ProofPolicy::Off, environment, true).lines().last().unwrap().trim().to_owned();
        let flags = "init --chat-proof Required --bot-phone-number … --confirm";
        assert_eq!(command(None), format!("wasf {flags}, then make deploy"));
        let test = format!("wasf --config-env test {flags}, then make deploy SAM_FLAGS='--config-env test'");
        assert_eq!(command(Some("test")), test);
    }

    #[test]
    fn a_release_is_deployed_without_make() {
        assert_eq!(commands(None, false), ["sam deploy", "wasf"]);
        assert_eq!(commands(Some("test"), false), ["sam deploy --config-env test", "wasf --config-env test"]);
    }

    #[test]
    fn what_is_used_again_is_named_with_the_key_of_its_tokens() {
        let text = |text: &str| text.to_owned();
        let mut found = BTreeMap::from([("CreateAttemptTable", text("No")), ("AttemptTableName", text("attempts"))]);
        let given = BTreeMap::from([(text(REFRESH_TOKEN_KEY), text("arn:k1"))]);
        let adopted = Adopted::read(&found, &given).unwrap();
        assert!(adopted.key.is_none() && adopted.text() == "\nattempts exists: the stack uses it as before.\n");
        found.extend([("CreateTokenTable", text("No")), ("TokenTableName", text("tokens"))]);
        let report = reported(&given, Adopted::read(&found, &given).as_ref());
        assert!(report.text.contains("tokens and attempts exist: the stack uses them as before, and opens"));
        assert_eq!(report.json["adopted"], json!({"tables": ["tokens", "attempts"], "refresh_token_key": "arn:k1"}));
        assert!(Adopted::read(&BTreeMap::new(), &given).is_none());
    }
}
