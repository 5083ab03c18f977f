//! The bot's event that comes from an operator: `connection.test`, as the notifier sends its events.

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
        CloudEvent, EventBus, Notification, NotifyError, Webhook,
        event::{Data, Test},
    },
    http::{Client, Roots},
};

use crate::{aws::Settings, error::Error};

const CONNECT_TIME: Duration = Duration::from_secs(5);
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// A way that a test event goes: a queue's message would be taken for a person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestWay {
    Webhook,
    Bus,
}

impl TestWay {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Bus => "event_bus",
        }
    }
}

/// Sends an event that means nothing on each of these ways that the stack has; returns those, which have all accepted it.
pub(crate) async fn send_test_event(
    aws: &SdkConfig,
    settings: &Settings,
    wa_id: &WaId,
    now: Timestamp,
) -> Result<Vec<TestWay>, Error> {
    let event = CloudEvent::new(format!("evt_test_{}", now.millis()), now, Data::Test(Test { wa_id }));
    let unsigned = Notification { event: &event, user_message: "", signing_secret: "", now };
    let mut tried = Vec::new();
    if let Some(webhook) = webhook(settings)? {
        tried.push((TestWay::Webhook, post(aws, settings, &webhook, &unsigned).await));
    }
    if let Some(name) = settings.get("EVENT_BUS_NAME") {
        let put = EventBus::new(aws, name.to_owned()).put(&unsigned).await;
        tried.push((TestWay::Bus, put.map_err(|error| failed(refusal(&error, "")))));
    }
    // One that fails does not keep the event from the other.
    tried.into_iter().map(|(way, sent)| sent.map(|()| way)).collect()
}

/// Posts the event, signed.
async fn post(
    aws: &SdkConfig,
    settings: &Settings,
    webhook: &Webhook,
    unsigned: &Notification<'_>,
) -> Result<(), Error> {
    let secret = settings.get("BOT_WEBHOOK_SECRET_NAME").unwrap_or_default();
    let signing_secret = signing_secret(aws, settings, unsigned.now).await?;
    let signed = Notification { signing_secret: signing_secret.expose_secret(), ..*unsigned };
    let http = Client::by_proxies_of_environment(Roots::System, CONNECT_TIME, REQUEST_TIME);
    webhook.post(&http.connections(), &signed).await.map_err(|error| failed(refusal(&error, secret)))
}

fn failed(why: impl Into<String>) -> Error {
    Error::failed("notify the bot", why)
}

/// The webhook that the notifier uses.
fn webhook(settings: &Settings) -> Result<Option<Webhook>, Error> {
    let Some(url) = settings.get("BOT_WEBHOOK_URL") else { return Ok(None) };
    let url = Url::parse(url).map_err(|_| failed("BotWebhookUrl is not a URL; correct it and deploy"))?;
    Ok(Some(Webhook::new(url)))
}

async fn signing_secret(aws: &SdkConfig, settings: &Settings, now: Timestamp) -> Result<SecretString, Error> {
    let name = settings.get("BOT_WEBHOOK_SECRET_NAME").ok_or_else(|| failed("it has a webhook without a secret"))?;
    let source = Source::Secret(name.to_owned());
    let secrets = SecretStore::new(aws, [&source]).current(now).await.map_err(|error| failed(error.to_string()))?;
    secrets.get(&source).map(SecretString::from).map_err(|error| failed(error.to_string()))
}

/// Why the webhook, or the bus, did not take a test event, and what to do.
fn refusal(error: &NotifyError, secret: &str) -> String {
    let what_to_do = match error {
        NotifyError::Refused(401 | 403) => format!(
            ": either the bot does not accept the signature, or something before it, such as a gateway, refuses the request; \
             give the bot the value of the secret {secret}, or store the bot's own with wasf secret set {secret} \
             --confirm; if the bot's log has no such request, let what is before it pass events on"
        ),
        NotifyError::Bus(_) => {
            "; create the bus or let your role put events on it (events:PutEvents), or correct EventBusName \
                                and deploy"
                .to_owned()
        }
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
    fn a_refusal_names_the_secret_and_blames_the_signature_alone_for_nothing() {
        for status in [401, 403] {
            let text = refusal(&NotifyError::Refused(status), "bot_webhook");
            let seen =
                format!("the bot's webhook returned {status}: either the bot does not accept the signature, or ");
            assert!(text.starts_with(&seen) && text.contains("a gateway"), "{text}");
            assert!(text.contains("wasf secret set bot_webhook"), "{text}");
        }
        assert!(!refusal(&NotifyError::Refused(500), "bot_webhook").contains("signature"));
    }
}
