//! New links for people who are to connect again, and where the pages of links are.

use tokio::sync::OnceCell;
use tracing::warn;

use super::{
    SdkConfig,
    kms::{Kms, KmsError},
    references::References,
    secrets::{Secrets, SecretsError, Source},
};
use crate::{
    CallbackUri, LinkId, Reference, SettingError, Settings,
    callback_uri::InvalidCallbackUri,
    link::{Link, LinkKey, NONCE_LENGTH},
    process::{NoRandomness, Random},
};

/// Makes links now and then.
pub struct Links {
    kms: Kms,
    key_id: String,
    /// Derived for the first link: most invocations make none.
    key: OnceCell<LinkKey>,
    references: References,
    random: Random,
}

/// No link can be made now.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The key is not derived.
    #[error(transparent)]
    Kms(#[from] KmsError),
    /// There is no nonce.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Links {
    /// Links under the key that is derived from this one of KMS, whose references this table keeps. Nothing is
    /// fetched yet.
    #[must_use]
    pub fn new(aws: &SdkConfig, key_id: String, references: References, random: Random) -> Self {
        Self { kms: Kms::new(aws), key_id, key: OnceCell::new(), references, random }
    }

    /// The id of a new link.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new_id(&self) -> Result<LinkId, NoRandomness> {
        let mut bytes = [0; LinkId::LENGTH];
        (self.random)(&mut bytes)?;
        Ok(LinkId::from_bytes(bytes))
    }

    /// The URL of a link, beside the callback, with the reference that the bot knows the person by. Where that cannot be
    /// kept the link goes without it: it still leads to a connection, which keeps the chat's.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn url(
        &self,
        mut link: Link,
        reference: Option<&Reference>,
        callback_uri: &CallbackUri,
    ) -> Result<String, LinkError> {
        let link_id = link.link_id;
        let keeping = async {
            let Some(reference) = reference else { return };
            if let Err(error) = self.references.keep(&mut link, reference).await {
                warn!(%link_id, %error, "reference not kept, link made without it");
            }
        };
        let key = self.key.get_or_try_init(|| self.kms.link_key(&self.key_id));
        let ((), key) = tokio::join!(keeping, key);
        let mut nonce = [0; NONCE_LENGTH];
        (self.random)(&mut nonce)?;
        Ok(callback_uri.connect_url(&key?.seal(&link, nonce)))
    }
}

/// Where the callback address comes from, for a function that the API invokes.
#[derive(Debug)]
pub enum CallbackUriSource {
    /// The operator gave it, for a domain of their own.
    Given(Source),
    /// It belongs to the API that the request came through, whose id the request carries. The template cannot pass
    /// it to the function, because the API refers to the function already.
    OfThisApi {
        /// `execute-api.<region>.<suffix>`.
        domain_suffix: String,
    },
}

/// Why the callback address is not known.
#[derive(Debug, thiserror::Error)]
pub enum CallbackUriError {
    /// Its secret is not read.
    #[error("cannot read the callback address")]
    Secrets(#[from] SecretsError),
    /// It is no address of a callback.
    #[error("invalid callback address")]
    Invalid(#[from] InvalidCallbackUri),
}

impl CallbackUriSource {
    /// Reads `SF_REDIRECT_URI`, or `SF_CALLBACK_URI_SECRET_NAME`, or `API_DOMAIN_SUFFIX`.
    ///
    /// # Errors
    /// [`SettingError::Missing`], where none is set.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        if let Some(source) = Source::read_optional(settings, "SF_REDIRECT_URI", "SF_CALLBACK_URI_SECRET_NAME") {
            return Ok(Self::Given(source));
        }
        let domain_suffix = settings.optional("API_DOMAIN_SUFFIX").ok_or(SettingError::Missing("SF_REDIRECT_URI"))?;
        Ok(Self::OfThisApi { domain_suffix })
    }

    /// The secret that may hold it.
    #[must_use]
    pub const fn source(&self) -> Option<&Source> {
        match self {
            Self::Given(source) => Some(source),
            Self::OfThisApi { .. } => None,
        }
    }

