//! One message to one person, with the second try that helps: by template, or with renewed credentials.

use std::{sync::Arc, time::Duration};

use shared::{
    Language, WaId,
    aws::secrets::{SecretStore, Secrets},
    http::Connections,
    timestamp::Clock,
};
use tokio::time::timeout;

use crate::whatsapp::{Account, DeliveryStatus, Message, SendError, Sent};

/// A message with its second try.
const MESSAGE_TIME: Duration = Duration::from_secs(8);

/// The text of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) words: &'a str,
    /// For the choice of the template.
    pub(crate) language: Language,
    /// It is known that nothing else reaches the person. Free text is sent all the same where there is no template by now.
    pub(crate) only_by_template: bool,
}

/// Sends people their messages from the operator's account.
pub(crate) struct Messenger {
    pub(crate) account: Account,
    pub(crate) secrets: Arc<SecretStore>,
    pub(crate) clock: Clock,
}

impl Messenger {
    /// Sends a text, within [`MESSAGE_TIME`].
    pub(crate) async fn send(
        &self,
        http: &Connections,
        to: &WaId,
        text: Text<'_>,
        secrets: &Secrets,
    ) -> Result<Sent, SendError> {
        let sending = timeout(MESSAGE_TIME, self.send_with_renewal(http, to, text, secrets)).await;
        sending.unwrap_or_else(|_| Err(SendError::Unsure("timeout".to_owned())))
    }

    /// Sends once more where the credentials are refused: they may have been rotated.
    async fn send_with_renewal(
        &self,
        http: &Connections,
        to: &WaId,
        text: Text<'_>,
        secrets: &Secrets,
    ) -> Result<Sent, SendError> {
        match self.send_with(http, to, text, secrets).await {
            Err(refusal @ SendError::Operator(_)) => match self.secrets.newer_than(secrets, (self.clock)()).await {
                Ok(fresh) => self.send_with(http, to, text, &fresh).await,
                Err(_) => Err(refusal),
            },
            result => result,
        }
    }

    /// Asks what became of a message, within [`MESSAGE_TIME`].
    pub(crate) async fn ask(
        &self,
        http: &Connections,
        message_id: &str,
        secrets: &Secrets,
    ) -> Result<DeliveryStatus, SendError> {
        let asking = async {
            match self.ask_with(http, message_id, secrets).await {
                Err(refusal @ SendError::Operator(_)) => match self.secrets.newer_than(secrets, (self.clock)()).await {
                    Ok(fresh) => self.ask_with(http, message_id, &fresh).await,
                    Err(_) => Err(refusal),
                },
                result => result,
            }
        };
        timeout(MESSAGE_TIME, asking).await.unwrap_or_else(|_| Err(SendError::Retry("timeout".to_owned())))
    }

    async fn ask_with(
        &self,
        http: &Connections,
        message_id: &str,
        secrets: &Secrets,
    ) -> Result<DeliveryStatus, SendError> {
        let credentials = secrets.get(&self.account.secret);
        let credentials = credentials.map_err(|_| SendError::Operator("no_credentials".to_owned()))?;
        self.account.open(http, credentials)?.ask(message_id).await
    }

    /// Sends free text, and the template where only a template reaches the person.
    async fn send_with(
        &self,
        http: &Connections,
        to: &WaId,
        Text { words, language, only_by_template }: Text<'_>,
        secrets: &Secrets,
    ) -> Result<Sent, SendError> {
        let Account { secret, templates, .. } = &self.account;
        let template = templates.as_ref().map(|templates| templates.of(language));
        let credentials = secrets.get(secret).map_err(|_| SendError::Operator("no_credentials".to_owned()))?;
        let whatsapp = self.account.open(http, credentials)?;
        let sent = match template {
            Some(_) if only_by_template => Err(SendError::WindowClosed("known".to_owned())),
            _ => whatsapp.send(to, &Message::Text(words)).await,
        };
        match (sent, template) {
            (Err(SendError::WindowClosed(_)), Some(template)) => {
                whatsapp.send(to, &Message::Template(template, words)).await.map_err(SendError::of_template)
            }
            (result, _) => result,
        }
    }
}
