use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn key_pair(seed: u8) -> (Ed25519KeyPair, StateKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let der = [&SPKI_HEADER, pair.public_key().as_ref()].concat();
    (pair, StateKey::from_der(&der).unwrap())
}

fn claims(binding: Option<BrowserBinding>) -> Claims {
    Claims {
        attempt_id: AttemptId::from_bytes([7; 16]),
        link: Some(LinkOrigin {
            link_id: LinkId::from_bytes([8; 16]),
            issued_at: Timestamp::from_seconds(NOW.seconds() - 60),
            has_reference: false,
            language: None,
        }),
        wa_id: "whatsapp:+15551234567".parse().unwrap(),
        expires_at: Timestamp::from_seconds(NOW.seconds() + 900),
        login_url: "https://login.salesforce.com".parse().unwrap(),
        binding,
    }
}

fn signed(claims: Claims, seed: u8) -> String {
    let (pair, key) = key_pair(seed);
    let unsigned = claims.unsigned(key.id());
    let signature = pair.sign(&unsigned.message());
    unsigned.with_signature(signature.as_ref().try_into().unwrap())
}

fn verify(text: &str, now: Timestamp) -> Result<Claims, InvalidState> {
    match State::parse(text)? {
        State::Plain(_) => panic!("a signed state was read as a plain one"),
        State::Signed(state) => state.verify(&[key_pair(1).1], now),
    }
}

#[test]
fn a_signed_state_has_the_claims_that_were_signed() {
    for binding in [None, Some(BrowserBinding([9; 16]))] {
        let text = signed(claims(binding), 1);
        assert_eq!(verify(&text, NOW).unwrap(), claims(binding));
    }
}

/// The same, of a link that has a reference.
fn with_reference(claims: Claims) -> Claims {
    Claims { link: claims.link.map(|link| LinkOrigin { has_reference: true, ..link }), ..claims }
}

#[test]
fn a_state_says_that_its_link_has_a_reference_and_is_no_longer_for_it() {
    let claims = claims(Some(BrowserBinding([9; 16])));
    let (without, with) = (signed(claims.clone(), 1), signed(with_reference(claims.clone()), 1));
    assert_eq!(verify(&with, NOW).unwrap(), with_reference(claims));
    assert_eq!(with.len(), without.len());
}

/// The same, of a link with a language.
fn in_language(claims: Claims, language: Language) -> Claims {
    Claims { link: claims.link.map(|link| LinkOrigin { language: Some(language), ..link }), ..claims }
}

/// The version's byte of a state.
fn version(state: &str) -> u8 {
    URL_SAFE_NO_PAD.decode(state.rsplit_once('~').unwrap().1).unwrap()[0]
}

#[test]
fn a_state_says_the_language_of_its_link_and_is_no_longer_for_it() {
    let claims = claims(Some(BrowserBinding([255; 16])));
    for language in Language::ALL {
        for claims in [claims.clone(), with_reference(claims.clone())] {
            let claims = in_language(claims, language);
            let text = signed(claims.clone(), 1);
            assert!(text.len() <= 255, "{} characters", text.len());
            assert_eq!(verify(&text, NOW).unwrap(), claims);
        }
    }
}

#[test]
fn a_state_without_a_language_is_as_it_was_before_there_were_any() {
    let claims = claims(None);
    assert_eq!(version(&signed(claims.clone(), 1)), 2);
    assert_eq!(version(&signed(with_reference(claims.clone()), 1)), 3);
    assert_eq!(version(&signed(Claims { link: None, ..claims }, 1)), 1);
}

#[test]
fn a_state_of_a_version_or_a_language_that_nobody_knows_is_malformed() {
    let text = signed(claims(None), 1);
    let (prefix, token) = text.rsplit_once('~').unwrap();
    let with_version = |version: u8| {
        let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
        bytes[0] = version;
        verify(&format!("{prefix}~{}", URL_SAFE_NO_PAD.encode(bytes)), NOW)
    };
    // Version 1 has other claims after its byte.
    let all = (0..16).flat_map(|kind| (0..16).map(move |place| (kind, place))).filter(|it| *it != (1, 0));
    for (kind, place) in all {
        let is_known = matches!((kind, place), (2 | 3, 0..=8));
        let refused = with_version(kind | (place << LANGUAGE_SHIFT));
        assert_eq!(refused == Err(InvalidState::Malformed), !is_known, "{kind} {place}: {refused:?}");
    }
}

