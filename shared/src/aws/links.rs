//! New links for people who are to connect again, and where the pages of links are.

use tokio::sync::OnceCell;

use super::{
    SdkConfig,
    kms::{Kms, KmsError},
    secrets::{Secrets, SecretsError, Source},
};
use crate::{
    CallbackUri, LinkId, SettingError, Settings,
    callback_uri::InvalidCallbackUri,
    link::{Link, LinkKey, NONCE_LENGTH},
    process::{NoRandomness, Random},
};

/// Makes links now and then.
pub struct Links {
    aws: SdkConfig,
    key_id: String,
    /// Derived for the first link: most invocations make none, and a client of KMS is a tenth of a cold start.
    key: OnceCell<LinkKey>,
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
    /// Links under the key that is derived from this one of KMS. Nothing is fetched yet.
    #[must_use]
    pub fn new(aws: &SdkConfig, key_id: String, random: Random) -> Self {
        Self { aws: aws.clone(), key_id, key: OnceCell::new(), random }
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

    /// The URL of a link, beside the callback.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn url(&self, link: &Link, callback_uri: &CallbackUri) -> Result<String, LinkError> {
        let key = self.key.get_or_try_init(async || Kms::new(&self.aws).link_key(&self.key_id).await).await?;
        let mut nonce = [0; NONCE_LENGTH];
        (self.random)(&mut nonce)?;
        Ok(callback_uri.connect_url(&key.seal(link, nonce)))
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
    use crate::Timestamp;

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

    #[tokio::test]
    async fn two_links_derive_one_key() {
        let server = Server::start().await.with_kms();
        let config = crate::aws::config(&Settings::new(|name: &str| setting(name, &server))).unwrap();
        let random = |buffer: &mut [u8]| {
            buffer.fill(9);
            Ok(())
        };
        let links = Links::new(&config, "link".to_owned(), random);
        let callback_uri = "https://example.com/callback".parse().unwrap();
        for _ in 0..2 {
            let link = Link::new(
                links.new_id().unwrap(),
                "whatsapp:+15551234567".parse().unwrap(),
                "https://login.salesforce.com".parse().unwrap(),
                Timestamp::from_seconds(1_790_000_000),
                Duration::from_hours(24),
            );
            let url = links.url(&link, &callback_uri).await.unwrap();
            let text = url.strip_prefix("https://example.com/connect/").unwrap();
            let key = Kms::new(&config).link_key("link").await.unwrap();
            assert_eq!(key.open(&text.parse().unwrap()), Ok(link));
        }
        assert_eq!(server.count("GenerateMac"), 3, "one of them is not the test's");
    }
}
