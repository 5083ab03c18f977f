//! The OAuth `state` (RFC 6749 §10.12): it says whose login a callback belongs to.
//!
//! ```text
//! plain    wa:whatsapp:+15551234567
//! signed   wa:whatsapp:+15551234567~<base64url of claims and signature>
//! claims   version 2 | attempt 16 | link 16 | link's time 4 | expiry 4 | key id 4 | n 1 | binding n | login host …
//! version 3 is of a link that has a reference, and otherwise like 2
//! of both the high four bits are the language of the link: its place among ours, from 1 on; 0 where it has none
//! version 1 has no link and no time of one; it is still read
//! ```
//!
//! Numbers are big-endian, times in seconds since the epoch. The signature (Ed25519,
//! 64 bytes) covers a fixed context, the chat's address and the claims. With the default login hosts
//! and a phone number a state has at most 255 characters.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    digest,
    signature::{ED25519, UnparsedPublicKey},
};
use subtle::ConstantTimeEq as _;

use crate::{
    AttemptId, Language, LinkId, LoginUrl, Timestamp, WaId,
    binding::{BrowserBinding, CookieName},
};

/// Domain separation: nothing else that this key signs begins with it.
const CONTEXT: &[u8] = b"whatsapp-salesforce-connect state v1\0";
const PREFIX: &str = "wa:";
const SEPARATOR: char = '~';
const VERSION: u8 = 2;
/// The link has a reference. It is a version and no claim because a state has no room to spare.
const VERSION_WITH_REFERENCE: u8 = 3;
/// Where the language is in the version's byte: for the same reason.
const LANGUAGE_SHIFT: u32 = 4;
/// States of logins that began before the stack was upgraded.
const VERSION_1: u8 = 1;
const SIGNATURE_LENGTH: usize = 64;
/// The longest state that is parsed, in bytes; the longest address and login host fit.
pub const MAX_LENGTH: usize = 1_024;

/// The DER header of an Ed25519 public key (RFC 8410 §4); the 32 bytes of the key follow.
const SPKI_HEADER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A public key that states are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateKey {
    id: KeyId,
    public: [u8; 32],
}

/// Which key signed: the first 4 bytes of the SHA-256 of its public key in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; 4]);

/// The bytes are not an Ed25519 public key in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key in DER (SubjectPublicKeyInfo)")]
pub struct InvalidStateKey;

impl StateKey {
    /// Parses the `PublicKey` of KMS's `GetPublicKey`.
    ///
    /// # Errors
    /// [`InvalidStateKey`] for a key of any other kind.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidStateKey> {
        let public = der.strip_prefix(&SPKI_HEADER).and_then(|key| key.try_into().ok()).ok_or(InvalidStateKey)?;
        let mut id = [0; 4];
        id.copy_from_slice(&digest::digest(&digest::SHA256, der).as_ref()[..4]);
        Ok(Self { id: KeyId(id), public })
    }

    /// Parses the same in base64, as the AWS CLI prints it.
    ///
    /// # Errors
    /// [`InvalidStateKey`].
    pub fn from_base64(text: &str) -> Result<Self, InvalidStateKey> {
        STANDARD.decode(text).map_err(|_| InvalidStateKey).and_then(|der| Self::from_der(&der))
    }

    /// Its id, which states carry.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

/// What a signed state claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The attempt that the login belongs to.
    pub attempt_id: AttemptId,
    /// The link whose button was pressed; `None` in version 1, and where the login began without one.
    pub link: Option<LinkOrigin>,
    /// The person's chat.
    pub wa_id: WaId,
    /// When it expires, to the second.
    pub expires_at: Timestamp,
    /// Where the person was sent to log in.
    pub login_url: LoginUrl,
    /// The browser that pressed the button; `None` for links that are used without the page.
    pub binding: Option<BrowserBinding>,
}

/// Where a login began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkOrigin {
    /// The link.
    pub link_id: LinkId,
    /// When it was made, to the second.
    pub issued_at: Timestamp,
    /// The bot gave a [reference](crate::reference) with it.
    pub has_reference: bool,
    /// The language that its bot asked for.
    pub language: Option<Language>,
}

