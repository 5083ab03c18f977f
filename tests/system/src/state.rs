//! States as the stack makes them, for messages that a test puts on the exchange queue itself.
//!
//! They are signed by the stack's own key, which the test may use as an administrator of the account. So a test can choose
//! when a callback came, and whose it is.

use base64::{Engine as _, engine::general_purpose};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::{Cloud, Stack};

/// What a state claims.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// 32 hexadecimal digits.
    pub attempt: &'a str,
    /// The chat, `whatsapp:+…`.
    pub chat: &'a str,
    /// Where the person logged in.
    pub login_url: &'a str,
    /// When the callback came, in milliseconds since the epoch: a minute after the link was made.
    pub received_at: u64,
}

impl Cloud {
    /// A signed state. Its link was made a minute before the callback, and it lives for ten minutes more.
    pub async fn sign_state(&self, stack: &Stack, claims: Claims<'_>) -> String {
        let link = [&[0x11; 16][..], &seconds(claims.received_at - 60_000)].concat();
        self.sign(stack, claims, 2, &link, &[]).await
    }

    /// The same as the version before made it, without a link, bound to the browser with this value of its cookie.
    pub async fn sign_state_of_version_1(&self, stack: &Stack, claims: Claims<'_>, cookie: &str) -> String {
        let attempt = from_hex(claims.attempt);
        let binding = digest(&SHA256, &[cookie.as_bytes(), b".", &attempt].concat());
        self.sign(stack, claims, 1, &[], &binding.as_ref()[..16]).await
    }

    async fn sign(&self, stack: &Stack, claims: Claims<'_>, version: u8, link: &[u8], binding: &[u8]) -> String {
        let Claims { attempt, chat, login_url, received_at } = claims;
        let key = stack.output("StateKeyArn");
        let public = self.aws("kms", "TrentService.GetPublicKey", json!({"KeyId": key})).await;
        let mut bytes = vec![version];
        bytes.extend(from_hex(attempt));
        bytes.extend(link);
        bytes.extend(seconds(received_at + 600_000));
        bytes.extend(&digest(&SHA256, &from_base64(&public["PublicKey"])).as_ref()[..4]);
        bytes.push(u8::try_from(binding.len()).expect("a short binding"));
        bytes.extend(binding);
        bytes.extend(login_url.trim_start_matches("https://").bytes());

        let message = [b"whatsapp-salesforce-connect state v1\0", chat.as_bytes(), b"\0", &bytes].concat();
        let message = general_purpose::STANDARD.encode(message);
        let order =
            json!({"KeyId": key, "Message": message, "MessageType": "RAW", "SigningAlgorithm": "ED25519_SHA_512"});
        let signed = self.aws("kms", "TrentService.Sign", order).await;
        bytes.extend(from_base64(&signed["Signature"]));
        format!("wa:{chat}~{}", general_purpose::URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// The attempt that a login belongs to, by the state in this address; 32 hexadecimal digits.
pub fn attempt_of(url: &str) -> String {
    let state = crate::parameter(url, "state");
    let token = state.rsplit_once('~').expect("a signed state").1;
    let bytes = general_purpose::URL_SAFE_NO_PAD.decode(token).expect("base64url");
    let attempt = bytes[1..17].try_into().expect("sixteen bytes");
    format!("{:032x}", u128::from_be_bytes(attempt))
}

fn seconds(at_ms: u64) -> [u8; 4] {
    u32::try_from(at_ms / 1_000).expect("a time before 2106").to_be_bytes()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> =
        text.chars().map(|c| u8::try_from(c.to_digit(16).expect("a digit")).expect("a digit")).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn from_base64(value: &Value) -> Vec<u8> {
    general_purpose::STANDARD.decode(value.as_str().expect("base64")).expect("base64")
}
