//! The tokens that Salesforce issued, verified before anything is done with them. Pure.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use serde::Deserialize;
use url::Url;

use super::token::{AccessToken, RefreshToken};
use crate::{LoginUrl, Timestamp, login::is_confidential};

/// Hosts of Salesforce. The signature does not cover `instance_url`, and the access token goes there.
const INSTANCE_HOSTS: [&str; 4] = [".salesforce.com", ".force.com", ".my.site.com", ".salesforce.mil"];

/// The answer of the token endpoint as it is sent (RFC 6749 §5.1 and Salesforce's additions).
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    instance_url: String,
    id: String,
    /// Milliseconds, as a string.
    issued_at: String,
    signature: String,
    scope: Option<String>,
}

/// Tokens, and the account that they belong to.
pub struct Grant {
    /// Opens the org's API.
    pub access_token: AccessToken,
    /// Absent without the scope, or by the org's policy.
    pub refresh_token: Option<RefreshToken>,
    /// The origin of the org's API.
    pub instance_url: String,
    /// When Salesforce issued the tokens.
    pub issued_at: Timestamp,
    /// The scopes that were granted, separated by spaces, where Salesforce says.
    pub scope: Option<String>,
    /// 15 or 18 letters and digits.
    pub org_id: String,
    /// 15 or 18 letters and digits.
    pub user_id: String,
}

/// Why an answer with tokens is not trusted. Another try would have the same result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Not signed with this app's secret.
    #[error("the signature does not match the client secret")]
    Signature,
    /// Not a number.
    #[error("issued_at is not a time in milliseconds")]
    IssuedAt,
    /// Not `/id/{org}/{user}`.
    #[error("id does not name an org and a user")]
    Identity,
    /// The access token must not go there.
    #[error("instance_url is not a host of Salesforce")]
    Instance,
}

impl TokenAnswer {
    /// Checks signature, identity and host.
    pub(super) fn verify(self, client_secret: &str, login_url: &LoginUrl) -> Result<Grant, Untrusted> {
        let signature = STANDARD.decode(&self.signature).map_err(|_| Untrusted::Signature)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, client_secret.as_bytes());
        // In constant time.
        hmac::verify(&key, format!("{}{}", self.id, self.issued_at).as_bytes(), &signature)
            .map_err(|_| Untrusted::Signature)?;
        let issued_at = self.issued_at.parse().map(Timestamp::from_millis).map_err(|_| Untrusted::IssuedAt)?;
        let (org_id, user_id) = identity(&self.id).ok_or(Untrusted::Identity)?;
        Ok(Grant {
            instance_url: instance(&self.instance_url, login_url).ok_or(Untrusted::Instance)?,
            access_token: self.access_token,
            refresh_token: self.refresh_token,
            issued_at,
            scope: self.scope,
            org_id,
            user_id,
        })
    }
}

/// Org and user of `https://login.salesforce.com/id/{org}/{user}`.
fn identity(id: &str) -> Option<(String, String)> {
    let id = Url::parse(id).ok()?;
    let path: Vec<_> = id.path_segments()?.collect();
    match path[..] {
        ["id", org, user] if is_record_id(org) && is_record_id(user) => Some((org.to_owned(), user.to_owned())),
        _ => None,
    }
}

