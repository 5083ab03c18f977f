//! The tokens that Salesforce issued, verified before anything is done with them. Pure.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use url::Url;

use super::{
    body::Fields,
    hosts::is_salesforce,
    token::{AccessToken, RefreshToken},
};
use crate::{LoginUrl, Timestamp, login};

/// The answer of the token endpoint as it is sent (RFC 6749 §5.1 and Salesforce's additions).
struct TokenAnswer {
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    instance_url: String,
    id: String,
    /// Milliseconds, as a string.
    issued_at: String,
    signature: Option<String>,
    scope: Option<String>,
}

/// Tokens, and the account that they belong to.
pub struct Grant {
    /// Opens the org's API.
    pub access_token: AccessToken,
    /// Absent without the scope, or by the org's policy.
    pub refresh_token: Option<RefreshToken>,
    /// The base URL of the org's API, without a trailing slash; at an Experience Cloud site with its path.
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

/// What a refresh brought. TLS proves the sender: whose they are, and where the access token may go, is for the caller to
/// check, because a token that was rotated away for these is gone.
pub struct Refreshed {
    /// Opens the org's API.
    pub access_token: AccessToken,
    /// Where Salesforce rotates: the one that was used is dead.
    pub refresh_token: Option<RefreshToken>,
    /// As Salesforce named it.
    pub instance_url: Option<String>,
    /// When Salesforce issued them, where it says.
    pub issued_at: Option<Timestamp>,
    /// The scopes, where Salesforce names them.
    pub scope: Option<String>,
    /// Org and user, where Salesforce names them.
    pub account: Option<(String, String)>,
    /// Whether it is signed with the client secret that was sent, or not at all.
    pub is_proven: bool,
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

/// Tokens of an answer that failed verification. They are valid at Salesforce: another value of the client secret may prove
/// them, and what nothing proves is to be revoked.
#[derive(thiserror::Error)]
#[error("{why}")]
pub struct UntrustedTokens {
    why: Untrusted,
    answer: TokenAnswer,
    login_url: LoginUrl,
}

impl UntrustedTokens {
    /// Why they are not trusted.
    #[must_use]
    pub fn why(&self) -> Untrusted {
        self.why
    }

    /// Verifies them again, by other values of the client secret: while it is rotated Salesforce accepts two, and signs
    /// with either.
    ///
    /// # Errors
    /// Themselves, where they cannot be trusted still.
    pub fn verify(self, client_secrets: &[&str]) -> Result<Grant, Box<Self>> {
        let Self { answer, login_url, .. } = self;
        answer.verify(client_secrets, &login_url)
    }

    /// The token whose revocation ends all of them.
    #[must_use]
    pub fn to_revoke(&self) -> &str {
        self.answer.refresh_token.as_ref().map_or_else(|| self.answer.access_token.secret(), RefreshToken::secret)
    }
}

/// Reads an answer's tokens and verifies them: signature, identity and host. `None` where it has no token.
pub(super) fn verify(
    fields: &Fields,
    client_secret: &str,
    login_url: &LoginUrl,
) -> Option<Result<Grant, Box<UntrustedTokens>>> {
    TokenAnswer::of(fields).map(|answer| answer.verify(&[client_secret], login_url))
}

/// Reads an answer to a refresh; `None` where it has no token, or one that cannot be read: a refresh token that was rotated
/// and is not known must not be taken for one that stays.
pub(super) fn refreshed(fields: &Fields, client_secret: &str) -> Option<Refreshed> {
    let answer = TokenAnswer::of(fields)?;
    if fields.has("refresh_token") && answer.refresh_token.is_none() {
        return None;
    }
    Some(Refreshed {
        is_proven: answer.is_signed(&[client_secret]),
        issued_at: answer.issued_at.parse().map(Timestamp::from_millis).ok(),
        account: identity(&answer.id),
        instance_url: Some(answer.instance_url).filter(|url| !url.is_empty()),
        access_token: answer.access_token,
        refresh_token: answer.refresh_token,
        scope: answer.scope,
    })
}

impl TokenAnswer {
    fn of(fields: &Fields) -> Option<Self> {
        let text = |name| fields.text(name);
        Some(Self {
            access_token: AccessToken::parse(fields.token("access_token")?).ok()?,
            refresh_token: fields.token("refresh_token").and_then(|token| RefreshToken::parse(token).ok()),
            instance_url: text("instance_url").unwrap_or_default(),
            id: text("id").unwrap_or_default(),
            issued_at: text("issued_at").unwrap_or_default(),
            signature: text("signature"),
            scope: text("scope"),
        })
    }

    fn verify(self, client_secrets: &[&str], login_url: &LoginUrl) -> Result<Grant, Box<UntrustedTokens>> {
        match self.check(client_secrets, login_url) {
            Ok((issued_at, (org_id, user_id), instance_url)) => Ok(Grant {
                access_token: self.access_token,
                refresh_token: self.refresh_token,
                instance_url,
                issued_at,
                scope: self.scope,
                org_id,
                user_id,
            }),
            Err(why) => Err(Box::new(UntrustedTokens { why, answer: self, login_url: login_url.clone() })),
        }
    }

