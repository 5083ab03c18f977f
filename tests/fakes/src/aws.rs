//! AWS: its JSON protocol, KMS with one key of each kind, and Secrets Manager.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use crate::{Answer, Request, Server};

/// The settings that lead a function's AWS clients to a server.
#[must_use]
pub fn setting(name: &str, server: &Server) -> Option<String> {
    match name {
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("test".to_owned()),
        "AWS_REGION" => Some("us-east-1".to_owned()),
        "AWS_ENDPOINT_URL" => Some(server.url().to_owned()),
        _ => None,
    }
}

/// An error response with this code; the SDK does not retry it unless the code says so.
#[must_use]
pub fn error(code: &str) -> Answer {
    Answer::json(400, &json!({ "__type": code }))
}

/// The key pair behind KMS's `Sign`.
#[must_use]
pub fn state_key_pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap()
}

/// What `GetPublicKey` answers: DER.
#[must_use]
pub fn state_public_key() -> Vec<u8> {
    // RFC 8410 §4: the header of an Ed25519 key in DER.
    let header = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    [&header, state_key_pair().public_key().as_ref()].concat()
}

/// What `GenerateMac` answers.
#[must_use]
pub fn mac(message: &[u8]) -> [u8; 32] {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]), message).as_ref().try_into().unwrap()
}

/// What `GenerateDataKey` answers, in the clear.
pub const DATA_KEY: [u8; 32] = [9; 32];

/// The context and the base64 plaintext of each ciphertext, which itself holds nothing.
type Sealed = Arc<Mutex<HashMap<String, (Value, String)>>>;

impl Server {
    /// Answers as KMS does, with one key of each kind, whatever the key's id.
    #[must_use]
    pub fn with_kms(self) -> Self {
        let sealed = Sealed::default();
        let generated = Arc::clone(&sealed);
        self.on("GetPublicKey", |_| json!({ "PublicKey": STANDARD.encode(state_public_key()) }).into());
        self.on("Sign", |request| {
            json!({ "Signature": STANDARD.encode(state_key_pair().sign(&bytes(request, "Message"))) }).into()
        });
        self.on("GenerateMac", |request| json!({ "Mac": STANDARD.encode(mac(&bytes(request, "Message"))) }).into());
        self.on("GenerateDataKey", move |request| {
            let plaintext = STANDARD.encode(DATA_KEY);
            let ciphertext = seal(&generated, &request.json()["EncryptionContext"], &plaintext);
            json!({ "Plaintext": plaintext, "CiphertextBlob": ciphertext }).into()
        });
        self.on("Decrypt", move |request| {
            let request = request.json();
            match sealed.lock().unwrap().get(request["CiphertextBlob"].as_str().unwrap()) {
                Some((context, plaintext)) if *context == request["EncryptionContext"] => {
                    json!({ "Plaintext": plaintext }).into()
                }
                _ => error("InvalidCiphertextException"),
            }
        });
        self
    }

    /// Answers as a Secrets Manager that holds these secrets.
    #[must_use]
    pub fn with_secrets(self, secrets: &[(&str, &str)]) -> Self {
        let values = secrets.iter().map(|(name, text)| json!({ "Name": name, "SecretString": text }));
        let answer = json!({ "SecretValues": values.collect::<Vec<_>>() });
        self.on("BatchGetSecretValue", move |_| answer.clone().into());
        self
    }
}

fn bytes(request: &Request, field: &str) -> Vec<u8> {
    STANDARD.decode(request.json()[field].as_str().unwrap()).unwrap()
}

fn seal(sealed: &Sealed, context: &Value, plaintext: &str) -> String {
    let mut sealed = sealed.lock().unwrap();
    let ciphertext = STANDARD.encode(format!("ciphertext {:05}", sealed.len()));
    sealed.insert(ciphertext.clone(), (context.clone(), plaintext.to_owned()));
    ciphertext
}
