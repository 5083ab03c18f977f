//! New links for chats that have to connect again.

use std::time::Duration;

use shared::{
    LoginUrls, Timestamp,
    aws::{
        links::{CallbackUriSource, Links},
        secrets::Secrets,
    },
    custody::EndedConnection,
    link::Link,
};

use crate::refusal::Unavailable;

/// Makes new links.
pub(crate) struct Relink {
    pub(crate) links: Links,
    pub(crate) callback_uri: CallbackUriSource,
    pub(crate) login_urls: LoginUrls,
    pub(crate) lifetime: Duration,
}

impl Relink {
    /// The URL of a new link for the chat, made for a request that came through the API with this id.
    pub(crate) async fn url(
        &self,
        ended: &EndedConnection,
        secrets: &Secrets,
        api_id: &str,
        now: Timestamp,
    ) -> Result<String, Unavailable> {
        let callback_uri = self.callback_uri.resolve(secrets, api_id)?;
        let link = Link::new(
            self.links.new_id()?,
            ended.wa_id.clone(),
            ended.login_url(&self.login_urls).clone(),
            // A link from before the end connects nobody, and whoever ended the connection has a clock of their own.
            ended.at().map_or(now, |ended_at| now.max(ended_at)),
            self.lifetime,
        );
        let link = Link { language: ended.language(), ..link };
        Ok(self.links.url(link, ended.reference().as_ref(), &callback_uri).await?)
    }
}