    /// The address, for a request that came through the API with this id.
    ///
    /// # Errors
    /// [`CallbackUriError`].
    pub fn resolve(&self, secrets: &Secrets, api_id: &str) -> Result<CallbackUri, CallbackUriError> {
        Ok(match self {
            Self::Given(source) => CallbackUri::parse(secrets.get(source)?)?,
            Self::OfThisApi { domain_suffix } => {
                CallbackUri::parse(&format!("https://{api_id}.{domain_suffix}/callback"))?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fakes::{Server, aws::setting};

    use super::*;
    use crate::{Timestamp, aws::dynamodb};

    fn read(given: &[(&str, &str)]) -> Result<CallbackUriSource, SettingError> {
        CallbackUriSource::read(&Settings::new(|name: &str| {
            given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }))
    }

    #[test]
    fn a_given_callback_address_comes_before_this_apis_own() {
        let own = ("API_DOMAIN_SUFFIX", "execute-api.us-east-1.amazonaws.com");
        assert!(matches!(read(&[own]).unwrap(), CallbackUriSource::OfThisApi { .. }));
        for given in [("SF_REDIRECT_URI", "https://example.com/callback"), ("SF_CALLBACK_URI_SECRET_NAME", "uri")] {
            assert!(matches!(read(&[own, given]).unwrap(), CallbackUriSource::Given(_)));
        }
        assert_eq!(read(&[]).unwrap_err(), SettingError::Missing("SF_REDIRECT_URI"));
    }

    #[expect(clippy::unnecessary_wraps, reason = "the system's source may fail")]
    fn nines(buffer: &mut [u8]) -> Result<(), NoRandomness> {
        buffer.fill(9);
        Ok(())
    }

    /// AWS, its configuration, and what makes links there.
    async fn links() -> (Server, SdkConfig, Links) {
        let server = Server::start().await.with_kms();
        let config = crate::aws::config(&Settings::new(|name: &str| setting(name, &server))).unwrap();
        let references = References::new(dynamodb::service(&config), "attempts".to_owned());
        let links = Links::new(&config, "link".to_owned(), references, nines);
        (server, config, links)
    }

    fn link(links: &Links) -> Link {
        Link::new(
            links.new_id().unwrap(),
            "whatsapp:+15551234567".parse().unwrap(),
            "https://login.salesforce.com".parse().unwrap(),
            Timestamp::from_seconds(1_790_000_000),
            Duration::from_hours(24),
        )
    }

    async fn opened(config: &SdkConfig, url: &str) -> Link {
        let text = url.strip_prefix("https://example.com/connect/").unwrap();
        Kms::new(config).link_key("link").await.unwrap().open(&text.parse().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn two_links_derive_one_key() {
        let (server, config, links) = links().await;
        let callback_uri = "https://example.com/callback".parse().unwrap();
        for _ in 0..2 {
            let link = link(&links);
            let url = links.url(link.clone(), None, &callback_uri).await.unwrap();
            assert_eq!(opened(&config, &url).await, link);
        }
        assert_eq!(server.count("GenerateMac"), 3, "two are the test's");
        assert_eq!(server.count("UpdateItem"), 0);
    }

    #[tokio::test]
    async fn a_new_link_carries_the_reference_on() {
        let (server, config, links) = links().await;
        server.on("UpdateItem", |_| serde_json::json!({}).into());
        let (link, callback_uri) = (link(&links), "https://example.com/callback".parse().unwrap());
        let url = links.url(link.clone(), "crm/42".parse().ok().as_ref(), &callback_uri).await.unwrap();
        assert_eq!(opened(&config, &url).await, Link { has_reference: true, ..link });
        assert_eq!(server.count("UpdateItem"), 1);
    }

    #[tokio::test]
    async fn a_link_is_made_without_a_reference_that_cannot_be_kept() {
        let (server, config, links) = links().await;
        server.on("UpdateItem", |_| fakes::aws::error("AccessDeniedException"));
        let (link, callback_uri) = (link(&links), "https://example.com/callback".parse().unwrap());
        let url = links.url(link.clone(), "crm/42".parse().ok().as_ref(), &callback_uri).await.unwrap();
        assert_eq!(opened(&config, &url).await, link);
    }
}
