//! AWS KMS: it signs states, derives PKCE verifiers and the key of links, and encrypts data keys, with keys that never
//! leave it.
//! Which key is the caller's to say, and so are retries beyond the SDK's.

use std::collections::HashMap;

use aws_sdk_kms::{
    operation::{
        decrypt::DecryptInput, generate_data_key::GenerateDataKeyInput, generate_mac::GenerateMacInput,
        get_public_key::GetPublicKeyInput, sign::SignInput,
    },
    primitives::Blob,
    types::{DataKeySpec, MacAlgorithmSpec, MessageType, SigningAlgorithmSpec},
};
use secrecy::{ExposeSecret as _, SecretBox, zeroize::Zeroize as _};

use super::{AwsError, SdkConfig, Service, service::requests};
use crate::{
    AttemptId,
    attempt::attr,
    custody::seal::SealingKey,
    link::LinkKey,
    pkce::PkceCodeVerifier,
    state::{StateKey, UnsignedState},
};

requests!(aws_sdk_kms:
    decrypt { DecryptInputBuilder -> Decrypt(DecryptInput) -> DecryptOutput, DecryptError }
    generate_data_key { GenerateDataKeyInputBuilder
        -> GenerateDataKey(GenerateDataKeyInput) -> GenerateDataKeyOutput, GenerateDataKeyError }
    generate_mac { GenerateMacInputBuilder
        -> GenerateMac(GenerateMacInput) -> GenerateMacOutput, GenerateMacError }
    get_public_key { GetPublicKeyInputBuilder
        -> GetPublicKey(GetPublicKeyInput) -> GetPublicKeyOutput, GetPublicKeyError }
    sign { SignInputBuilder -> Sign(SignInput) -> SignOutput, SignError }
);

/// The encryption context of tokens that are on the queue because they could not be stored, beside the attempt's id.
const CHECKPOINT_PURPOSE: (&str, &str) = ("purpose", "checkpoint");

/// The encryption context of refresh tokens. The chat is not in it, because CloudTrail logs it in clear.
const REFRESH_TOKEN_PURPOSE: (&str, &str) = ("purpose", "refresh-token");

/// A client of the region's KMS.
#[derive(Clone, Debug)]
pub struct Kms(Service);

/// A key for envelope encryption of one message.
pub struct DataKey {
    /// To encrypt with now, and not to keep.
    pub plaintext: PlaintextKey,
    /// The same key, encrypted by KMS: to keep beside what it encrypts.
    pub sealed: Vec<u8>,
}

/// An AES-256 key. It has no `Debug`, and its memory is wiped.
pub type PlaintextKey = SecretBox<[u8; 32]>;

/// A KMS operation failed, or its response lacks what the operation promises.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct KmsError(#[from] AwsError);

impl KmsError {
    /// Whether only an operator can help: the key is not usable by this function, or not the one that is asked for. KMS's own
    /// troubles pass (AWS KMS API Reference, "Common Errors").
    #[must_use]
    pub fn is_of_the_key(&self) -> bool {
        const PASSING: [&str; 4] =
            ["ThrottlingException", "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException"];
        self.0.is_refusal() && !PASSING.contains(&self.0.cause())
    }
}

fn unexpected(operation: &'static str) -> KmsError {
    AwsError::unexpected(operation).into()
}

