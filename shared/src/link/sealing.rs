//! A link as it stands in a URL: sealed with AES-256-GCM under a key that only this stack can derive.
//!
//! `version | nonce | ciphertext and tag`, in base64url. [`SealedLink`] is a text that may be one: whoever reads it has
//! needed no key yet, so nothing that a stranger puts into a URL costs a call of KMS.

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret as _, SecretBox, zeroize::Zeroizing};

use super::{InvalidLink, Link};

/// The longest text that is decoded, in characters; a link has some 250, and 950 at most.
const MAX_LENGTH: usize = 1_000;
/// The first byte. 1 is that of the links that KMS itself encrypted, because its ciphertexts begin with it.
const VERSION: u8 = 2;
const OLDER_VERSION: u8 = 1;
/// What is authenticated beside the link: a ciphertext for another purpose does not open as a link.
const CONTEXT: &[u8] = b"connect-link:v2";

/// The number of random bytes that each sealing needs. 96 random bits are for at most 2^32 links under one key
/// (NIST SP 800-38D §8.3).
pub const NONCE_LENGTH: usize = NONCE_LEN;

/// The key that seals and opens links. It has no `Debug`, and its memory is wiped.
pub struct LinkKey(SecretBox<[u8; 32]>);

/// A text that has the form of a sealed link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedLink(Vec<u8>);

impl LinkKey {
    /// What the key is derived from, as a MAC of a key that never leaves KMS.
    pub const DERIVED_FROM: &[u8] = b"whatsapp-salesforce-connect link-key v2";

    /// The key with these bytes.
    #[must_use]
    pub const fn new(bytes: SecretBox<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The text of a link for a URL. The nonce is random, and used once.
    ///
    /// # Panics
    /// Never: the key has the algorithm's length, and a link is shorter than what it can seal.
    #[must_use]
    pub fn seal(&self, link: &Link, nonce: [u8; NONCE_LENGTH]) -> String {
        let mut sealed = link.to_plaintext();
        #[expect(clippy::expect_used, reason = "a link is shorter than 64 GB")]
        self.cipher()
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(CONTEXT), &mut sealed)
            .expect("a link is shorter than 64 GB");
        URL_SAFE_NO_PAD.encode([&[VERSION], &nonce[..], &sealed].concat())
    }

    /// Opens what [`Self::seal`] made. It does not check the expiry.
    ///
    /// # Errors
    /// [`InvalidLink`] where it was sealed by another key, or changed.
    pub fn open(&self, SealedLink(bytes): &SealedLink) -> Result<Link, InvalidLink> {
        let (nonce, sealed) = bytes.split_first_chunk().ok_or(InvalidLink::NotALink)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let plaintext = self
            .cipher()
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(CONTEXT), &mut buffer)
            .map_err(|_| InvalidLink::NotALink)?;
        Link::from_plaintext(plaintext)
    }

    fn cipher(&self) -> LessSafeKey {
        #[expect(clippy::expect_used, reason = "the key has the algorithm's length")]
        let key = UnboundKey::new(&AES_256_GCM, self.0.expose_secret()).expect("32 bytes are an AES-256 key");
        LessSafeKey::new(key)
    }
}

/// Reads the text in a URL, without a key.
impl FromStr for SealedLink {
    type Err = InvalidLink;

