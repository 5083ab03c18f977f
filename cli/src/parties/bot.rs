//! The bot's event that comes from an operator: `connection.test`, with the same signature as the notifier's events.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use shared::{
    Timestamp, WaId,
    aws::{
        SdkConfig,
        secrets::{SecretStore, Source},
    },
    bot::{
        CloudEvent, Notification, NotifyError, Webhook,
        event::{Data, Test},
    },
    http::Roots,
};

use crate::{aws::Settings, error::Error};

const CONNECT_TIME: Duration = Duration::from_secs(5);
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// Sends the bot's webhook a signed event that means nothing; `false` where there is no webhook.
pub(crate) async fn send_test_event(
    aws: &SdkConfig,
    settings: &Settings,
    wa_id: &WaId,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(webhook) = webhook(settings)? else { return Ok(false) };
    let event = CloudEvent::new(format!("evt_test_{}", now.millis()), now, Data::Test(Test { wa_id }));
    let secret = settings.get("BOT_WEBHOOK_SECRET_NAME").unwrap_or_default();
    let signing_secret = signing_secret(aws, settings, now).await?;
    let notification =
        Notification { event: &event, user_message: "", signing_secret: signing_secret.expose_secret(), now };
    webhook.post(&notification).await.map_err(|error| failed(refusal(&error, secret)))?;
    Ok(true)
}

fn failed(why: impl Into<String>) -> Error {
    Error::failed("notify the bot", why)
}

/// The webhook that the notifier uses.
fn webhook(settings: &Settings) -> Result<Option<Webhook>, Error> {
    let Some(url) = settings.get("BOT_WEBHOOK_URL") else { return Ok(None) };
    let url = Url::parse(url).map_err(|_| failed("BotWebhookUrl is not a URL; correct it and deploy"))?;
    let http = shared::http::client(Roots::System, CONNECT_TIME, REQUEST_TIME);
    Ok(Some(Webhook::new(http.map_err(|error| failed(error.to_string()))?, url)))
}

async fn signing_secret(aws: &SdkConfig, settings: &Settings, now: Timestamp) -> Result<SecretString, Error> {
    let name = settings.get("BOT_WEBHOOK_SECRET_NAME").ok_or_else(|| failed("it has a webhook without a secret"))?;
    let source = Source::Secret(name.to_owned());
    let secrets = SecretStore::new(aws, [&source]).current(now).await.map_err(|error| failed(error.to_string()))?;
    secrets.get(&source).map(SecretString::from).map_err(|error| failed(error.to_string()))
}

/// Why the webhook did not take a test event, and what to do.
fn refusal(error: &NotifyError, secret: &str) -> String {
    let what_to_do = match error {
        NotifyError::Refused(401 | 403) => format!(
            ", so the bot does not accept the signature; give the bot the value of the secret {secret}, or store the \
             bot's own with wasf secret set {secret} --confirm"
        ),
        NotifyError::Secret => format!("; replace it with wasf secret set {secret} --confirm"),
        _ => "; correct BotWebhookUrl and deploy, or repair the bot".to_owned(),
    };
    format!("{error}{what_to_do}")
}

#[cfg(test)]
mod contract;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_signature_names_the_secret() {
        let text = refusal(&NotifyError::Refused(401), "bot_webhook");
        assert!(text.starts_with("the bot's webhook returned 401, so") && text.contains("wasf secret set bot_webhook"));
        assert!(!refusal(&NotifyError::Refused(500), "bot_webhook").contains("signature"));
    }
}