impl Kms {
    /// A client with the given configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self(Service::new(config, "kms"))
    }

    /// The public half of a signing key (`GetPublicKey`).
    ///
    /// # Errors
    /// [`KmsError`], also where the key is not an Ed25519 one.
    pub async fn state_key(&self, key_id: &str) -> Result<StateKey, KmsError> {
        let operation = "GetPublicKey";
        let request = GetPublicKeyInput::builder().key_id(key_id);
        let response = self.0.call(request).await.map_err(AwsError::of(operation))?;
        response.public_key.and_then(|der| StateKey::from_der(der.as_ref()).ok()).ok_or_else(|| unexpected(operation))
    }

    /// The public halves of these keys, in their order.
    ///
    /// # Errors
    /// As for [`Self::state_key`].
    pub async fn state_keys(&self, key_ids: &[String]) -> Result<Vec<StateKey>, KmsError> {
        let mut keys = Vec::with_capacity(key_ids.len());
        for key_id in key_ids {
            keys.push(self.state_key(key_id).await?);
        }
        Ok(keys)
    }

    /// Signs a state (`Sign`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn sign(&self, key_id: &str, state: UnsignedState) -> Result<String, KmsError> {
        let operation = "Sign";
        let request = SignInput::builder()
            .key_id(key_id)
            .signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512)
            .message_type(MessageType::Raw)
            .message(Blob::new(state.message()));
        let response = self.0.call(request).await.map_err(AwsError::of(operation))?;
        let signature = response.signature.ok_or_else(|| unexpected(operation))?;
        let signature = signature.as_ref().try_into().map_err(|_| unexpected(operation))?;
        Ok(state.with_signature(signature))
    }

    /// The PKCE verifier of an attempt (`GenerateMac`): the same key and attempt always give the same one.
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn pkce_verifier(&self, key_id: &str, attempt: AttemptId) -> Result<PkceCodeVerifier, KmsError> {
        let mac = self.mac(key_id, &PkceCodeVerifier::mac_input(attempt)).await?;
        Ok(PkceCodeVerifier::from_bytes(mac.expose_secret()))
    }

    /// The key that seals and opens links (`GenerateMac`): the same KMS key always gives the same one.
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn link_key(&self, key_id: &str) -> Result<LinkKey, KmsError> {
        Ok(LinkKey::new(self.mac(key_id, LinkKey::DERIVED_FROM).await?))
    }

    async fn mac(&self, key_id: &str, message: &[u8]) -> Result<SecretBox<[u8; 32]>, KmsError> {
        let operation = "GenerateMac";
        let request = GenerateMacInput::builder()
            .key_id(key_id)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new(message));
        let response = self.0.call(request).await.map_err(AwsError::of(operation))?;
        secret_bytes(response.mac.ok_or_else(|| unexpected(operation))?, operation)
    }

    /// A new key to encrypt the tokens of an attempt with (`GenerateDataKey`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn checkpoint_key(&self, key_id: &str, attempt: AttemptId) -> Result<DataKey, KmsError> {
        self.data_key(key_id, checkpoint_context(attempt)).await
    }

    /// Decrypts a key that [`Self::checkpoint_key`] made for the same attempt (`Decrypt`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn open_checkpoint_key(
        &self,
        key_id: &str,
        attempt: AttemptId,
        sealed: &[u8],
    ) -> Result<PlaintextKey, KmsError> {
        self.open_data_key(key_id, checkpoint_context(attempt), sealed).await
    }

    /// A new key to seal refresh tokens with (`GenerateDataKey`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn refresh_token_key(&self, key_id: &str) -> Result<SealingKey, KmsError> {
        let DataKey { plaintext, sealed } = self.data_key(key_id, refresh_token_context()).await?;
        Ok(SealingKey { plaintext, sealed })
    }

    /// Decrypts a key that [`Self::refresh_token_key`] made (`Decrypt`).
    ///
    /// # Errors
    /// [`KmsError`].
    pub async fn open_refresh_token_key(&self, key_id: &str, sealed: &[u8]) -> Result<PlaintextKey, KmsError> {
        self.open_data_key(key_id, refresh_token_context(), sealed).await
    }

    async fn data_key(&self, key_id: &str, context: Context) -> Result<DataKey, KmsError> {
        let operation = "GenerateDataKey";
        let request = GenerateDataKeyInput::builder()
            .key_id(key_id)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(context));
        let response = self.0.call(request).await.map_err(AwsError::of(operation))?;
        let (Some(plaintext), Some(sealed)) = (response.plaintext, response.ciphertext_blob) else {
            return Err(unexpected(operation));
        };
        Ok(DataKey { plaintext: secret_bytes(plaintext, operation)?, sealed: sealed.into_inner() })
    }

    async fn open_data_key(&self, key_id: &str, context: Context, sealed: &[u8]) -> Result<PlaintextKey, KmsError> {
        let operation = "Decrypt";
        let request = DecryptInput::builder()
            .key_id(key_id)
            .set_encryption_context(Some(context))
            .ciphertext_blob(Blob::new(sealed));
        let response = self.0.call(request).await.map_err(AwsError::of(operation))?;
        secret_bytes(response.plaintext.ok_or_else(|| unexpected(operation))?, operation)
    }
}

type Context = HashMap<String, String>;

fn checkpoint_context(attempt: AttemptId) -> Context {
    [CHECKPOINT_PURPOSE, (attr::ATTEMPT_ID, &*attempt.to_string())].map(owned).into()
}

fn refresh_token_context() -> Context {
    [REFRESH_TOKEN_PURPOSE].map(owned).into()
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn secret_bytes(blob: Blob, operation: &'static str) -> Result<SecretBox<[u8; 32]>, KmsError> {
    let mut bytes = blob.into_inner();
    let key = <[u8; 32]>::try_from(&bytes[..]).map_err(|_| unexpected(operation));
    bytes.zeroize();
    key.map(|key| SecretBox::new(Box::new(key)))
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::{
        error::{ErrorMetadata, SdkError},
        operation::decrypt::DecryptError,
    };

    use super::*;

    #[test]
    fn an_error_names_the_operation_and_the_code_alone() {
        let denied = ErrorMetadata::builder().code("AccessDeniedException").message("not this role").build();
        let error = SdkError::service_error(DecryptError::generic(denied), "s3cret");
        let error = KmsError::from(AwsError::of("Decrypt")(error));
        assert_eq!(error.to_string(), "Decrypt failed: AccessDeniedException");
    }
}
