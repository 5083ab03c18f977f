//! What of a command's JSON an assistant gets: chats and usernames masked, and nothing that could be a code, a token,
//! a link or a phone number. Pure.
//!
//! The reports mask chats in lists, but show one attempt, connection or person with its chat, because an operator who asks
//! for it has the number. An assistant's answers go on to a model's provider.

use std::{borrow::Cow, net::Ipv4Addr};

use serde_json::Value;
use shared::WaId;

use crate::redaction::{HIDDEN, NUMBER, hide_unknown, map_texts};

/// Fields that no tool has. Should a command ever get one, its value is hidden whatever it looks like.
const SECRET_FIELDS: [&str; 11] = [
    "access_token",
    "authorization",
    "body",
    "chat_code",
    "client_secret",
    "code",
    "code_verifier",
    "link_url",
    "proof",
    "relink_url",
    "verifier",
];
/// A field that says in which form a token is stored, and the forms.
const TOKEN_FORM: (&str, [&str; 3]) = ("refresh_token", ["sealed", "plain", "none"]);
/// Fields whose value names a person: it is masked like an e-mail address, in whatever form it is.
const NAME_FIELDS: [&str; 2] = ["username", "preferred_username"];
/// The longest phone number (E.164), in digits.
const LONGEST_NUMBER: usize = 15;
/// The least length of a hexadecimal id, with its hyphens.
const HEXADECIMAL: usize = 24;
/// The digits of an AWS account's id, which stand between the colons of an ARN.
const ACCOUNT: usize = 12;
/// What people write between a number's digits.
const SEPARATORS: &str = " -.()\u{a0}\u{202f}\u{2011}";

/// The value without what an assistant must not see. `names` are the stack's own resources, whose names may look like
/// tokens.
pub(super) fn redact(value: Value, names: &[&str]) -> Value {
    map_texts(hide_fields(value), &|text| redact_text(text, names))
}

/// The text without it.
pub(super) fn redact_text(text: &str, names: &[&str]) -> String {
    if let Ok(chat) = text.parse::<WaId>() {
        return chat.masked();
    }
    hide_numbers(&mask_emails(&hide_unknown(&without_queries(text), names)))
}

fn hide_fields(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::String(text) if name == TOKEN_FORM.0 && !TOKEN_FORM.1.contains(&text.as_str()) => {
                        HIDDEN.into()
                    }
                    Value::String(_) if SECRET_FIELDS.contains(&name.as_str()) => HIDDEN.into(),
                    Value::String(text) if NAME_FIELDS.contains(&name.as_str()) => mask_name(&text).into(),
                    other => hide_fields(other),
                };
                (name, value)
            })
            .collect(),
        Value::Array(values) => values.into_iter().map(hide_fields).collect(),
        plain => plain,
    }
}

/// `a•••@example.com`: enough to tell two users apart, and no address.
fn mask_name(name: &str) -> String {
    let (person, domain) = name.rsplit_once('@').map_or((name, None), |(person, domain)| (person, Some(domain)));
    let first: String = person.chars().take(1).collect();
    domain.map_or_else(|| format!("{first}•••"), |domain| format!("{first}•••@{domain}"))
}

/// Masks every e-mail address, and whatever else has an at sign within a word.
fn mask_emails(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return text.into();
    }
    let is_end = |character: char| character.is_whitespace() || "\"'<>(),;:=[]{}".contains(character);
    text.split_inclusive(is_end)
        .map(|word| {
            let bare = word.trim_end_matches(is_end);
            if bare.contains('@') && !bare.contains('•') {
                format!("{}{}", mask_name(bare), &word[bare.len()..])
            } else {
                word.to_owned()
            }
        })
        .collect::<String>()
        .into()
}

/// Hides the query and the fragment of every URL, where codes, states and tokens are.
fn without_queries(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return text.into();
    }
    text.split_inclusive(char::is_whitespace)
        .map(|word| match word.split_once("://").and_then(|(_, rest)| rest.find(['?', '#'])) {
            Some(_) => {
                let bare = word.trim_end();
                let end = bare.find(['?', '#']).unwrap_or(bare.len());
                format!("{}?{HIDDEN}{}", &bare[..end], &word[bare.len()..])
            }
            None => word.to_owned(),
        })
        .collect::<String>()
        .into()
}

/// Hides runs of digits that can be a phone number, however it is grouped.
fn hide_numbers(text: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    let is_word = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    while let Some(start) = rest.find(is_word) {
        kept.push_str(&rest[..start]);
        let from = &rest[start..];
        let word = &from[..from.find(|character| !is_word(character)).unwrap_or(from.len())];
        let taken = if word.contains(|character: char| character.is_ascii_alphabetic() || character == '_') {
            kept.push_str(if has_number(word) && !is_id(word) { HIDDEN } else { word });
            word
        } else {
            let run = run_of_digits(from).unwrap_or(word);
            kept.push_str(if is_number(&kept, run, &from[run.len()..]) { HIDDEN } else { run });
            run
        };
        rest = &from[taken.len()..];
    }
    kept.push_str(rest);
    kept
}

/// Digits and what people write between them; `None` where it begins with none.
fn run_of_digits(text: &str) -> Option<&str> {
    let is_run = |character: char| character.is_ascii_digit() || SEPARATORS.contains(character);
    let run = &text[..text.find(|character| !is_run(character)).unwrap_or(text.len())];
    run.starts_with(|character: char| character.is_ascii_digit())
        .then(|| run.trim_end_matches(|character: char| !character.is_ascii_digit()))
}

/// Whether a word with letters has as many digits in a row as a phone number.
fn has_number(word: &str) -> bool {
    word.split(|character: char| !character.is_ascii_digit()).any(|digits| digits.len() >= NUMBER)
}

