//! The code that a person sends from the chat, and its hash.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256, digest};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AttemptId, printable::is_hidden};

/// Letters and digits of which no two look alike: of `0ODQ`, `1IL`, `2Z`, `5S`, `6G`, `8B` and `UV` one is left at most. Without
/// vowels no word is taken for a code.
const SYMBOLS: &[u8; 23] = b"CDFHJKMNPRTVWXY23456789";
/// How many of [`SYMBOLS`] are letters: the first ones.
const LETTERS: u128 = 15;
const LENGTH: usize = 8;
/// A code is shown in two groups, because people read and type it.
const GROUP: usize = 4;
/// What may stand between the groups: one of each in turn, a dash with a space before it or after it. Keyboards put in spaces,
/// and make other dashes of it.
const SEPARATORS: [&[char]; 3] = [SPACES, &['-', '\u{2010}', '\u{2011}', '\u{2013}', '\u{2014}'], SPACES];
const SPACES: &[char] = &[' ', '\u{a0}'];

/// How many codes of one message are looked at. A person sends one.
pub const MAX_CODES: usize = 3;

/// The code that shows in whose hands the browser of a login is: eight letters and digits, the first a letter. There are
/// 15 · 23⁷, or 5.1 · 10¹⁰, of them.
///
/// It is derived from the secret in the browser's cookie, so that whoever shows it stores nothing.
#[derive(Clone)]
pub struct ChatCode(SecretString);

/// The SHA-256 of a [`ChatCode`], in base64url. It names the login that waits for the code.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ChatProof(String);

/// The text is not the hash of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the hash of a chat code")]
pub struct InvalidChatProof;

impl ChatCode {
    /// The code of an attempt whose browser has this secret.
    pub(crate) fn derive(secret: &str, attempt: AttemptId) -> Self {
        let mut context = Context::new(&SHA256);
        for part in [b"chat-code:v1:", secret.as_bytes(), b".", attempt.as_bytes()] {
            context.update(part);
        }
        let mut number = [0; 16];
        number.copy_from_slice(&context.finish().as_ref()[..16]);
        let mut rest = u128::from_be_bytes(number);
        let mut next = |base: u128| {
            let digit = rest % base;
            rest /= base;
            usize::try_from(digit).unwrap_or_default()
        };
        let code: String = (0..LENGTH)
            .map(|place| if place == 0 { LETTERS } else { SYMBOLS.len() as u128 })
            .map(|base| char::from(SYMBOLS[next(base)]))
            .collect();
        Self(code.into())
    }

    /// The codes in a message, in its order, each once: in either case, in one group or two, and with anything but letters
    /// and digits around. [`MAX_CODES`] at most.
    #[must_use]
    pub fn find(text: &str) -> Vec<Self> {
        let characters: Vec<char> =
            text.chars().filter(|character| character.is_control() || !is_hidden(*character)).collect();
        let mut found: Vec<Self> = Vec::new();
        let mut start = 0;
        while start < characters.len() && found.len() < MAX_CODES {
            let begins = start == 0 || !characters[start - 1].is_alphanumeric();
            let Some((code, end)) = begins.then(|| Self::at(&characters, start)).flatten() else {
                start += 1;
                continue;
            };
            // Two groups with nothing but space between them may be the end of one code and the beginning of another.
            let is_one = characters[start..end].iter().all(|character| !SPACES.contains(character));
            start = if is_one { end } else { start + 1 };
            if found.iter().all(|known| known.text() != code.text()) {
                found.push(code);
            }
        }
        found
    }

    /// The code that begins there, and where it ends.
    fn at(characters: &[char], start: usize) -> Option<(Self, usize)> {
        let mut code = String::with_capacity(LENGTH);
        let mut end = start;
        while code.len() < LENGTH {
            if code.len() == GROUP {
                for separators in SEPARATORS {
                    end += usize::from(characters.get(end).is_some_and(|character| separators.contains(character)));
                }
            }
            let symbol = u8::try_from(*characters.get(end)?).ok()?.to_ascii_uppercase();
            let place = SYMBOLS.iter().position(|known| *known == symbol)?;
            if code.is_empty() && place as u128 >= LETTERS {
                return None;
            }
            code.push(char::from(symbol));
            end += 1;
        }
        let is_whole = characters.get(end).is_none_or(|character| !character.is_alphanumeric());
        is_whole.then(|| (Self(code.into()), end))
    }

    /// The code as the used login's cookie keeps it: without the separator.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.expose_secret()
    }

    /// The code as people read it: `K7PW-4MXR`.
    #[must_use]
    pub fn shown(&self) -> String {
        let (first, second) = self.text().split_at(GROUP);
        format!("{first}-{second}")
    }

    /// Its hash.
    #[must_use]
    pub fn proof(&self) -> ChatProof {
        let text = format!("chat-proof:v1:{}", self.text());
        ChatProof(URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes())))
    }
}

