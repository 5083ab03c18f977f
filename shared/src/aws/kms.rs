//! AWS KMS: states are signed, verifiers made and links and tokens sealed by keys that never leave it.

use aws_sdk_kms::{
    Client,
    config::BehaviorVersion,
    error::{ProvideErrorMetadata, SdkError},
    operation::decrypt::DecryptError,
    primitives::Blob,
    types::{DataKeySpec, MacAlgorithmSpec, MessageType, SigningAlgorithmSpec},
};

use secrecy::{SecretBox, zeroize::Zeroize as _};

use super::SdkConfig;
use crate::{
    AttemptId,
    attempt::attr,
    link::{self, Link},
    pkce::PkceCodeVerifier,
    state::{StateKey, UnsignedState},
};

/// The encryption context of links. A role may be allowed this and nothing else that the key can do.
const LINK_PURPOSE: (&str, &str) = ("purpose", "connect-link");
/// The encryption context of tokens that wait to be stored; the attempt's id goes with it.
const CHECKPOINT_PURPOSE: (&str, &str) = ("purpose", "checkpoint");

/// KMS, with the stack's keys named at each call.
#[derive(Clone, Debug)]
pub struct Kms(Client);

/// A key for one use: to seal with now, and to be opened by KMS alone later.
pub struct DataKey {
    /// The key.
    pub plaintext: PlaintextKey,
    /// The key, encrypted.
    pub sealed: Vec<u8>,
}

/// 256 bits that do not print and are wiped.
pub type PlaintextKey = SecretBox<[u8; 32]>;

/// KMS did not do it.
#[derive(Debug, thiserror::Error)]
pub enum KmsError {
    /// No answer, or a refusal.
    #[error("KMS did not {operation}: {why}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// In [`super::describe`]'s words.
        why: String,
    },
    /// An answer that is not what was asked for.
    #[error("KMS answered {operation} with something else")]
    Unexpected {
        /// What was asked.
        operation: &'static str,
    },
}

/// A link does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was not made by this stack, or was changed.
    #[error("not a connect link")]
    NotALink,
    /// Nothing is known of the link: KMS is in the way.
    #[error(transparent)]
    Kms(#[from] KmsError),
}

fn refused<E, R>(operation: &'static str) -> impl FnOnce(SdkError<E, R>) -> KmsError
where
    SdkError<E, R>: std::error::Error + ProvideErrorMetadata,
{
    move |error| KmsError::Refused { operation, why: super::describe(&error) }
}

impl Kms {
    /// A client of the region's KMS.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_kms::config::Builder::from(config).behavior_version(BehaviorVersion::v2026_01_12());
        Self(Client::from_conf(config.build()))
    }

    /// The public half of a signing key.
    ///
    /// # Errors
    /// [`KmsError`]; `Unexpected` where the key is not an Ed25519 one.
    pub async fn state_key(&self, key_id: &str) -> Result<StateKey, KmsError> {
        let operation = "get the public key";
        let answer = self.0.get_public_key().key_id(key_id).send().await.map_err(refused(operation))?;
        answer
            .public_key
            .and_then(|der| StateKey::from_der(der.as_ref()).ok())
            .ok_or(KmsError::Unexpected { operation })
    }

    /// Signs a state.
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn sign(&self, key_id: &str, state: UnsignedState) -> Result<String, KmsError> {
        let operation = "sign the state";
        let answer = self
            .0
            .sign()
            .key_id(key_id)
            .signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512)
            .message_type(MessageType::Raw)
            .message(Blob::new(state.message()))
            .send()
            .await
            .map_err(refused(operation))?;
        let signature = answer.signature.ok_or(KmsError::Unexpected { operation })?;
        let signature = signature.as_ref().try_into().map_err(|_| KmsError::Unexpected { operation })?;
        Ok(state.with_signature(signature))
    }

    /// The PKCE verifier of an attempt.
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn pkce_verifier(&self, key_id: &str, attempt: AttemptId) -> Result<PkceCodeVerifier, KmsError> {
        let operation = "make the PKCE verifier";
        let answer = self
            .0
            .generate_mac()
            .key_id(key_id)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new(PkceCodeVerifier::mac_input(attempt)))
            .send()
            .await
            .map_err(refused(operation))?;
        let mac = answer.mac.ok_or(KmsError::Unexpected { operation })?;
        let mac = mac.as_ref().try_into().map_err(|_| KmsError::Unexpected { operation })?;
        Ok(PkceCodeVerifier::from_bytes(mac))
    }

    /// Seals a link into the text that stands for it in an address.
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn seal(&self, key_id: &str, link: &Link) -> Result<String, KmsError> {
        let operation = "seal the link";
        let (name, purpose) = LINK_PURPOSE;
        let answer = self
            .0
            .encrypt()
            .key_id(key_id)
            .encryption_context(name, purpose)
            .plaintext(Blob::new(link.to_plaintext()))
            .send()
            .await
            .map_err(refused(operation))?;
        let sealed = answer.ciphertext_blob.ok_or(KmsError::Unexpected { operation })?;
        Ok(link::encode(sealed.as_ref()))
    }

    /// Opens what [`Self::seal`] made. The expiry is for the caller to check.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(&self, key_id: &str, text: &str) -> Result<Link, OpenError> {
        let operation = "open the link";
        let sealed = link::decode(text).map_err(|_| OpenError::NotALink)?;
        let (name, purpose) = LINK_PURPOSE;
        let answer = self
            .0
            .decrypt()
            .key_id(key_id)
            .encryption_context(name, purpose)
            .ciphertext_blob(Blob::new(sealed))
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(DecryptError::InvalidCiphertextException(_) | DecryptError::IncorrectKeyException(_)) => {
                    OpenError::NotALink
                }
                _ => refused(operation)(error).into(),
            })?;
        let plaintext = answer.plaintext.ok_or(KmsError::Unexpected { operation })?;
        Link::from_plaintext(plaintext.as_ref()).map_err(|_| OpenError::NotALink)
    }
}