/// A hexadecimal id, or one of Salesforce's.
fn is_id(word: &str) -> bool {
    let is_hexadecimal = word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (word.len() >= HEXADECIMAL && is_hexadecimal)
        || ([15, 18].contains(&word.len()) && is_plain && word.starts_with('0'))
}

fn is_number(before: &str, run: &str, after: &str) -> bool {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let is_one = run.len() == digits;
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    let is_in_arn = word.trim_start_matches(['"', '\'', '(']).starts_with("arn:");
    let is_account = is_one && digits == ACCOUNT && is_in_arn && after.starts_with(':');
    let is_known_form =
        is_date(run) || is_seconds(word, run) || run.parse::<Ipv4Addr>().is_ok() || (is_one && digits > LONGEST_NUMBER);
    digits >= NUMBER && !is_account && !is_known_form
}

/// `2026-09-21`.
fn is_date(run: &str) -> bool {
    let lengths = run.split('-').map(str::len);
    lengths.eq([4, 2, 2]) && run.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// The seconds of a time, with their fraction: `20.123456` after `2026-09-21T14:13:`.
fn is_seconds(before: &str, run: &str) -> bool {
    let is_minutes = before.strip_suffix(':').and_then(|before| before.rsplit_once('T')).is_some_and(|(_, time)| {
        time.split(':').map(str::len).eq([2, 2]) && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
    });
    let fraction = run.split_once('.').filter(|(seconds, _)| seconds.len() == 2).map(|(_, fraction)| fraction);
    is_minutes && fraction.is_some_and(|digits| digits.len() <= 9 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hidden(text: &str) -> String {
        redact_text(text, &[])
    }

    #[test]
    fn a_chat_is_masked_as_in_lists() {
        let shown = redact(json!({"wa_id": "whatsapp:+15551234567", "scoped": ["whatsapp:US.ABC123XYZ"]}), &[]);
        assert_eq!(shown, json!({"wa_id": "•••• 4567", "scoped": ["•••• 3XYZ"]}));
    }

    #[test]
    fn a_phone_number_is_hidden_however_it_is_written() {
        for number in [
            "+15551234567",
            "15551234567",
            "+1 (555) 123-4567",
            "555-123-4567",
            "1 555 123 4567",
            "+49\u{a0}30\u{202f}1234567",
            "whatsapp:+15551234567",
        ] {
            for text in
                [number.to_owned(), format!("for {number}: no"), format!("\"{number}\""), format!("a={number}.")]
            {
                let shown = hidden(&text);
                assert!(!shown.contains("4567") || shown == "•••• 4567", "{text}: {shown}");
            }
        }
        assert_eq!(hidden("https://wa.me/15551234567"), "https://wa.me/***");
        assert_eq!(hidden("15551234567 15557654321"), HIDDEN);
    }

    #[test]
    fn times_ids_addresses_and_accounts_are_kept() {
        for plain in [
            "2026-09-21T14:13:20.123Z",
            "2026-09-21T14:13:20.123456Z",
            "2026-09-21T14:13:20.123456789Z",
            "between 2026-09-21T14:13:20Z and 2026-09-22T14:13:20Z",
            "07070707070707070707070707070707",
            "00D000000000001",
            "6a1bfd0e-4c8d-4c37-9f26-123456789012",
            "54.123.201.117, 54.123.201.118",
            "arn:aws:kms:eu-west-1:123456789012:key/6a1bfd0e-4c8d-4c37-9f26-1b2c3d4e5f60",
            "v61.0",
            "wasf dlq redrive --rate 20",
        ] {
            assert_eq!(hidden(plain), plain);
        }
    }

    #[test]
    fn a_username_is_masked_wherever_it_stands() {
        let shown = redact(
            json!({"username": "ada", "of": {"username": "ada@example.com"}, "why": "no ada@example.com:"}),
            &[],
        );
        assert_eq!(shown["username"], "a•••");
        assert_eq!(shown["of"]["username"], "a•••@example.com");
        assert_eq!(shown["why"], "no a•••@example.com:");
    }

    #[test]
    fn codes_tokens_and_links_are_hidden_in_every_field() {
        let secrets = [
            "aPrx4nJ7Tz0uWq8KfYbLd2mVhXcE6gRs9oNtIwQe5yUaBk1SjMlP3vCiDpHrFxGzZ==",
            "00D5g000004Xyz!AQEAQFx.7mTz3kW0u_PqL9aBcDeFgHiJkLmNoPqRsTuVwXyZ",
            "5Aep861TSESvWeug_xvFHRBTTbf_YrTWgEyjBJrPi",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl0",
            "https://connect.example.com/connect/AbCdEf0123456789AbCdEf0123456789",
            "https://connect.example.com/callback?code=short&state=s",
            "wamid.HBgLMTU1NTEyMzQ1NjcVAgARGBI5QTNDQTVCM0Q0",
            "K7PW-4MXR",
            "K7PW 4MXR",
            "kD9wq3Zr1yLh7mVbXcJ5tFgSaQeRuIoPnWzTyUvBxCA",
        ];
        for secret in secrets {
            let shown = redact(json!({"a": secret, "b": [format!("panicked at {secret}, then")], secret: 1}), &[]);
            let end = secret.rsplit(['/', '?', '!']).next().unwrap();
            assert!(!shown.to_string().contains(end), "{shown}");
        }
        for field in SECRET_FIELDS {
            assert_eq!(redact(json!({field: "short"}), &[])[field], HIDDEN);
        }
        let forms = redact(json!([{"refresh_token": "sealed"}, {"refresh_token": "short"}]), &[]);
        assert_eq!(forms, json!([{"refresh_token": "sealed"}, {"refresh_token": HIDDEN}]));
    }
}
