//! Hides what looks like a secret or a chat's address, wherever it stands in a text or in JSON. Pure.
//!
//! Reports have no secrets by their types. This is for texts of other parties, and the last line of defence.

use serde_json::Value;
use shared::proof::{ChatCode, ChatProof};

/// In place of what is hidden.
pub(crate) const HIDDEN: &str = "***";
/// A word of this length with capital and small letters and digits is a token, a code or a key.
const LONG: usize = 20;
/// So many digits are a phone number.
pub(crate) const NUMBER: usize = 7;
/// Before the address of a chat.
const CHAT: &str = "whatsapp:";
/// The length of the hash of a chat's code.
const PROOF: usize = 43;
/// A chat's code as people write it, in characters.
const SPACED_CODE: usize = 9;

/// Applies a function to every text of a value, and to the names of its fields.
pub(crate) fn map_texts(value: Value, apply: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(apply(&text)),
        Value::Array(values) => values.into_iter().map(|value| map_texts(value, apply)).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (apply(&name), map_texts(value, apply))).collect()
        }
        plain => plain,
    }
}

/// The text without what looks like a secret or a chat's address.
pub(crate) fn hide(text: &str) -> String {
    hide_unknown(text, &[])
}

/// The same, but a word is kept that looks like a secret only by one of these names.
pub(crate) fn hide_unknown(text: &str, names: &[&str]) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while !rest.is_empty() {
        let is_word = |character: char| character.is_ascii_alphanumeric() || "_-.!+/~%".contains(character);
        let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        let is_between = !kept.ends_with(|character: char| character.is_alphanumeric());
        if let Some(after) = after_spaced_code(rest).filter(|_| is_between) {
            kept.push_str(HIDDEN);
            rest = after;
            continue;
        }
        let (word, after) = rest.split_at(end);
        let is_address = kept.ends_with(CHAT) && word.contains(|character: char| character.is_ascii_alphanumeric());
        kept.push_str(if is_address || (is_secret(word) && is_secret(&without(word, names))) { HIDDEN } else { word });
        let mut characters = after.chars();
        kept.extend(characters.next());
        rest = characters.as_str();
    }
    kept
}

fn without(word: &str, names: &[&str]) -> String {
    names.iter().fold(word.to_owned(), |word, name| word.replace(name, ""))
}

/// What follows a chat's code in two groups that a text begins with; `None` where it begins with none.
fn after_spaced_code(text: &str) -> Option<&str> {
    let end = text.char_indices().nth(SPACED_CODE).map_or(text.len(), |(at, _)| at);
    let (code, after) = text.split_at(end);
    let is_whole = !after.starts_with(|character: char| character.is_alphanumeric());
    let is_code =
        code.chars().nth(4).is_some_and(|middle| !middle.is_alphanumeric()) && ChatCode::find(code).len() == 1;
    (is_whole && is_code && code.ends_with(|last: char| last.is_alphanumeric())).then_some(after)
}

/// Whether a word is the code of a chat, or its hash, by which the code can be found.
fn is_proof(word: &str) -> bool {
    let bare = word.trim_matches(|character: char| !character.is_ascii_alphanumeric());
    let is_code = [8, SPACED_CODE].contains(&bare.len()) && ChatCode::find(bare).len() == 1;
    let has_both = [u8::is_ascii_uppercase as fn(&u8) -> bool, u8::is_ascii_lowercase];
    let of_hash = word.trim_matches(|character: char| !character.is_ascii_alphanumeric() && !"-_".contains(character));
    let is_hash = of_hash.len() == PROOF && has_both.iter().all(|is| of_hash.bytes().any(|byte| is(&byte)));
    is_code || (is_hash && ChatProof::parse(of_hash).is_ok())
}

fn is_secret(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let is_number = word
        .split_once('+')
        .is_some_and(|(_, digits)| digits.len() >= NUMBER && digits.bytes().all(|byte| byte.is_ascii_digit()));
    (word.len() >= LONG && is_mixed) || is_number || is_proof(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_no_secrets() {
        for plain in [
            "07070707070707070707070707070707",
            "1-68d0a1b2-0123456789abcdef01234567",
            "6a1bfd0e-4c8d-4c37-9f26-1b2c3d4e5f60",
            "lambda_runtime::layers::trace",
            "https://acme.my.salesforce.com",
            "2026-09-21T14:13:20.123Z",
            "00D5g000004XyzAEAS",
            "code_age_ms=1790000000123",
            "expected whatsapp:+<digits> or whatsapp:<CC>.<id>",
        ] {
            assert_eq!(hide(plain), plain);
        }
    }

    #[test]
    fn a_chats_code_and_its_hash_are_hidden_as_people_and_programs_write_them() {
        let hash = "aAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA";
        for secret in ["K7PW-4MXR", "k7pw4mxr", "K7PW 4MXR", "K7PW\u{2013}4MXR", "K7PW\u{a0}4MXR", hash] {
            for text in
                [secret.to_owned(), format!("for {secret}: no"), format!("code={secret}."), format!("(*{secret}*)")]
            {
                let shown = hide(&text);
                assert!(!shown.contains(&secret[secret.len() - 4..]) && shown.contains(HIDDEN), "{text}: {shown}");
            }
        }
        for plain in ["connection failed", "HTTP 503", "a K7PW", "K7PW 4MXRS", "6a1bfd0e-c4d5-f678-9f26-1b2c3d4e5f60"] {
            assert_eq!(hide(plain), plain);
        }
    }

    #[test]
    fn a_known_name_is_no_secret_and_hides_none() {
        let name = "connect-TokenExchangerRole-1A2B3C4D";
        let arn = format!("arn:aws:iam::123456789012:role/{name}");
        assert_eq!(hide_unknown(&arn, &[name]), arn);
        assert_eq!(hide(&arn), "arn:aws:iam::123456789012:***");
        let joined = format!("{name}5Aep861TSESvWeug_xvFHRBTTbf");
        assert_eq!(hide_unknown(&joined, &[name]), HIDDEN);
    }
}
