//! New links for people whose attempt did not connect, or whose connection ended.

use std::time::Duration;

use shared::{
    CallbackUri, LoginUrls, Status,
    aws::{
        links::Links,
        secrets::{Secrets, Source},
    },
    link::Link,
    timestamp::Clock,
};

use crate::{outcome::Ended, setback::Setback};

/// How long new links live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// After an attempt: the person was there just now.
    pub(crate) after_attempt: Duration,
    /// After the end of a connection: the person may be elsewhere.
    pub(crate) after_end: Duration,
}

/// Makes new links.
pub(crate) struct Relink {
    pub(crate) links: Links,
    pub(crate) callback_uri: Source,
    pub(crate) login_urls: LoginUrls,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) clock: Clock,
}

impl Relink {
    /// The URL of a new link for the same person; `None` where no link helps.
    pub(crate) async fn url(&self, ended: &Ended, secrets: &Secrets) -> Result<Option<String>, Setback> {
        if !ended.outcome.wants_link() {
            return Ok(None);
        }
        let callback_uri: CallbackUri = secrets.get(&self.callback_uri)?.parse()?;
        let lifetime = match ended.key.status {
            Status::Ended => self.lifetimes.after_end,
            _ => self.lifetimes.after_attempt,
        };
        let link = Link::new(
            self.links.new_id()?,
            ended.wa_id.clone(),
            ended.login_url(&self.login_urls).clone(),
            // A link from before the end connects nobody, and whoever ended the connection has a clock of their own.
            (self.clock)().max(ended.key.updated_at),
            ended.outcome.pause() + lifetime,
        );
        let asks_for_login_host = ended.outcome.asks_for_login_host();
        let link = Link { asks_for_login_host, language: ended.language, ..link };
        Ok(Some(self.links.url(link, ended.reference.as_ref(), &callback_uri).await?))
    }
}