    fn check(
        &self,
        client_secrets: &[&str],
        login_url: &LoginUrl,
    ) -> Result<(Timestamp, (String, String), String), Untrusted> {
        if !self.is_signed(client_secrets) {
            return Err(Untrusted::Signature);
        }
        let issued_at = self.issued_at.parse().map(Timestamp::from_millis).map_err(|_| Untrusted::IssuedAt)?;
        let account = identity(&self.id).ok_or(Untrusted::Identity)?;
        let instance = instance_origin(&self.instance_url, login_url).ok_or(Untrusted::Instance)?;
        Ok((issued_at, account, instance))
    }

    /// Whether one of these secrets signed it. Salesforce signs with the app's secret; an answer without a signature is
    /// proven by TLS alone, as those of other providers are.
    fn is_signed(&self, client_secrets: &[&str]) -> bool {
        let Some(signature) = &self.signature else { return true };
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        let signed = format!("{}{}", self.id, self.issued_at);
        client_secrets.iter().any(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            // In constant time.
            hmac::verify(&key, signed.as_bytes(), &signature).is_ok()
        })
    }
}

/// Org and user of `https://login.salesforce.com/id/{org}/{user}`; at an Experience Cloud site after its path.
fn identity(id: &str) -> Option<(String, String)> {
    let id = Url::parse(id).ok()?;
    let path: Vec<_> = id.path_segments()?.collect();
    match path[..] {
        [.., "id", org, user] if is_record_id(org) && is_record_id(user) => Some((org.to_owned(), user.to_owned())),
        _ => None,
    }
}

/// Whether two texts are ids of different records: with or without the checksum that makes 18 characters of 15 (Object Reference,
/// "ID Field Type"). What is no id names no other record.
#[must_use]
pub fn are_other_records(one: &str, other: &str) -> bool {
    is_record_id(one) && is_record_id(other) && one.get(..15) != other.get(..15)
}

fn is_record_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The base URL of the org's API: at Salesforce, or where the person logged in, which the operator
/// has listed.
#[must_use]
pub fn instance_origin(text: &str, login_url: &LoginUrl) -> Option<String> {
    let address = Url::parse(text).ok()?;
    let known = login_url.is_origin_of(&address) || address.domain().is_some_and(is_salesforce);
    if known { login::site(text).ok() } else { None }
}

impl fmt::Debug for UntrustedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntrustedTokens").field("why", &self.why).finish_non_exhaustive()
    }
}

