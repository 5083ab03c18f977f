//! WhatsApp by either provider: one message to one person, and what the response means.
//!
//! An adapter speaks its provider's protocol and classifies the responses: whose fault a refusal is decides who has to
//! act. It does not decide on retries. Only an answer that says so counts as acceptance, and no answer is read without
//! bounds.

mod meta;
mod templates;
mod twilio;

use async_trait::async_trait;
use hyper::StatusCode;
use serde_json::Value;
use shared::{
    WaId,
    aws::secrets::Source,
    http::{self, Connections, Request},
    whatsapp::{self, InvalidCredentials},
};
use url::Url;

pub(crate) use self::templates::{Template, Templates};
use self::{meta::Meta, twilio::Twilio};

/// A provider's API.
#[async_trait]
pub(crate) trait WhatsApp: Send + Sync {
    /// Sends one message in one request.
    async fn send(&self, to: &WaId, message: &Message<'_>) -> Result<Sent, SendError>;

    /// Asks what became of a message that was accepted. An error says nothing of the message.
    async fn ask(&self, message_id: &str) -> Result<DeliveryStatus, SendError>;
}

/// The provider has accepted a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The provider's id of it, where that can be used.
    pub(crate) id: Option<String>,
    pub(crate) by_template: bool,
}

/// What became of a message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryStatus {
    /// It is with the person; the provider's word for it.
    Delivered(String),
    /// Nothing is certain yet; the provider's word for it.
    Pending(String),
    /// It was refused after all.
    Refused(SendError),
}

impl DeliveryStatus {
    /// Why it was refused, if it was.
    pub(crate) const fn refusal(&self) -> Option<&SendError> {
        if let Self::Refused(refusal) = self { Some(refusal) } else { None }
    }
}

/// The content of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message<'a> {
    /// Free text: accepted within 24 hours of the person's last message.
    Text(&'a str),
    /// An approved template whose one variable is the text: accepted at any time.
    Template(&'a Template, &'a str),
}

/// The message was not sent. Each variant is a class of errors that are handled alike, with the provider's error code, or
/// with a code of ours if there was none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// A retry may succeed.
    #[error("WhatsApp is unavailable ({0})")]
    Retry(String),
    /// The message may have been sent all the same: no answer says so.
    #[error("WhatsApp did not say whether it took the message ({0})")]
    Unsure(String),
    /// Only a template can be delivered.
    #[error("the person's last message is more than 24 hours old ({0})")]
    WindowClosed(String),
    /// It is about this person alone: no retry will succeed.
    #[error("WhatsApp cannot deliver to the person ({0})")]
    Undeliverable(String),
    /// It is about the account or the app, usually its credentials, and so about everybody: an operator must act.
    #[error("WhatsApp refused the account ({0})")]
    Operator(String),
    /// It is about the template, and so about everybody who needs it: an operator must act.
    #[error("WhatsApp refused the template ({0})")]
    Template(String),
}

impl SendError {
    /// The same of a message by a template: no window closes to a template, so where the provider says so it took it for
    /// free text, and would take everybody's so
    /// (<https://www.twilio.com/docs/api/errors/63016>: no messaging service, an unsuitable type of content).
    pub(crate) fn of_template(self) -> Self {
        match self {
            Self::WindowClosed(code) => Self::Template(code),
            other => other,
        }
    }

    /// The dimension `Result` of the metric `Messages`.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Retry(_) => "retry",
            Self::Unsure(_) => "unsure",
            Self::WindowClosed(_) => "window_closed",
            Self::Undeliverable(_) => "undeliverable",
            Self::Operator(_) | Self::Template(_) => "refused",
        }
    }
}

/// The operator's account with a provider.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) provider: Provider,
    /// The API's URL, if it is not the provider's own.
    pub(crate) base: Option<Url>,
    /// For people whose last message is more than 24 hours old.
    pub(crate) templates: Option<Templates>,
    pub(crate) secret: Source,
}

#[derive(Debug)]
pub(crate) enum Provider {
    Twilio(Sender),
    Meta,
}

/// Whom Twilio sends messages as.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) from: WaId,
    /// The SID of the messaging service that `from` belongs to (`MG…`), where templates need one.
    pub(crate) messaging_service: Option<String>,
}

impl Provider {
    /// Whether it tells what became of a message. Meta tells its app's webhook alone.
    pub(crate) const fn can_be_asked(&self) -> bool {
        matches!(self, Self::Twilio(_))
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Twilio(_) => "Twilio",
            Self::Meta => "Meta",
        }
    }
}

impl Account {
    /// Begins to open a connection to the provider's API, for the next message.
    pub(crate) fn open_ahead(&self, http: &Connections) {
        let own = match &self.provider {
            Provider::Twilio(_) => whatsapp::TWILIO,
            Provider::Meta => whatsapp::META,
        };
        if let Some(url) = self.base.clone().or_else(|| own.parse().ok()) {
            http.open_ahead(&url);
        }
    }