impl LinkOrigin {
    /// The version of a state of its logins.
    fn version(&self) -> u8 {
        let version = if self.has_reference { VERSION_WITH_REFERENCE } else { VERSION };
        version | self.language.map_or(0, |language| (language as u8 + 1) << LANGUAGE_SHIFT)
    }
}

impl Claims {
    /// Whether it is too late to use them.
    #[must_use]
    pub fn have_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    /// The name of the cookie that holds the browser's secret.
    #[must_use]
    pub fn cookie_name(&self) -> CookieName {
        if self.link.is_some() { CookieName::of(self.attempt_id) } else { CookieName::VERSION_1 }
    }

    /// The state without its signature; `key` is the one that will sign.
    #[must_use]
    pub fn unsigned(self, key: KeyId) -> UnsignedState {
        let login_url = self.login_url.compact();
        let binding = self.binding.as_ref().map_or(&[][..], |binding| &binding.0);
        let mut claims = Vec::with_capacity(52 + binding.len() + login_url.len() + SIGNATURE_LENGTH);
        let seconds = |time: Timestamp| u32::try_from(time.seconds()).unwrap_or(u32::MAX).to_be_bytes();
        claims.push(self.link.as_ref().map_or(VERSION_1, LinkOrigin::version));
        claims.extend_from_slice(self.attempt_id.as_bytes());
        if let Some(LinkOrigin { link_id, issued_at, .. }) = self.link {
            claims.extend_from_slice(link_id.as_bytes());
            claims.extend_from_slice(&seconds(issued_at));
        }
        claims.extend_from_slice(&seconds(self.expires_at));
        claims.extend_from_slice(&key.0);
        // A binding has a fixed length of 16.
        claims.push(if binding.is_empty() { 0 } else { 16 });
        claims.extend_from_slice(binding);
        claims.extend_from_slice(login_url.as_bytes());
        UnsignedState { wa_id: self.wa_id, claims }
    }
}

/// A state without its signature.
#[derive(Debug)]
pub struct UnsignedState {
    wa_id: WaId,
    claims: Vec<u8>,
}

impl UnsignedState {
    /// The bytes to sign with Ed25519.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        signed_message(&self.wa_id, &self.claims)
    }

    /// The complete state.
    #[must_use]
    pub fn with_signature(mut self, signature: &[u8; SIGNATURE_LENGTH]) -> String {
        self.claims.extend_from_slice(signature);
        format!("{PREFIX}{}{SEPARATOR}{}", self.wa_id.as_str(), URL_SAFE_NO_PAD.encode(self.claims))
    }
}

fn signed_message(wa_id: &WaId, claims: &[u8]) -> Vec<u8> {
    [CONTEXT, wa_id.as_str().as_bytes(), b"\0", claims].concat()
}

/// A state as it arrived: parsed, not yet verified.
#[derive(Clone, Debug)]
pub enum State {
    /// A chat's address only: anyone can make it.
    Plain(WaId),
    /// A state to verify.
    Signed(SignedState),
}

/// A signed state, not yet verified.
#[derive(Clone, Debug)]
pub struct SignedState {
    claims: Claims,
    key: KeyId,
    message: Vec<u8>,
    signature: [u8; SIGNATURE_LENGTH],
}

/// Why a state is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidState {
    /// Neither plain nor signed.
    #[error("the state is malformed")]
    Malformed,
    /// Signed with a key that is not, or no longer, this stack's.
    #[error("the state is signed with an unknown key")]
    UnknownKey,
    /// Changed or forged.
    #[error("the state's signature is invalid")]
    Signature,
    /// Genuine and too old.
    #[error("the state has expired")]
    Expired,
}