impl fmt::Debug for Refreshed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refreshed").field("is_proven", &self.is_proven).finish_non_exhaustive()
    }
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

    const LOGIN: &str = "https://login.salesforce.com";

    fn verify_at(login_url: &str, answer: &Value) -> Result<Grant, Box<UntrustedTokens>> {
        let fields = Fields::read(answer.to_string().as_bytes()).unwrap();
        super::verify(&fields, SECRET, &login_url.parse().unwrap()).unwrap()
    }

    fn verify(answer: &Value) -> Result<Grant, Untrusted> {
        verify_at(LOGIN, answer).map_err(|tokens| tokens.why())
    }

    #[test]
    fn an_answer_of_salesforce_is_trusted() {
        let grant = verify(&answer(ID, "https://acme.my.salesforce.com")).unwrap();
        assert_eq!(grant.instance_url, "https://acme.my.salesforce.com");
        assert_eq!(grant.issued_at, Timestamp::from_millis(1_790_000_000_123));
        assert_eq!((&*grant.org_id, &*grant.user_id), ("00Dxx0000001gPLEAY", "005xx000001SwiUAAS"));
        assert_eq!(grant.scope.as_deref(), Some("api refresh_token"));
        assert!(grant.refresh_token.is_some());
    }

    #[test]
    fn what_is_optional_may_be_absent_or_empty() {
        for field in ["refresh_token", "scope", "signature", "token_type"] {
            for absent in [Value::Null, "".into()] {
                let mut answer = answer(ID, "https://acme.my.salesforce.com");
                answer[field] = absent;
                assert!(verify(&answer).is_ok(), "{field}");
                answer.as_object_mut().unwrap().remove(field);
                let grant = verify(&answer).unwrap();
                assert_eq!(grant.refresh_token.is_none(), field == "refresh_token");
                assert_eq!(grant.scope.is_none(), field == "scope");
            }
        }
    }

    #[test]
    fn a_number_is_as_good_as_its_digits() {
        let mut answer = answer(ID, "https://acme.my.salesforce.com");
        answer["issued_at"] = 1_790_000_000_123_u64.into();
        assert_eq!(verify(&answer).unwrap().issued_at, Timestamp::from_millis(1_790_000_000_123));
    }

    #[test]
    fn tokens_are_read_from_a_form() {
        let answer = answer(ID, "https://acme.my.salesforce.com");
        let pairs = answer.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap()));
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let grant = super::verify(&Fields::read(form.as_bytes()).unwrap(), SECRET, &LOGIN.parse().unwrap());
        assert_eq!(grant.unwrap().unwrap().refresh_token.unwrap().secret(), "5AepREFRESH");
    }

    #[test]
    fn an_answer_that_a_secret_did_not_sign_is_verified_by_another() {
        let answer = answer(ID, "https://acme.my.salesforce.com");
        let fields = Fields::read(answer.to_string().as_bytes()).unwrap();
        let verify = |secret| super::verify(&fields, secret, &LOGIN.parse().unwrap()).unwrap().unwrap_err();
        assert_eq!(verify("rotated").why(), Untrusted::Signature);
        assert_eq!(verify("rotated").verify(&["another", SECRET]).unwrap().access_token.secret(), "00Dxx!ACCESS");
        assert_eq!(verify("rotated").verify(&["another"]).unwrap_err().why(), Untrusted::Signature);
        assert_eq!(verify("rotated").verify(&[]).unwrap_err().why(), Untrusted::Signature);
    }

    #[test]
    fn what_is_not_trusted_can_be_revoked_and_never_prints() {
        let mut answer = answer(ID, "https://evil.example");
        let tokens = verify_at(LOGIN, &answer).unwrap_err();
        assert_eq!(tokens.to_revoke(), "5AepREFRESH");
        assert_eq!(format!("{tokens:?}"), "UntrustedTokens { why: Instance, .. }");
        answer["refresh_token"] = Value::Null;
        assert_eq!(verify_at(LOGIN, &answer).unwrap_err().to_revoke(), "00Dxx!ACCESS");
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
            assert_eq!(verify(&answer).unwrap_err(), Untrusted::Signature, "{key}");
        }
    }

    #[test]
    fn an_identity_names_an_org_and_a_user() {
        for id in ["00D/005", "https://login.salesforce.com/id/00Dxx0000001gPLEAY", "https://x/id/00D/005/../.."] {
            assert_eq!(verify(&answer(id, "https://acme.my.salesforce.com")).unwrap_err(), Untrusted::Identity, "{id}");
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
            "https://acme.my.sfcrmproducts.cn",
            "https://acme.cloudforce.com",
            "https://acme.my.crmforce.mil",
        ] {
            assert!(verify(&answer(ID, url)).is_ok(), "{url}");
        }
        for url in [
            "http://acme.my.salesforce.com",
            "https://evil.example",
            "https://acme.my.salesforce.com.evil.example",
            "https://evilsalesforce.com",
            "https://acme.my.salesforce.com@evil.example",
            "https://user@acme.my.salesforce.com",
            "https://acme.my.salesforce.com/path?query",
            "https://acme.my.salesforce.com/my%20path",
            "http://127.0.0.1:8080",
            "nonsense",
        ] {
            assert_eq!(verify(&answer(ID, url)).unwrap_err(), Untrusted::Instance, "{url}");
        }
    }

    #[test]
    fn on_loopback_the_login_host_is_the_instance() {
        let grant = verify_at("http://localhost:8080", &answer(ID, "http://localhost:8080")).unwrap();
        assert_eq!(grant.instance_url, "http://localhost:8080");
    }

    #[test]
    fn a_site_has_its_path_in_identity_and_instance() {
        let site = "https://acme--uat.sandbox.my.site.com/portal";
        let id = format!("{site}/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS");
        for instance in [site, "https://acme--uat.sandbox.my.site.com/portal/"] {
            let grant = verify_at(site, &answer(&id, instance)).unwrap();
            assert_eq!(grant.instance_url, site);
            assert_eq!((&*grant.org_id, &*grant.user_id), ("00Dxx0000001gPLEAY", "005xx000001SwiUAAS"));
        }
        let own_domain = "https://login.acme.example/portal";
        assert_eq!(verify_at(own_domain, &answer(&id, own_domain)).unwrap().instance_url, own_domain);
    }

    #[test]
    fn debug_hides_the_tokens() {
        let debug = format!("{:?}", verify(&answer(ID, "https://acme.my.salesforce.com")).unwrap());
        assert!(!debug.contains("ACCESS") && !debug.contains("REFRESH"), "{debug}");
    }

    #[test]
    fn an_id_with_its_checksum_is_the_same_record_and_what_is_no_id_is_no_other() {
        assert!(!are_other_records("005xx000001SwiU", "005xx000001SwiUAAS"));
        assert!(are_other_records("005xx000001SwiU", "005xx000001Swiu"), "ids are sensitive to case");
        for odd in ["", "7", "ada", "005xx000001Swi\u{e9}"] {
            assert!(!are_other_records(odd, "005xx000001SwiUAAS"), "{odd}");
        }
    }
}