    fn from_str(text: &str) -> Result<Self, InvalidLink> {
        if text.len() > MAX_LENGTH {
            return Err(InvalidLink::NotALink);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidLink::NotALink)?;
        match bytes.split_first() {
            Some((&VERSION, rest)) if rest.len() > NONCE_LEN + AES_256_GCM.tag_len() => Ok(Self(rest.to_vec())),
            Some((&OLDER_VERSION, _)) => Err(InvalidLink::OlderVersion),
            _ => Err(InvalidLink::NotALink),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{Language, Timestamp, link::DisplayName};

    fn key(byte: u8) -> LinkKey {
        LinkKey::new(SecretBox::new(Box::new([byte; 32])))
    }

    fn link(wa_id: &str, login_url: &str) -> Link {
        let (wa_id, login_url) = (wa_id.parse().unwrap(), login_url.parse().unwrap());
        Link::new(
            "03".repeat(16).parse().unwrap(),
            wa_id,
            login_url,
            Timestamp::from_seconds(1_790_000_000),
            Duration::from_mins(15),
        )
    }

    fn ada() -> Link {
        link("whatsapp:+15551234567", "https://login.salesforce.com")
    }

    fn sealed() -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(key(1).seal(&ada(), [5; NONCE_LENGTH])).unwrap()
    }

    fn open(bytes: &[u8]) -> Result<Link, InvalidLink> {
        key(1).open(&URL_SAFE_NO_PAD.encode(bytes).parse()?)
    }

    #[test]
    fn a_sealed_link_opens_under_its_own_key_alone() {
        let text = key(1).seal(&ada(), [5; NONCE_LENGTH]);
        assert_eq!(key(1).open(&text.parse().unwrap()), Ok(ada()));
        assert_eq!(key(2).open(&text.parse().unwrap()), Err(InvalidLink::NotALink));
    }

    #[test]
    fn its_url_shows_no_phone_number_no_host_and_no_name() {
        let link = Link { display_name: Some("Lovelace".parse().unwrap()), ..ada() };
        let sealed = URL_SAFE_NO_PAD.decode(key(1).seal(&link, [5; NONCE_LENGTH])).unwrap();
        let text = String::from_utf8_lossy(&sealed).into_owned();
        assert!(!["1555", "salesforce", "Lovelace"].iter().any(|part| text.contains(part)), "{text}");
    }

    #[test]
    fn the_longest_link_can_be_opened() {
        let longest =
            link(&format!("whatsapp:US.{}", "A".repeat(128)), &format!("https://{}.com", "a.".repeat(57) + "b"));
        let name = |character: &str| Some(character.repeat(DisplayName::MAX_LENGTH).parse().unwrap());
        // In JSON a quote has two bytes, and no character has more than four.
        for display_name in [name("🦀"), name("\"")] {
            let language = Some(Language::Portuguese);
            let longest =
                Link { has_reference: true, asks_for_login_host: true, display_name, language, ..longest.clone() };
            let text = key(1).seal(&longest, [5; NONCE_LENGTH]);
            assert!(text.len() <= 950, "{}", text.len());
            assert_eq!(key(1).open(&text.parse().unwrap()), Ok(longest));
        }
    }

    #[test]
    fn a_text_without_the_form_of_a_link_needs_no_key() {
        let short = URL_SAFE_NO_PAD.encode([&[VERSION], &[0; NONCE_LENGTH + 16][..]].concat());
        let long = "Ag".to_owned() + &"A".repeat(MAX_LENGTH);
        for text in ["", "x", "AAAA", "not base64url!", "U0VDZ2FyYmFnZQ", "Ag==", &short, &long] {
            assert_eq!(text.parse::<SealedLink>(), Err(InvalidLink::NotALink), "{text}");
        }
    }

    #[test]
    fn a_link_that_kms_encrypted_is_told_from_garbage() {
        assert_eq!("AQICAHh2ZXJ5IG9sZCBsaW5r".parse::<SealedLink>(), Err(InvalidLink::OlderVersion));
    }

    #[test]
    fn what_is_sealed_for_another_purpose_is_no_link() {
        let mut other = ada().to_plaintext();
        let nonce = [5; NONCE_LENGTH];
        let (seal, aad) = (Nonce::assume_unique_for_key(nonce), Aad::from(b"another purpose"));
        key(1).cipher().seal_in_place_append_tag(seal, aad, &mut other).unwrap();
        assert_eq!(open(&[&[VERSION], &nonce[..], &other].concat()), Err(InvalidLink::NotALink));
    }

    proptest! {
        #[test]
        fn a_link_changed_anywhere_does_not_open(place in 0usize..1000, flip in 1u8..=255) {
            let mut bytes = sealed();
            let place = place % bytes.len();
            bytes[place] ^= flip;
            prop_assert!(open(&bytes).is_err());
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,300}") {
            if let Ok(sealed) = text.parse() {
                prop_assert!(key(1).open(&sealed).is_err());
            }
        }
    }
}
