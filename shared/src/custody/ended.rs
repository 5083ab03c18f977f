//! A connection that has ended, as whoever hears of it needs it.

use std::fmt;

use crate::{
    Language, LoginUrl, LoginUrls, Reference, Timestamp, WaId,
    attempt::{EndReason, attr},
    conditional_write::{Attributes, Value, text},
    connection,
};

/// A connection that has ended.
#[derive(Clone)]
pub struct EndedConnection {
    /// The chat.
    pub wa_id: WaId,
    /// Why, where the row's word is a known one.
    pub reason: Option<EndReason>,
    pub(super) row: Attributes,
}

impl EndedConnection {
    /// Where the person logged in, as far as the stack still knows that host; else its first.
    #[must_use]
    pub fn login_url<'a>(&self, login_urls: &'a LoginUrls) -> &'a LoginUrl {
        let own = text(&self.row, attr::LOGIN_URL).and_then(|url| url.parse::<LoginUrl>().ok());
        login_urls.iter().find(|url| own.as_ref() == Some(*url)).unwrap_or(login_urls.default_url())
    }

    /// The bot's reference, where the row has one.
    #[must_use]
    pub fn reference(&self) -> Option<Reference> {
        Reference::of(&self.row)
    }

    /// The language that the chat is spoken to in, where the row says it.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        Language::of(&self.row)
    }

    /// When it ended, where the row says so.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        self.row.get(connection::ENDED_AT).and_then(Value::as_time)
    }
}

impl fmt::Debug for EndedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndedConnection").field("reason", &self.reason).finish_non_exhaustive()
    }
}
