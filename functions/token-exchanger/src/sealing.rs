//! Refresh tokens as their rows have them: sealed, where the stack has the custody.
//!
//! Each is sealed under a data key of its own, which KMS makes for it and which is not kept: whoever reads the table finds no
//! refresh token that they could use. This function cannot open what it has sealed.

use shared::{
    aws::kms::KmsError,
    connection::{RefreshTokenText, SealedText},
    custody::seal::{self, BrokenSeal, Purpose},
    salesforce::Grant,
};

use crate::{config::Custody, setback::Setback, work::Work};

/// A token cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    Kms(#[from] KmsError),
    #[error(transparent)]
    Seal(#[from] BrokenSeal),
}

impl Work<'_> {
    /// The refresh token of this grant as its row is to have it; `None` where Salesforce gave none.
    pub(crate) async fn row_token(&self, grant: &Grant) -> Result<Option<&RefreshTokenText>, Setback> {
        let text = async || {
            let Some(token) = &grant.refresh_token else { return Ok(None) };
            let text = match &self.resources.config.custody {
                Custody::Stack { key_id } => RefreshTokenText::Sealed(self.seal(key_id, token.secret()).await?),
                Custody::Bot { .. } => RefreshTokenText::Plain(token.secret().into()),
            };
            Ok::<_, SealError>(Some(text))
        };
        Ok(self.row_token.get_or_try_init(text).await?.as_ref())
    }

    /// Seals a token for this chat, with a data key of this KMS key.
    pub(crate) async fn seal(&self, key_id: &str, token: &str) -> Result<SealedText, SealError> {
        let key = self.resources.kms.refresh_token_key(key_id).await?;
        Ok(seal::seal(&key, Purpose::RefreshToken, self.attempt.wa_id, token, self.resources.random)?)
    }
}
