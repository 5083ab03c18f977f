//! Refresh tokens as a row of the token table has them: sealed, where the stack has the custody.
//!
//! They are opened by their form alone, `sealed:v1:<data key, encrypted>:<nonce>:<ciphertext>`, with the stack's key, which the
//! test may use as an administrator of the account. So a test compares the token itself with what Salesforce knows.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::{Value, json};

use crate::{Cloud, Stack};

const SEALED: &str = "sealed:v1:";

fn binding(chat: &str) -> Aad<String> {
    Aad::from(format!("refresh-token:v1:{chat}"))
}

/// The parts of a sealed refresh token: the data key, encrypted; the nonce; the ciphertext.
fn parts(sealed: &str) -> [Vec<u8>; 3] {
    let parts: Vec<_> = sealed.split(':').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url")).collect();
    parts.try_into().expect("three parts")
}

/// The encrypted data key that this row's refresh token is sealed with, as a call of KMS has it.
pub fn sealing_key(row: &Value) -> String {
    let sealed = row["refresh_token"]["S"].as_str().and_then(|text| text.strip_prefix(SEALED)).expect("a sealed token");
    STANDARD.encode(&parts(sealed)[0])
}

/// Whether the refresh token in this row is sealed.
pub fn is_sealed(row: &Value) -> bool {
    row["refresh_token"]["S"].as_str().is_some_and(|text| text.starts_with(SEALED))
}

impl Cloud {
    /// The refresh token in this row, opened where it is sealed; `None` where there is none.
    pub async fn refresh_token(&self, row: &Value) -> Option<String> {
        let text = row["refresh_token"]["S"].as_str()?;
        let Some(sealed) = text.strip_prefix(SEALED) else { return Some(text.to_owned()) };
        let [key, nonce, data] = parts(sealed);
        let order = json!({"CiphertextBlob": STANDARD.encode(key), "EncryptionContext": {"purpose": "refresh-token"}});
        let key = self.aws("kms", "TrentService.Decrypt", order).await;
        let key = STANDARD.decode(key["Plaintext"].as_str().expect("a key")).expect("base64");
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("an AES key"));
        let chat = row["wa_id"]["S"].as_str().expect("a chat");
        let (nonce, mut data) = (Nonce::try_assume_unique_for_key(&nonce).expect("a nonce"), data);
        let token = cipher.open_in_place(nonce, binding(chat), &mut data).expect("a token that is sealed for this row");
        Some(String::from_utf8(token.to_vec()).expect("a token"))
    }

    /// A refresh token, sealed for a chat as the stack does it.
    pub async fn seal(&self, stack: &Stack, chat: &str, token: &str) -> String {
        let order = json!({"KeyId": stack.output("RefreshTokenKeyArn"), "KeySpec": "AES_256",
            "EncryptionContext": {"purpose": "refresh-token"}});
        let made = self.aws("kms", "TrentService.GenerateDataKey", order).await;
        let [key, sealed_key] = ["Plaintext", "CiphertextBlob"]
            .map(|name| STANDARD.decode(made[name].as_str().expect("a key")).expect("base64"));
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).expect("an AES key"));
        // The key seals once.
        let nonce = [7; NONCE_LEN];
        let mut data = token.as_bytes().to_vec();
        cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), binding(chat), &mut data)
            .expect("a token that can be sealed");
        let parts = [&sealed_key[..], &nonce, &data].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{SEALED}{}", parts.join(":"))
    }

    /// The access token and the refresh token of this row, the latter opened.
    pub async fn tokens_of(&self, row: &Value) -> [String; 2] {
        let access_token = row["access_token"]["S"].as_str().expect("an access token").to_owned();
        [access_token, self.refresh_token(row).await.expect("a refresh token")]
    }
}
