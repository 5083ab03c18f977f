//! WhatsApp, by either provider: one message to one person, and what the answer means.
//!
//! An adapter speaks its provider's protocol and sorts the answers. Whether anything is tried
//! again is not its decision.

mod meta;
mod twilio;

use async_trait::async_trait;
use reqwest::{Client, StatusCode};
use shared::{WaId, aws::secrets::Source, whatsapp::UnusableCredentials};
use url::Url;

use self::{meta::Meta, twilio::Twilio};

/// A way to reach people in WhatsApp.
#[async_trait]
pub(crate) trait WhatsApp: Send + Sync {
    /// Sends one message, once.
    async fn send(&self, to: &WaId, message: &Message<'_>) -> Result<(), SendError>;
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message<'a> {
    /// Free text: WhatsApp takes it within 24 hours of the person's last message.
    Text(&'a str),
    /// An approved template whose one variable is the text: at any time.
    Template(&'a Template, &'a str),
}

/// An approved template: for Twilio its Content SID (`HX…`), for Meta `name:language`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    name: String,
    language: Option<String>,
}

/// The message is not sent. Each variant is a fate; the word in it is the provider's error code,
/// or ours where there was none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// It may work later.
    #[error("WhatsApp takes no message now ({0})")]
    Retry(String),
    /// Only a template reaches the person now.
    #[error("the person wrote last more than 24 hours ago ({0})")]
    WindowClosed(String),
    /// It will never reach this person.
    #[error("WhatsApp cannot reach the person ({0})")]
    Undeliverable(String),
    /// Something about the account is wrong; the credentials, mostly.
    #[error("WhatsApp refuses the account ({0})")]
    Operator(String),
}

impl SendError {
    /// One word for metrics.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Retry(_) => "retry",
            Self::WindowClosed(_) => "window_closed",
            Self::Undeliverable(_) => "undeliverable",
            Self::Operator(_) => "refused",
        }
    }
}

/// The operator's account with a provider.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) provider: Provider,
    /// Where the API is, if not at the provider's own address.
    pub(crate) base: Option<Url>,
    /// For those who wrote last more than 24 hours ago.
    pub(crate) template: Option<Template>,
    pub(crate) secret: Source,
}

/// Whose protocol.
#[derive(Debug)]
pub(crate) enum Provider {
    Twilio { from: WaId },
    Meta,
}

impl Provider {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Twilio { .. } => "Twilio",
            Self::Meta => "Meta",
        }
    }
}

impl Account {
    /// The way that the credentials open.
    pub(crate) fn open(&self, http: &Client, credentials: &str) -> Result<Box<dyn WhatsApp>, SendError> {
        let unusable = |_: UnusableCredentials| SendError::Operator("unusable_credentials".to_owned());
        let credentials = credentials.trim();
        Ok(match &self.provider {
            Provider::Twilio { from } => {
                Box::new(Twilio::new(http.clone(), self.base.as_ref(), from.clone(), credentials).map_err(unusable)?)
            }
            Provider::Meta => Box::new(Meta::new(http.clone(), self.base.as_ref(), credentials).map_err(unusable)?),
        })
    }
}

impl Template {
    pub(crate) fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((name, language)) => Self { name: name.to_owned(), language: Some(language.to_owned()) },
            None => Self { name: text.to_owned(), language: None },
        }
    }
}

/// WhatsApp refuses line breaks in a template's variable.
fn in_one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// There is no answer. The message may have been sent all the same: it is better told twice than not.
fn no_answer(error: &reqwest::Error) -> SendError {
    let word = if error.is_connect() {
        "no_connection"
    } else if error.is_timeout() {
        "timeout"
    } else {
        "no_answer"
    };
    SendError::Retry(word.to_owned())
}

/// An answer without a code that is known.
fn by_status(status: StatusCode, code: Option<u32>) -> SendError {
    let code = code.map_or_else(|| format!("http_{}", status.as_u16()), |code| code.to_string());
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        SendError::Retry(code)
    } else {
        SendError::Operator(code)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use shared::http::{Roots, client};

    use super::*;

    pub(crate) fn http() -> Client {
        client(Roots::default(), Duration::from_secs(2), Duration::from_secs(5)).unwrap()
    }

    #[test]
    fn a_template_may_name_its_language() {
        assert_eq!(Template::parse("HX01"), Template { name: "HX01".to_owned(), language: None });
        let german = Template { name: "connected".to_owned(), language: Some("de".to_owned()) };
        assert_eq!(Template::parse("connected:de"), german);
    }
}
