//! Tokens sealed for this stack: for their row, and for the upkeep queue. Pure.
//!
//! AES-256-GCM under a data key of KMS, which stands beside it, encrypted. A sealed text is bound to its purpose and its chat
//! as additional data: moved to another row it does not open. The chat is not in KMS's encryption context, which CloudTrail logs
//! in clear (AWS KMS Developer Guide, "Encryption context").

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret as _, SecretBox, SecretString, zeroize::Zeroize as _};

use crate::{
    WaId,
    connection::SealedText,
    process::{NoRandomness, Random},
};

const VERSION: &str = "sealed:v1";

/// What is sealed: one is never opened as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A refresh token, in its row or to be revoked.
    RefreshToken,
    /// The tokens of a refresh that are still to be stored, as JSON.
    NewestTokens,
}

/// A data key: in plain text for this invocation, and as KMS encrypted it.
pub struct SealingKey {
    /// An AES-256 key. Each sealing has a nonce of its own (NIST SP 800-38D §8.2.2).
    pub plaintext: SecretBox<[u8; 32]>,
    /// The same key, encrypted.
    pub sealed: Vec<u8>,
}

/// The text cannot be sealed, or does not open with this key, for this chat, or for this purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot seal or open tokens")]
pub struct BrokenSeal;

impl From<NoRandomness> for BrokenSeal {
    fn from(_: NoRandomness) -> Self {
        Self
    }
}

impl Purpose {
    fn binding(self, wa_id: &WaId) -> Aad<String> {
        let purpose = match self {
            Self::RefreshToken => "refresh-token:v1",
            Self::NewestTokens => "newest-tokens:v1",
        };
        Aad::from(format!("{purpose}:{}", wa_id.as_str()))
    }
}

/// Seals a text for a chat.
///
/// # Errors
/// [`BrokenSeal`].
pub fn seal(
    key: &SealingKey,
    purpose: Purpose,
    wa_id: &WaId,
    plaintext: &str,
    random: Random,
) -> Result<SealedText, BrokenSeal> {
    let mut nonce = [0; NONCE_LEN];
    random(&mut nonce)?;
    let mut data = plaintext.as_bytes().to_vec();
    let sealed = cipher(&key.plaintext)?.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        purpose.binding(wa_id),
        &mut data,
    );
    if sealed.is_err() {
        data.zeroize();
        return Err(BrokenSeal);
    }
    let [key, nonce, data] = [&key.sealed[..], &nonce, &data].map(|part| URL_SAFE_NO_PAD.encode(part));
    SealedText::parse(&format!("{VERSION}:{key}:{nonce}:{data}")).ok_or(BrokenSeal)
}

/// A sealed text, taken apart.
pub struct Parts {
    /// The data key, encrypted: KMS opens it.
    pub key: Vec<u8>,
    nonce: [u8; NONCE_LEN],
    data: Vec<u8>,
}

impl Parts {
    /// Takes a sealed text apart.
    ///
    /// # Errors
    /// [`BrokenSeal`], where it is not of this version's form.
    pub fn of(text: &SealedText) -> Result<Self, BrokenSeal> {
        let rest = text.as_str().strip_prefix(VERSION).and_then(|rest| rest.strip_prefix(':')).ok_or(BrokenSeal)?;
        let parts: Vec<_> = rest
            .split(':')
            .map(|part| URL_SAFE_NO_PAD.decode(part))
            .collect::<Result<_, _>>()
            .map_err(|_| BrokenSeal)?;
        let [key, nonce, data] = <[Vec<u8>; 3]>::try_from(parts).map_err(|_| BrokenSeal)?;
        Ok(Self { key, nonce: nonce.try_into().map_err(|_| BrokenSeal)?, data })
    }

    /// Opens it with its data key.
    ///
    /// # Errors
    /// [`BrokenSeal`].
    pub fn open(
        mut self,
        key: &SecretBox<[u8; 32]>,
        purpose: Purpose,
        wa_id: &WaId,
    ) -> Result<SecretString, BrokenSeal> {
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let opened = cipher(key)?.open_in_place(nonce, purpose.binding(wa_id), &mut self.data);
        let text = opened.ok().and_then(|plaintext| str::from_utf8(plaintext).ok()).map(SecretString::from);
        self.data.zeroize();
        text.ok_or(BrokenSeal)
    }
}

fn cipher(key: &SecretBox<[u8; 32]>) -> Result<LessSafeKey, BrokenSeal> {
    UnboundKey::new(&AES_256_GCM, key.expose_secret()).map(LessSafeKey::new).map_err(|_| BrokenSeal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey { plaintext: SecretBox::new(Box::new([byte; 32])), sealed: vec![byte; 40] }
    }

    const RANDOM: Random = |buffer| {
        buffer.fill(7);
        Ok(())
    };

    fn chat(number: u8) -> WaId {
        format!("whatsapp:+1555123456{number}").parse().unwrap()
    }

    #[test]
    fn what_was_sealed_opens_for_its_chat_and_purpose_alone() {
        let text = seal(&key(1), Purpose::RefreshToken, &chat(1), "5Aep861!", RANDOM).unwrap();
        let open = |key: &SealingKey, purpose, chat| Parts::of(&text).unwrap().open(&key.plaintext, purpose, &chat);
        assert_eq!(Parts::of(&text).unwrap().key, [1; 40]);
        assert_eq!(open(&key(1), Purpose::RefreshToken, chat(1)).unwrap().expose_secret(), "5Aep861!");
        assert!(open(&key(1), Purpose::RefreshToken, chat(2)).is_err(), "another chat's row");
        assert!(open(&key(1), Purpose::NewestTokens, chat(1)).is_err(), "another purpose");
        assert!(open(&key(2), Purpose::RefreshToken, chat(1)).is_err(), "another key");
    }

    #[test]
    fn a_sealed_text_shows_neither_token_nor_chat() {
        let text = seal(&key(1), Purpose::RefreshToken, &chat(1), "5Aep861!", RANDOM).unwrap();
        assert!(!text.as_str().contains("5Aep861") && !text.as_str().contains("1555123456"), "{}", text.as_str());
    }

    #[test]
    fn what_is_of_another_form_does_not_open() {
        let text = seal(&key(1), Purpose::RefreshToken, &chat(1), "token", RANDOM).unwrap();
        let cut = text.as_str().rsplit_once(':').unwrap().0;
        for other in [
            "sealed:",
            "sealed:v1",
            "sealed:v1:a:b:c",
            "sealed:v2:YQ:YQ:YQ",
            cut,
            &format!("{cut}:!"),
            &format!("{cut}:a:b"),
        ] {
            assert!(Parts::of(&SealedText::parse(other).unwrap()).is_err(), "{other}");
        }
        let (head, data) = text.as_str().rsplit_once(':').unwrap();
        let changed = format!("{head}:{}", data.chars().rev().collect::<String>());
        let opened = Parts::of(&SealedText::parse(&changed).unwrap())
            .and_then(|parts| parts.open(&key(1).plaintext, Purpose::RefreshToken, &chat(1)));
        assert!(opened.is_err());
    }
}
