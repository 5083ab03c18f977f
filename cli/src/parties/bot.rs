//! The bot's event of an operator's revocation, `connection.revoked`: on the same channels and with the same signature
//! as the notifier's events.

use std::time::Duration;

use reqwest::Url;
use shared::{
    Timestamp,
    aws::{
        SdkConfig,
        secrets::{SecretStore, Source},
    },
    bot::{
        Bot, BotQueue, CloudEvent, Notification, Webhook,
        event::{Data, Revoked},
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
    let failed = |why: String| Error::failed("notify the bot", why);
    let http =
        shared::http::client(Roots::System, CONNECT_TIME, REQUEST_TIME).map_err(|error| failed(error.to_string()))?;
    let webhook = match settings.get("BOT_WEBHOOK_URL") {
        Some(url) => {
            Some(Url::parse(url).map_err(|_| failed("BotWebhookUrl is not a URL; correct it and deploy".to_owned()))?)
        }
        None => None,
    };
    let secret =
        webhook.as_ref().and(settings.get("BOT_WEBHOOK_SECRET_NAME")).map(|name| Source::Secret(name.to_owned()));
    let bot = Bot {
        webhook: webhook.map(|url| Webhook::new(http, url)),
        queue: settings.get("BOT_QUEUE_URL").map(|url| BotQueue::new(aws, url.to_owned())),
    };
    if !bot.is_configured() {
        return Ok(false);
    }
    let secrets = SecretStore::new(aws, &secret).current(now).await.map_err(|error| failed(error.to_string()))?;
    let signing_secret = match &secret {
        Some(source) => secrets.get(source).map_err(|error| failed(error.to_string()))?,
        None => "",
    };
    let event = event(connection, ended_at, now);
    let notification = Notification { event: &event, user_message: USER_MESSAGE, signing_secret, now };
    bot.notify(&notification).await.map_err(|error| failed(error.to_string()))?;
    Ok(true)
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
