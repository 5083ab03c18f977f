//! Tokens that could not be stored, or are to be revoked, encrypted for the way through the queue.
//!
//! AES-256-GCM under a data key of KMS that is used once, bound to the attempt, its chat and its
//! login host: sealed tokens that were moved to another message do not open. Pure.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{
    ExposeSecret as _, SecretString,
    zeroize::{Zeroize as _, Zeroizing},
};
use serde::{Deserialize, Serialize};
use shared::{
    Timestamp, WaId,
    attempt::ledger::Attempt,
    aws::{
        error::AwsError,
        kms::{KmsError, PlaintextKey},
    },
    conditional_write::Attributes,
    connection::{Holding, Origin, SealedText, StoredTokens},
    custody::upkeep::Revoke,
    proof::ChatProof,
    salesforce::{AccessToken, Grant, RefreshToken},
};

use crate::tables::Connection;

/// One nonce is enough for a key that seals once (NIST SP 800-38D §8: no two of one key).
const NONCE: [u8; NONCE_LEN] = [0; NONCE_LEN];

/// The sealed tokens do not open with this key, or not for this attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot open the sealed tokens")]
pub(crate) struct BrokenSeal;

/// The tokens could neither be stored nor put back on the queue: they are lost with this
/// invocation. All that can still be done is to notify the person, with a new link.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error(transparent)]
    Kms(#[from] KmsError),
    #[error(transparent)]
    Seal(#[from] BrokenSeal),
    #[error(transparent)]
    Queue(#[from] AwsError),
    #[error("out of time")]
    OutOfTime,
}

impl CheckpointError {
    /// Whether the queue may have taken the tokens all the same.
    pub(crate) const fn may_be_queued(&self) -> bool {
        match self {
            Self::Kms(_) | Self::Seal(_) => false,
            Self::Queue(error) => !error.is_refusal(),
            Self::OutOfTime => true,
        }
    }
}

#[derive(Serialize)]
struct Outbound<'a> {
    access_token: &'a str,
    refresh_token: Option<&'a str>,
    instance_url: &'a str,
    issued_at: Timestamp,
    scope: Option<&'a str>,
    org_id: &'a str,
    user_id: &'a str,
    username: Option<&'a str>,
    app_hash: Option<&'a str>,
}

#[derive(Deserialize)]
struct Inbound {
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    instance_url: String,
    issued_at: Timestamp,
    scope: Option<String>,
    org_id: String,
    user_id: String,
    username: Option<String>,
    /// `None` in a message of an earlier version.
    #[serde(default)]
    app_hash: Option<String>,
}

/// A token that is to be revoked.
#[derive(Deserialize)]
pub(crate) struct Doomed {
    #[serde(deserialize_with = "secret")]
    token: SecretString,
    hosts: Vec<String>,
    /// `None` in a message of an earlier version.
    #[serde(default)]
    origin: Option<Origin>,
}

#[derive(Serialize)]
struct DoomedOutbound<'a> {
    token: &'a str,
    hosts: &'a [String],
    origin: Option<&'a Origin>,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(Into::into)
}

impl Doomed {
    /// A token, the consent that it came from, and the hosts to ask, in this order.
    pub(crate) fn new(token: &str, origin: Origin, hosts: Vec<String>) -> Self {
        Self { token: token.into(), hosts, origin: Some(origin) }
    }

    /// Whether the chat is connected by this token, or by what a rotation has made of it: as long as the row is of the
    /// token's own consent, whoever was to replace it has not. Salesforce may also give one token to two consents.
    pub(crate) fn held_by(&self, row: &Attributes) -> Holding {
        let Some(stored) = StoredTokens::read(row) else { return Holding::NotHeld };
        let is_of_its_consent = self.origin.as_ref().is_some_and(|origin| *origin == Origin::of(row));
        if is_of_its_consent { Holding::Held } else { stored.hold(self.token()) }
    }

    pub(crate) fn token(&self) -> &str {
        self.token.expose_secret()
    }

    pub(crate) fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The message of the upkeep queue that has the same token revoked, which is sealed for this chat.
    pub(crate) fn on_upkeep(&self, wa_id: &WaId, sealed: SealedText) -> Revoke {
        Revoke { wa_id: wa_id.clone(), token: sealed, hosts: self.hosts.clone(), origin: self.origin.clone() }
    }
}

