//! Salesforce: the token endpoint and `/userinfo`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::json;

use crate::{Answer, Server};

/// The token endpoint.
pub const TOKEN: &str = "/services/oauth2/token";
/// The endpoint that says whose token it is.
pub const USERINFO: &str = "/services/oauth2/userinfo";
/// The endpoint that revokes tokens.
pub const REVOKE: &str = "/services/oauth2/revoke";
/// When the tokens are made, in milliseconds since the epoch.
pub const ISSUED_AT: u64 = 1_790_000_000_123;

impl Server {
    /// Answers as Salesforce does to an app with this client secret.
    #[must_use]
    pub fn with_salesforce(self, client_secret: &str) -> Self {
        let tokens = self.tokens(client_secret);
        self.on(TOKEN, move |_| tokens.clone());
        self.on(USERINFO, |_| json!({ "preferred_username": "ada@acme.example", "user_id": "005xx000001SwiU" }).into());
        self
    }

    /// Tokens, signed with a client secret.
    #[must_use]
    pub fn tokens(&self, client_secret: &str) -> Answer {
        let id = format!("{}/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS", self.url());
        let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.as_bytes());
        json!({
            "access_token": "00Dxx!ACCESS",
            "refresh_token": "5AepREFRESH",
            "instance_url": self.url(),
            "issued_at": ISSUED_AT.to_string(),
            "signature": STANDARD.encode(hmac::sign(&key, format!("{id}{ISSUED_AT}").as_bytes())),
            "id": id,
            "scope": "api refresh_token",
            "token_type": "Bearer",
        })
        .into()
    }
}