impl Kms {
    /// A new key to seal the tokens of an attempt with.
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn checkpoint_key(&self, key_id: &str, attempt: AttemptId) -> Result<DataKey, KmsError> {
        let operation = "make a data key";
        let (name, purpose) = CHECKPOINT_PURPOSE;
        let answer = self
            .0
            .generate_data_key()
            .key_id(key_id)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(name, purpose)
            .encryption_context(attr::ATTEMPT_ID, attempt.to_string())
            .send()
            .await
            .map_err(refused(operation))?;
        let (Some(plaintext), Some(sealed)) = (answer.plaintext, answer.ciphertext_blob) else {
            return Err(KmsError::Unexpected { operation });
        };
        Ok(DataKey { plaintext: plaintext_key(plaintext, operation)?, sealed: sealed.into_inner() })
    }

    /// Opens the key that [`Self::checkpoint_key`] made for the attempt.
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn open_checkpoint_key(
        &self,
        key_id: &str,
        attempt: AttemptId,
        sealed: &[u8],
    ) -> Result<PlaintextKey, KmsError> {
        let operation = "open a data key";
        let (name, purpose) = CHECKPOINT_PURPOSE;
        let answer = self
            .0
            .decrypt()
            .key_id(key_id)
            .encryption_context(name, purpose)
            .encryption_context(attr::ATTEMPT_ID, attempt.to_string())
            .ciphertext_blob(Blob::new(sealed))
            .send()
            .await
            .map_err(refused(operation))?;
        plaintext_key(answer.plaintext.ok_or(KmsError::Unexpected { operation })?, operation)
    }
}

fn plaintext_key(blob: Blob, operation: &'static str) -> Result<PlaintextKey, KmsError> {
    let mut bytes = blob.into_inner();
    let key = <[u8; 32]>::try_from(&bytes[..]).map_err(|_| KmsError::Unexpected { operation });
    bytes.zeroize();
    key.map(|key| SecretBox::new(Box::new(key)))
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::error::ErrorMetadata;

    use super::*;

    #[test]
    fn an_error_says_why_and_hides_the_body() {
        let denied = ErrorMetadata::builder().code("AccessDeniedException").message("not this role").build();
        let error = SdkError::service_error(DecryptError::generic(denied), "s3cret");
        assert_eq!(
            refused("open the link")(error).to_string(),
            "KMS did not open the link: AccessDeniedException: not this role"
        );
        let error = SdkError::<DecryptError, _>::response_error("not JSON", "s3cret");
        assert_eq!(refused("open the link")(error).to_string(), "KMS did not open the link: response error: not JSON");
    }
}