impl State {
    /// Parses either form.
    ///
    /// # Errors
    /// [`InvalidState::Malformed`].
    pub fn parse(text: &str) -> Result<Self, InvalidState> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidState::Malformed);
        }
        let rest = text.strip_prefix(PREFIX).ok_or(InvalidState::Malformed)?;
        match rest.rsplit_once(SEPARATOR) {
            None => rest.parse().map(Self::Plain).map_err(|_| InvalidState::Malformed),
            Some((wa_id, token)) => {
                let wa_id = wa_id.parse().map_err(|_| InvalidState::Malformed)?;
                let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidState::Malformed)?;
                SignedState::read(wa_id, &token).map(Self::Signed).ok_or(InvalidState::Malformed)
            }
        }
    }
}

impl SignedState {
    /// What it claims, which nothing has verified: to show to an operator, or for the language of a page.
    #[must_use]
    pub const fn unverified(&self) -> &Claims {
        &self.claims
    }

    fn read(wa_id: WaId, token: &[u8]) -> Option<Self> {
        let (claims, signature) = token.split_last_chunk::<SIGNATURE_LENGTH>()?;
        let message = signed_message(&wa_id, claims);
        let (&version, rest) = claims.split_first()?;
        let (attempt_id, rest) = rest.split_first_chunk::<{ AttemptId::LENGTH }>()?;
        let (link, rest) = match (version & !(u8::MAX << LANGUAGE_SHIFT), version >> LANGUAGE_SHIFT) {
            (kind @ (VERSION | VERSION_WITH_REFERENCE), language) => {
                let (link_id, rest) = rest.split_first_chunk::<{ LinkId::LENGTH }>()?;
                let (issued_at, rest) = rest.split_first_chunk::<4>()?;
                let (link_id, issued_at) = (LinkId::from_bytes(*link_id), time(*issued_at));
                let has_reference = kind == VERSION_WITH_REFERENCE;
                let language = match language.checked_sub(1) {
                    None => None,
                    Some(place) => Some(Language::at(place)?),
                };
                (Some(LinkOrigin { link_id, issued_at, has_reference, language }), rest)
            }
            (VERSION_1, 0) => (None, rest),
            _ => return None,
        };
        let (expiry, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_first_chunk::<4>()?;
        let (&length, rest) = rest.split_first()?;
        let (binding, login_url) = match usize::from(length) {
            0 => (None, rest),
            BrowserBinding::LENGTH => {
                let (binding, rest) = rest.split_first_chunk::<{ BrowserBinding::LENGTH }>()?;
                (Some(BrowserBinding(*binding)), rest)
            }
            _ => return None,
        };
        let login_url = LoginUrl::from_compact(std::str::from_utf8(login_url).ok()?).ok()?;
        let claims = Claims {
            attempt_id: AttemptId::from_bytes(*attempt_id),
            link,
            wa_id,
            expires_at: time(*expiry),
            login_url,
            binding,
        };
        Some(Self { claims, key: KeyId(*key), message, signature: *signature })
    }

    /// Checks the signature, then the expiry: only a genuine state is called expired.
    ///
    /// # Errors
    /// [`InvalidState`], but never `Malformed`.
    pub fn verify(&self, keys: &[StateKey], now: Timestamp) -> Result<Claims, InvalidState> {
        let claims = self.verify_signature(keys)?;
        if claims.have_expired(now) { Err(InvalidState::Expired) } else { Ok(claims) }
    }

    /// Checks the signature alone: the claims are genuine, and may have expired.
    ///
    /// # Errors
    /// [`InvalidState::UnknownKey`] and [`InvalidState::Signature`].
    pub fn verify_signature(&self, keys: &[StateKey]) -> Result<Claims, InvalidState> {
        let key = keys.iter().find(|key| key.id == self.key).ok_or(InvalidState::UnknownKey)?;
        UnparsedPublicKey::new(&ED25519, key.public)
            .verify(&self.message, &self.signature)
            .map_err(|_| InvalidState::Signature)?;
        Ok(self.claims.clone())
    }
}

fn time(seconds: [u8; 4]) -> Timestamp {
    Timestamp::from_seconds(u32::from_be_bytes(seconds).into())
}

impl BrowserBinding {
    /// Compares with the binding of a browser's secret, in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

#[cfg(test)]
mod tests;