fn is_record_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The origin of the org's API: at Salesforce, or where the person logged in, which the operator
/// has listed.
fn instance(text: &str, login_url: &LoginUrl) -> Option<String> {
    let address = Url::parse(text).ok()?;
    let origin = address.origin().ascii_serialization();
    let known = login_url.is_origin_of(&address)
        || address.domain().is_some_and(|host| INSTANCE_HOSTS.iter().any(|end| host.ends_with(end)));
    (known && is_confidential(&address) && address.as_str() == format!("{origin}/")).then_some(origin)
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("org_id", &self.org_id).field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "client secret";
    const ID: &str = "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS";

    fn answer(id: &str, instance_url: &str) -> Value {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        json!({
            "access_token": "00Dxx!ACCESS",
            "refresh_token": "5AepREFRESH",
            "instance_url": instance_url,
            "id": id,
            "issued_at": "1790000000123",
            "signature": STANDARD.encode(hmac::sign(&key, format!("{id}1790000000123").as_bytes())),
            "scope": "api refresh_token",
            "token_type": "Bearer",
        })
    }

    fn verify(answer: Value) -> Result<Grant, Untrusted> {
        let login_url = "https://login.salesforce.com".parse().unwrap();
        serde_json::from_value::<TokenAnswer>(answer).unwrap().verify(SECRET, &login_url)
    }

    #[test]
    fn an_answer_of_salesforce_is_trusted() {
        let grant = verify(answer(ID, "https://acme.my.salesforce.com")).unwrap();
        assert_eq!(grant.instance_url, "https://acme.my.salesforce.com");
        assert_eq!(grant.issued_at, Timestamp::from_millis(1_790_000_000_123));
        assert_eq!((&*grant.org_id, &*grant.user_id), ("00Dxx0000001gPLEAY", "005xx000001SwiUAAS"));
        assert_eq!(grant.scope.as_deref(), Some("api refresh_token"));
        assert!(grant.refresh_token.is_some());
    }

    #[test]
    fn a_refresh_token_and_a_scope_may_be_absent() {
        let mut answer = answer(ID, "https://acme.my.salesforce.com");
        answer.as_object_mut().unwrap().retain(|key, _| key != "refresh_token" && key != "scope");
        let grant = verify(answer).unwrap();
        assert!(grant.refresh_token.is_none() && grant.scope.is_none());
    }

    #[test]
    fn a_signature_by_another_secret_is_not_trusted() {
        for (key, value) in [
            ("signature", "bm8="),
            ("signature", "not base64!"),
            ("issued_at", "1790000000124"),
            ("id", "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001EvilAAS"),
        ] {
            let mut answer = answer(ID, "https://acme.my.salesforce.com");
            answer[key] = value.into();
            assert_eq!(verify(answer).unwrap_err(), Untrusted::Signature, "{key}");
        }
    }

    #[test]
    fn an_identity_names_an_org_and_a_user() {
        for id in ["00D/005", "https://login.salesforce.com/id/00Dxx0000001gPLEAY", "https://x/id/00D/005/../.."] {
            assert_eq!(verify(answer(id, "https://acme.my.salesforce.com")).unwrap_err(), Untrusted::Identity, "{id}");
        }
    }

    #[test]
    fn tokens_are_used_at_hosts_of_salesforce_alone() {
        for url in [
            "https://acme.my.salesforce.com",
            "https://na1.salesforce.com/",
            "https://acme.lightning.force.com",
            "https://acme.my.site.com",
            "https://acme.my.salesforce.mil",
            "https://login.salesforce.com",
        ] {
            assert!(verify(answer(ID, url)).is_ok(), "{url}");
        }
        for url in [
            "http://acme.my.salesforce.com",
            "https://evil.example",
            "https://acme.my.salesforce.com.evil.example",
            "https://evilsalesforce.com",
            "https://acme.my.salesforce.com@evil.example",
            "https://user@acme.my.salesforce.com",
            "https://acme.my.salesforce.com/path",
            "http://127.0.0.1:8080",
            "nonsense",
        ] {
            assert_eq!(verify(answer(ID, url)).unwrap_err(), Untrusted::Instance, "{url}");
        }
    }

    #[test]
    fn on_loopback_the_login_host_is_the_instance() {
        let answer = serde_json::from_value::<TokenAnswer>(answer(ID, "http://localhost:8080")).unwrap();
        let login_url = "http://localhost:8080".parse().unwrap();
        assert_eq!(answer.verify(SECRET, &login_url).unwrap().instance_url, "http://localhost:8080");
    }

    #[test]
    fn debug_hides_the_tokens() {
        let debug = format!("{:?}", verify(answer(ID, "https://acme.my.salesforce.com")).unwrap());
        assert!(!debug.contains("ACCESS") && !debug.contains("REFRESH"), "{debug}");
    }
}
