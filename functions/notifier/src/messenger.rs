//! One message to one person, with the second try that helps: by template, or with renewed credentials.

use std::{sync::Arc, time::Duration};

use reqwest::Client;
use shared::{
    WaId,
    aws::secrets::{SecretStore, Secrets},
    timestamp::Clock,
};
use tokio::time::timeout;

use crate::whatsapp::{Account, Message, SendError};

/// A message with its second try.
const MESSAGE_TIME: Duration = Duration::from_secs(8);

/// Sends people their messages from the operator's account.
pub(crate) struct Messenger {
    pub(crate) account: Account,
    pub(crate) http: Client,
    pub(crate) secrets: Arc<SecretStore>,
    pub(crate) clock: Clock,
}

impl Messenger {
    /// Sends a text, within [`MESSAGE_TIME`].
    pub(crate) async fn send(&self, to: &WaId, text: &str, secrets: &Secrets) -> Result<(), SendError> {
        let sending = timeout(MESSAGE_TIME, self.send_with_renewal(to, text, secrets)).await;
        sending.unwrap_or_else(|_| Err(SendError::Retry("timeout".to_owned())))
    }

    /// Sends once more where the credentials are refused: they may have been rotated.
    async fn send_with_renewal(&self, to: &WaId, text: &str, secrets: &Secrets) -> Result<(), SendError> {
        match self.send_with(to, text, secrets).await {
            Err(refusal @ SendError::Operator(_)) => match self.secrets.newer_than(secrets, (self.clock)()).await {
                Ok(fresh) => self.send_with(to, text, &fresh).await,
                Err(_) => Err(refusal),
            },
            result => result,
        }
    }

    /// Sends free text, and the template where only a template reaches the person.
    async fn send_with(&self, to: &WaId, text: &str, secrets: &Secrets) -> Result<(), SendError> {
        let Account { secret, template, .. } = &self.account;
        let credentials = secrets.get(secret).map_err(|_| SendError::Operator("no_credentials".to_owned()))?;
        let whatsapp = self.account.open(&self.http, credentials)?;
        match (whatsapp.send(to, &Message::Text(text)).await, template) {
            (Err(SendError::WindowClosed(_)), Some(template)) => {
                whatsapp.send(to, &Message::Template(template, text)).await
            }
            (result, _) => result,
        }
    }
}