    /// The provider's API with these credentials.
    pub(crate) fn open(&self, http: &Connections, credentials: &str) -> Result<Box<dyn WhatsApp>, SendError> {
        let invalid = |_: InvalidCredentials| SendError::Operator("invalid_credentials".to_owned());
        let credentials = credentials.trim();
        Ok(match &self.provider {
            Provider::Twilio(sender) => {
                Box::new(Twilio::new(http.clone(), self.base.as_ref(), sender.clone(), credentials).map_err(invalid)?)
            }
            Provider::Meta => Box::new(Meta::new(http.clone(), self.base.as_ref(), credentials).map_err(invalid)?),
        })
    }
}

/// WhatsApp refuses line breaks in a template's variable.
fn in_one_line(text: &str) -> String {
    text.replace('\n', " ")
}

/// A provider's answer.
struct Answer {
    status: StatusCode,
    /// `null` where the body is not JSON.
    body: Value,
}

/// Sends a request and reads its answer to the end.
async fn answer(request: Request) -> Result<Answer, SendError> {
    let http::Answer { status, body, .. } = request.send().await.map_err(|error| no_answer(&error))?;
    let text = String::from_utf8_lossy(&body);
    Ok(Answer { status, body: serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default() })
}

/// The answer says no more than its status.
fn unreadable(status: StatusCode, code: &str) -> SendError {
    if status.is_success() { SendError::Unsure(code.to_owned()) } else { SendError::Retry(code.to_owned()) }
}

/// A message's id that can be stored and asked for.
fn usable_id(value: &Value) -> Option<String> {
    let is_usable = |id: &&str| (1..=256).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    value.as_str().filter(is_usable).map(str::to_owned)
}

/// A provider's error code, as a number or as text; zero means none.
fn code(value: &Value) -> Option<u64> {
    let code = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    code.filter(|code| *code != 0)
}

/// An answer that neither says that the message was accepted nor why not: a page, an empty body, no id, a state that is not
/// known. Where it is a success the message may have been sent.
fn not_accepted(status: StatusCode) -> SendError {
    if status.is_success() { SendError::Unsure("not_accepted".to_owned()) } else { by_status(status, None) }
}

/// There is no whole answer. Unless there was no connection, the message may have been sent all the same.
fn no_answer(error: &http::Error) -> SendError {
    match error {
        http::Error::Connect(_) => SendError::Retry("no_connection".to_owned()),
        http::Error::TimedOut => SendError::Unsure("timeout".to_owned()),
        http::Error::Lost(_) => SendError::Unsure("no_response".to_owned()),
        http::Error::TooLong(status) => unreadable(*status, "answer_too_long"),
        http::Error::Encoding(status) => unreadable(*status, "answer_broken"),
    }
}

/// The class of a response whose code is unknown or absent: what is not for later is the operator's, because an alarm
/// about one person does less harm than silence about everybody. A gateway that had no answer in time, or no valid one, does
/// not know what became of the request (RFC 9110 §15.6.3, §15.6.5).
fn by_status(status: StatusCode, code: Option<u64>) -> SendError {
    if code.is_none() && [StatusCode::BAD_GATEWAY, StatusCode::GATEWAY_TIMEOUT].contains(&status) {
        return SendError::Unsure(format!("http_{}", status.as_u16()));
    }
    let code = code.map_or_else(|| format!("http_{}", status.as_u16()), |code| code.to_string());
    let for_later = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
    if status.is_server_error() || for_later { SendError::Retry(code) } else { SendError::Operator(code) }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use shared::http::{Client, Roots};

    use super::*;

    pub(crate) fn http() -> Connections {
        Client::new(Roots::default(), Duration::from_secs(2), Duration::from_secs(5)).connections()
    }

    /// Whose fault a refusal is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Whose {
        Persons,
        Operators,
        Templates,
        WindowClosed,
        Nobodys,
    }

    impl Whose {
        pub(crate) fn with(self, code: &(impl ToString + ?Sized)) -> SendError {
            let code = code.to_string();
            match self {
                Self::Persons => SendError::Undeliverable(code),
                Self::Operators => SendError::Operator(code),
                Self::Templates => SendError::Template(code),
                Self::WindowClosed => SendError::WindowClosed(code),
                Self::Nobodys => SendError::Retry(code),
            }
        }
    }

    #[test]
    fn what_is_everybodys_counts_as_refused_and_rings() {
        assert_eq!(SendError::Operator(String::new()).label(), "refused");
        assert_eq!(SendError::Template(String::new()).label(), "refused");
        assert_eq!(SendError::Undeliverable(String::new()).label(), "undeliverable");
    }
}