#[test]
fn nobody_can_say_of_a_state_that_its_link_has_a_reference() {
    let text = signed(claims(None), 1);
    let (prefix, token) = text.rsplit_once('~').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    assert_eq!(std::mem::replace(&mut bytes[0], VERSION_WITH_REFERENCE), VERSION);
    let changed = format!("{prefix}~{}", URL_SAFE_NO_PAD.encode(bytes));
    assert_eq!(verify(&changed, NOW), Err(InvalidState::Signature));
}

#[test]
fn a_state_of_the_version_before_is_read() {
    let old = Claims { link: None, ..claims(Some(BrowserBinding([9; 16]))) };
    assert_eq!(verify(&signed(old.clone(), 1), NOW).unwrap(), old);
}

#[test]
fn stays_within_255_unreserved_characters_with_the_default_hosts() {
    for host in ["https://login.salesforce.com", "https://test.salesforce.com"] {
        let claims = Claims { login_url: host.parse().unwrap(), ..claims(Some(BrowserBinding([255; 16]))) };
        let text = signed(claims, 1);
        assert!(text.len() <= 255, "{} characters", text.len());
        let token = text.rsplit_once('~').unwrap().1;
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
    }
}

#[test]
fn survives_a_plus_that_became_a_space() {
    let text = signed(claims(None), 1);
    for damaged in [text.replace('+', " "), text.replace('+', "%2B")] {
        assert_eq!(verify(&damaged, NOW).unwrap(), claims(None));
    }
}

#[test]
fn expires_to_the_second() {
    let text = signed(claims(None), 1);
    assert!(verify(&text, Timestamp::from_seconds(NOW.seconds() + 899)).is_ok());
    assert_eq!(verify(&text, Timestamp::from_seconds(NOW.seconds() + 900)), Err(InvalidState::Expired));
}

#[test]
fn a_state_of_another_key_is_refused() {
    assert_eq!(verify(&signed(claims(None), 2), NOW), Err(InvalidState::UnknownKey));
}

#[test]
fn a_forged_signature_is_reported_before_the_expiry() {
    let text = signed(claims(None), 1);
    let stolen = text.replace("15551234567", "15557654321");
    assert_eq!(verify(&stolen, NOW), Err(InvalidState::Signature));
    assert_eq!(verify(&stolen, Timestamp::from_seconds(u64::MAX / 1000)), Err(InvalidState::Signature));
}

#[test]
fn a_plain_state_is_an_address_only() {
    assert!(
        matches!(State::parse("wa:whatsapp:+15551234567"), Ok(State::Plain(id)) if id.as_str() == "whatsapp:+15551234567")
    );
    for text in ["", "wa:", "whatsapp:+15551234567", "wa:whatsapp:+15551234567~", "wa:whatsapp:+15551234567~AAAA"] {
        assert!(matches!(State::parse(text), Err(InvalidState::Malformed)), "{text}");
    }
}

#[test]
fn a_key_of_another_kind_is_refused() {
    assert_eq!(StateKey::from_der(&[0x30; 44]), Err(InvalidStateKey));
    assert_eq!(StateKey::from_der(&SPKI_HEADER), Err(InvalidStateKey));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,300}") {
        let _ = State::parse(&text);
    }

    #[test]
    fn a_state_changed_anywhere_is_refused(position in 0usize..1000, flip in 1u8..=255) {
        let text = signed(claims(Some(BrowserBinding([9; 16]))), 1);
        let (prefix, token) = text.rsplit_once('~').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
        let position = position % bytes.len();
        bytes[position] ^= flip;
        let changed = format!("{prefix}~{}", URL_SAFE_NO_PAD.encode(bytes));
        prop_assert!(verify(&changed, NOW).is_err());
    }
}