impl ChatProof {
    /// Takes the text of a hash.
    ///
    /// # Errors
    /// [`InvalidChatProof`].
    pub fn parse(text: &str) -> Result<Self, InvalidChatProof> {
        match URL_SAFE_NO_PAD.decode(text) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(text.to_owned())),
            _ => Err(InvalidChatProof),
        }
    }

    /// What names several codes of one message: the hash of the only one, or of all their hashes. `None` where there is none.
    #[must_use]
    pub fn of_all(proofs: &[Self]) -> Option<Self> {
        match proofs {
            [] => None,
            [proof] => Some(proof.clone()),
            several => {
                let all = several.iter().map(Self::as_str).collect::<Vec<_>>().join(".");
                Some(Self(URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("chat-proofs:v1:{all}").as_bytes()))))
            }
        }
    }

    /// As it is stored and sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for ChatProof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ChatProof {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for ChatCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatCode").finish_non_exhaustive()
    }
}

impl fmt::Debug for ChatProof {
    /// The code can be found by its hash, in minutes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatProof").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn code(secret: &str, attempt: u8) -> ChatCode {
        ChatCode::derive(secret, AttemptId::from_bytes([attempt; 16]))
    }

    fn found(text: &str) -> Vec<String> {
        ChatCode::find(text).iter().map(|code| code.text().to_owned()).collect()
    }

    #[test]
    fn a_code_is_of_one_browser_and_one_attempt() {
        assert_eq!(code("a", 1).text(), code("a", 1).text());
        assert_ne!(code("a", 1).text(), code("b", 1).text());
        assert_ne!(code("a", 1).text(), code("a", 2).text());
    }

    #[test]
    fn a_code_is_read_as_people_send_it() {
        for text in [
            "K7PW4MXR",
            "K7PW-4MXR",
            "k7pw-4mxr",
            "K7PW 4MXR",
            "K7PW–4MXR",
            "K7PW - 4MXR",
            "k7pw- 4mxr",
            "My code: K7PW-4MXR",
            "*K7PW-4MXR*.",
            "\u{200e}K7PW-4MXR\u{200f}",
            "el código es K7PW-4MXR, gracias",
            "K7PW-4MXR K7PW-4MXR",
        ] {
            assert_eq!(found(text), ["K7PW4MXR"], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_code_is_none() {
        for text in [
            "",
            "hello",
            "password",
            "Connect Salesforce",
            "73459823",
            "K7PW--4MXR",
            "K7PW - - 4MXR",
            "K7PW   4MXR",
            "K7PW-4MX",
            "K7PW-4MXRX",
            "xK7PW-4MXR",
            "K7PW-4MXO",
            "7KPW-4MXR",
            "K7PW\n4MXR",
            "éK7PW4MXR",
            "K7PW4MXRé",
            "Ｋ7PW4MXR",
        ] {
            assert!(found(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn of_many_codes_the_first_three_are_looked_at() {
        for between in [", ", ". ", " ", "\n"] {
            let codes = ["K7PW-4MXR", "CDFH-C345", "JKMN-J789", "PRTV-2345"];
            assert_eq!(found(&codes.join(between)), ["K7PW4MXR", "CDFHC345", "JKMNJ789"], "{between:?}");
        }
    }

    #[test]
    fn a_code_beside_a_word_of_its_symbols_is_read() {
        assert!(found("K234 K7PW-4MXR").contains(&"K7PW4MXR".to_owned()));
    }

    #[test]
    fn a_hash_survives_its_text() {
        let proof = code("a", 1).proof();
        assert_eq!(ChatProof::parse(proof.as_str()), Ok(proof.clone()));
        assert_ne!(proof, code("b", 1).proof());
        for other in ["", "K7PW4MXR", &"=".repeat(43), &"a".repeat(44)] {
            assert_eq!(ChatProof::parse(other), Err(InvalidChatProof), "{other}");
        }
    }

    #[test]
    fn the_codes_of_a_message_have_a_name_together() {
        let [one, other] = ["a", "b"].map(|secret| code(secret, 1).proof());
        assert_eq!(ChatProof::of_all(&[]), None);
        assert_eq!(ChatProof::of_all(std::slice::from_ref(&one)), Some(one.clone()));
        let both = ChatProof::of_all(&[one.clone(), other.clone()]).unwrap();
        assert!(![&one, &other].contains(&&both) && ChatProof::parse(both.as_str()).is_ok());
        assert_ne!(ChatProof::of_all(&[one.clone(), one]), Some(both));
    }

    #[test]
    fn debug_hides_code_and_hash() {
        let code = code("a", 1);
        let debug = format!("{code:?} {:?}", code.proof());
        assert_eq!(debug, "ChatCode { .. } ChatProof { .. }");
    }

    #[test]
    fn codes_are_spread_over_all_symbols() {
        let codes: Vec<_> = (0..2_000).map(|secret| code(&secret.to_string(), 1)).collect();
        for place in 0..LENGTH {
            let symbols: BTreeSet<u8> = codes.iter().map(|code| code.text().as_bytes()[place]).collect();
            assert_eq!(symbols.len(), if place == 0 { 15 } else { 23 }, "{place}");
        }
    }

    proptest! {
        #[test]
        fn a_code_is_found_in_what_people_write_around_it(
            secret in any::<u64>(),
            before in "[ .,:;!?*_~()\\n]{0,5}",
            after in "[ .,:;!?*_~()\\n]{0,5}",
            lower in any::<bool>(),
        ) {
            let code = code(&secret.to_string(), 1);
            let shown = if lower { code.shown().to_lowercase() } else { code.shown() };
            prop_assert_eq!(found(&format!("{before}{shown}{after}")), [code.text()]);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,80}") {
            prop_assert!(ChatCode::find(&text).len() <= MAX_CODES);
        }
    }
}