/// Encrypts a connection of this attempt, and of the code that its chat has to send first. The key must not be used for anything
/// else.
pub(crate) fn seal(
    key: &PlaintextKey,
    attempt: &Attempt<'_>,
    proof: Option<&ChatProof>,
    connection: &Connection,
) -> Result<Vec<u8>, BrokenSeal> {
    let Connection { grant, username, app_hash } = connection;
    let outbound = Outbound {
        access_token: grant.access_token.secret(),
        refresh_token: grant.refresh_token.as_ref().map(RefreshToken::secret),
        instance_url: &grant.instance_url,
        issued_at: grant.issued_at,
        scope: grant.scope.as_deref(),
        org_id: &grant.org_id,
        user_id: &grant.user_id,
        username: username.as_deref(),
        app_hash: app_hash.as_deref(),
    };
    encrypt(key, of_connection(attempt, proof), &outbound)
}

/// Encrypts tokens that are to be revoked. The key must not be used for anything else.
pub(crate) fn seal_doomed(key: &PlaintextKey, attempt: &Attempt<'_>, tokens: &Doomed) -> Result<Vec<u8>, BrokenSeal> {
    let Doomed { hosts, origin, .. } = tokens;
    let outbound = DoomedOutbound { token: tokens.token(), hosts, origin: origin.as_ref() };
    encrypt(key, binding("revoke:v1", attempt), &outbound)
}

/// Decrypts what [`seal_doomed`] made for the same attempt.
pub(crate) fn open_doomed(key: &PlaintextKey, attempt: &Attempt<'_>, data: &[u8]) -> Result<Doomed, BrokenSeal> {
    let plaintext = decrypt(key, binding("revoke:v1", attempt), data)?;
    serde_json::from_slice(&plaintext).map_err(|_| BrokenSeal)
}

fn encrypt(key: &PlaintextKey, binding: Aad<String>, content: &impl Serialize) -> Result<Vec<u8>, BrokenSeal> {
    let mut data = serde_json::to_vec(content).map_err(|_| BrokenSeal)?;
    let sealed = cipher(key)?.seal_in_place_append_tag(nonce(), binding, &mut data);
    if sealed.is_err() {
        data.zeroize();
    }
    sealed.map(|()| data).map_err(|_| BrokenSeal)
}

