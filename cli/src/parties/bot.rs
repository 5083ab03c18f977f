//! The bot's events that come from an operator: `connection.revoked`, on the same channels and with the same signature as
//! the notifier's events, and `connection.test`.

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
        Bot, BotQueue, CloudEvent, Notification, NotifyError, Webhook,
        event::{Data, Revoked, Test},
    },
    http::Roots,
};

use crate::{aws::Settings, error::Error, records::Connection};

/// The text for the person: bots of the older system pass it on.
const USER_MESSAGE: &str = "Your Salesforce account is no longer connected.";
const CONNECT_TIME: Duration = Duration::from_secs(5);
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// Notifies the bot on the channels that the notifier uses; `false` where there is none.
pub(crate) async fn notify_revocation(
    aws: &SdkConfig,
    settings: &Settings,
    connection: &Connection,
    ended_at: Timestamp,
    now: Timestamp,
) -> Result<bool, Error> {
    let webhook = webhook(settings)?;
    let queue = settings.get("BOT_QUEUE_URL").map(|url| BotQueue::new(aws, url.to_owned()));
    let bot = Bot { webhook, queue };
    if !bot.is_configured() {
        return Ok(false);
    }
    let event = event(connection, ended_at, now);
    let signing_secret = match bot.webhook {
        Some(_) => signing_secret(aws, settings, now).await?,
        None => SecretString::default(),
    };
    notify(&bot, &event, USER_MESSAGE, &signing_secret, now).await.map_err(|error| failed(error.to_string()))?;
    Ok(true)
}

/// Sends the bot's webhook a signed event that means nothing; `false` where there is no webhook.
pub(crate) async fn send_test_event(
    aws: &SdkConfig,
    settings: &Settings,
    wa_id: &WaId,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(webhook) = webhook(settings)? else { return Ok(false) };
    let event = CloudEvent::new(format!("evt_test_{}", now.millis()), now, Data::Test(Test { wa_id }));
    let bot = Bot { webhook: Some(webhook), queue: None };
    let secret = settings.get("BOT_WEBHOOK_SECRET_NAME").unwrap_or_default();
    let sent = notify(&bot, &event, "", &signing_secret(aws, settings, now).await?, now).await;
    sent.map_err(|error| failed(refusal(&error, secret)))?;
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

async fn notify(
    bot: &Bot,
    event: &CloudEvent<'_>,
    user_message: &str,
    signing_secret: &SecretString,
    now: Timestamp,
) -> Result<(), NotifyError> {
    let notification = Notification { event, user_message, signing_secret: signing_secret.expose_secret(), now };
    bot.notify(&notification).await
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

/// The event's id is the same each time that the bot is notified of one revocation.
fn event(connection: &Connection, ended_at: Timestamp, now: Timestamp) -> CloudEvent<'_> {
    let attempt = connection.attempt_id.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
    let ended_at = ended_at.millis();
    let data = Revoked {
        attempt_id: connection.attempt_id,
        wa_id: &connection.wa_id,
        username: connection.username.as_deref(),
        org_id: connection.org_id.as_deref(),
        instance_url: connection.instance_url.as_deref(),
        user_message: USER_MESSAGE,
    };
    CloudEvent::new(format!("evt_{attempt}_revoked_{ended_at}"), now, Data::Revoked(data))
}

#[cfg(test)]
mod contract;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::connection::example;

    #[test]
    fn a_refused_signature_names_the_secret() {
        let text = refusal(&NotifyError::Refused(401), "bot_webhook");
        assert!(text.starts_with("the bot's webhook returned 401, so") && text.contains("wasf secret set bot_webhook"));
        assert!(!refusal(&NotifyError::Refused(500), "bot_webhook").contains("signature"));
    }

    #[test]
    fn a_revocation_names_the_connection_and_keeps_its_id() {
        let connection = example(&json!({}));
        let ended_at = Timestamp::from_millis(1_790_000_000_000);
        let first = event(&connection, ended_at, Timestamp::from_millis(1_790_000_000_123));
        let first = serde_json::to_value(first).unwrap();
        // By then the row has no tokens, and no time of theirs.
        let ended = Connection { issued_at: None, ..connection.clone() };
        let again = serde_json::to_value(event(&ended, ended_at, Timestamp::from_millis(1_790_000_999_000))).unwrap();
        assert_eq!(first["id"], again["id"]);
        assert_eq!(first["type"], "connection.revoked");
        assert_eq!(
            first["data"],
            json!({
                "attempt_id": "07070707070707070707070707070707",
                "wa_id": "whatsapp:+15551234567",
                "username": "ada@example.com",
                "org_id": "00D000000000001",
                "instance_url": "https://acme.my.salesforce.com",
                "user_message": USER_MESSAGE,
            })
        );
    }
}