fn decrypt(key: &PlaintextKey, binding: Aad<String>, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, BrokenSeal> {
    let mut data = Zeroizing::new(data.to_vec());
    let length = cipher(key)?.open_in_place(nonce(), binding, &mut data).map_err(|_| BrokenSeal)?.len();
    data.truncate(length);
    Ok(data)
}

/// Decrypts what [`seal`] made for the same attempt and the same code of its chat.
pub(crate) fn open(
    key: &PlaintextKey,
    attempt: &Attempt<'_>,
    proof: Option<&ChatProof>,
    data: &[u8],
) -> Result<Connection, BrokenSeal> {
    let plaintext = decrypt(key, of_connection(attempt, proof), data)?;
    let inbound: Inbound = serde_json::from_slice(&plaintext).map_err(|_| BrokenSeal)?;
    Ok(Connection {
        grant: Grant {
            access_token: inbound.access_token,
            refresh_token: inbound.refresh_token,
            instance_url: inbound.instance_url,
            issued_at: inbound.issued_at,
            scope: inbound.scope,
            org_id: inbound.org_id,
            user_id: inbound.user_id,
        },
        username: inbound.username,
        app_hash: inbound.app_hash,
    })
}

fn cipher(key: &PlaintextKey) -> Result<LessSafeKey, BrokenSeal> {
    UnboundKey::new(&AES_256_GCM, key.expose_secret()).map(LessSafeKey::new).map_err(|_| BrokenSeal)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key(NONCE)
}

/// Tokens that wait for a code open for no other, and never without one: who can write to the queue chooses what a message says.
fn of_connection(attempt: &Attempt<'_>, proof: Option<&ChatProof>) -> Aad<String> {
    match proof {
        None => binding("checkpoint:v1", attempt),
        Some(proof) => binding(&format!("held:v1\n{}", proof.as_str()), attempt),
    }
}

fn binding(purpose: &str, attempt: &Attempt<'_>) -> Aad<String> {
    // None of the parts can hold a line break.
    Aad::from(format!("{purpose}\n{}\n{}\n{}", attempt.id, attempt.wa_id.as_str(), attempt.login_url.as_str()))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;
    use shared::{
        AttemptId, LoginUrl,
        attempt::ledger::{Delivery, DeliveryId},
    };

    use super::*;

    fn key(byte: u8) -> PlaintextKey {
        SecretBox::new(Box::new([byte; 32]))
    }

    fn attempt<'a>(id: u8, wa_id: &'a WaId, login_url: &'a LoginUrl) -> Attempt<'a> {
        Attempt {
            id: AttemptId::from_bytes([id; 16]),
            link_id: None,
            reference: None,
            language: None,
            is_plain: false,
            wa_id,
            login_url,
            code_sha256: None,
            received_at: Timestamp::from_millis(0),
            delivery: Delivery { id: DeliveryId::from_bytes([1; 16]), receives: 1, max_tries: 8 },
        }
    }

    fn connection() -> Connection {
        let token = |text: &str| serde_json::from_value(text.into()).unwrap();
        Connection {
            grant: Grant {
                access_token: token("00Dxx!ACCESS"),
                refresh_token: Some(serde_json::from_value("5AepREFRESH".into()).unwrap()),
                instance_url: "https://acme.my.salesforce.com".to_owned(),
                issued_at: Timestamp::from_millis(1_790_000_000_123),
                scope: None,
                org_id: "00Dxx0000001gPLEAY".to_owned(),
                user_id: "005xx000001SwiUAAS".to_owned(),
            },
            username: Some("ada@acme.example".to_owned()),
            app_hash: Some("ba7816bf8f01cfea".to_owned()),
        }
    }

    #[test]
    fn a_revocation_of_an_earlier_version_knows_the_token_alone() {
        let (chat, login): (WaId, LoginUrl) =
            ("whatsapp:+15551234567".parse().unwrap(), "https://login.salesforce.com".parse().unwrap());
        let own = attempt(7, &chat, &login);
        let earlier = serde_json::json!({ "token": "r1", "hosts": [] });
        let sealed = encrypt(&key(1), binding("revoke:v1", &own), &earlier).unwrap();
        let doomed = open_doomed(&key(1), &own, &sealed).unwrap();
        let row = |token: &str| Attributes::from([("refresh_token".to_owned(), token.into())]);
        assert_eq!(doomed.held_by(&row("r1")), Holding::Held);
        assert_eq!(doomed.held_by(&row("sealed:v1:a:b:c")), Holding::Sealed);
        assert_eq!([row("r2"), Attributes::new()].map(|row| doomed.held_by(&row)), [Holding::NotHeld; 2]);
    }

    #[test]
    fn tokens_open_for_their_own_attempt_alone() {
        let (ada, bob): (WaId, WaId) =
            ("whatsapp:+15551234567".parse().unwrap(), "whatsapp:+15551234568".parse().unwrap());
        let (login, test): (LoginUrl, LoginUrl) =
            ("https://login.salesforce.com".parse().unwrap(), "https://test.salesforce.com".parse().unwrap());
        let own = attempt(7, &ada, &login);
        let sealed = seal(&key(1), &own, None, &connection()).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"ACCESS" || window == b"REFRES"));

        let opened = open(&key(1), &own, None, &sealed).unwrap();
        assert_eq!(opened.grant.access_token.secret(), "00Dxx!ACCESS");
        assert_eq!(opened.grant.refresh_token.unwrap().secret(), "5AepREFRESH");
        assert_eq!(opened.grant.issued_at, connection().grant.issued_at);
        assert_eq!((opened.username, opened.grant.scope), (connection().username, None));
        assert_eq!(opened.app_hash, connection().app_hash);

        for other in [attempt(8, &ada, &login), attempt(7, &bob, &login), attempt(7, &ada, &test)] {
            assert_eq!(open(&key(1), &other, None, &sealed).unwrap_err(), BrokenSeal);
        }
        assert_eq!(open(&key(2), &own, None, &sealed).unwrap_err(), BrokenSeal);
        for place in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(open(&key(1), &own, None, &changed).unwrap_err(), BrokenSeal);
        }
        assert_eq!(open(&key(1), &own, None, &[]).unwrap_err(), BrokenSeal);
    }

    /// Else whoever can write to the queue could have tokens stored that wait for their chat, or held under a code of theirs.
    #[test]
    fn tokens_that_wait_for_a_code_open_for_that_code_alone() {
        let (chat, login_url) =
            ("whatsapp:+15551234567".parse().unwrap(), "https://login.salesforce.com".parse().unwrap());
        let own = attempt(7, &chat, &login_url);
        let [proof, other] = ["A", "I"].map(|letter| ChatProof::parse(&letter.repeat(43)).ok());
        let held = seal(&key(1), &own, proof.as_ref(), &connection()).unwrap();
        assert!(proof.is_some() && other.is_some() && open(&key(1), &own, proof.as_ref(), &held).is_ok());
        let free = seal(&key(1), &own, None, &connection()).unwrap();
        for (sealed, wrong) in [(&held, &None), (&held, &other), (&free, &proof)] {
            assert_eq!(open(&key(1), &own, wrong.as_ref(), sealed).unwrap_err(), BrokenSeal);
        }
    }
}
