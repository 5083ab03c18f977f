//! The text of a secret, as people store it in Secrets Manager. Pure.
//!
//! The console suggests a form with keys and values, files end in a line break, and what is pasted brings quotes and
//! characters that nobody sees. What is meant is plain in all of these.

use crate::printable::is_hidden;

/// The quotes that are pasted around a value.
const QUOTES: [(char, char); 4] = [('"', '"'), ('\'', '\''), ('“', '”'), ('‘', '’')];

/// What the text means: without white space and hidden characters around it, without quotes, and out of a JSON object
/// with one text in it. Other JSON stays as it is.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = trimmed(text).to_owned();
    while let Some(inner) = inner(&plain) {
        trimmed(&inner).clone_into(&mut plain);
    }
    if !plain.starts_with('{') {
        plain.retain(|character| !is_hidden(character) || character.is_control());
    }
    plain
}

/// Whether a plain text can be one value, like a consumer secret.
///
/// # Errors
/// What it is instead, as the end of a sentence.
pub fn single_value(plain: &str) -> Result<(), &'static str> {
    if plain.is_empty() {
        Err("it is empty")
    } else if plain.starts_with(['{', '[']) {
        Err(match serde_json::from_str(plain) {
            Ok(serde_json::Value::Object(fields)) if fields.is_empty() => "it is JSON without a value",
            Ok(serde_json::Value::Object(fields)) if fields.len() > 1 => "it is JSON with more than one value",
            Ok(serde_json::Value::Object(_)) => "it is JSON whose value is not a text",
            Ok(_) => "it is a JSON list",
            Err(_) => "it begins like JSON, and is not valid JSON",
        })
    } else if plain.contains(|character: char| character.is_whitespace() || character.is_control()) {
        Err("it has white space or control characters in it")
    } else if !plain.is_ascii() {
        Err("it has characters in it that are not ASCII")
    } else {
        Ok(())
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || is_hidden(character))
}

/// What is in quotes, or alone in an object.
fn inner(text: &str) -> Option<String> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::String(inner)) => return Some(inner),
        Ok(serde_json::Value::Object(fields)) => {
            let mut values = fields.into_iter();
            return match (values.next(), values.next()) {
                (Some((_, serde_json::Value::String(inner))), None) => Some(inner),
                _ => None,
            };
        }
        _ => {}
    }
    QUOTES.into_iter().find_map(|(open, close)| Some(text.strip_prefix(open)?.strip_suffix(close)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_understood_in_each_form_that_people_store_it_in() {
        for text in [
            "A1B2",
            " A1B2\r\n",
            "\"A1B2\"",
            "'A1B2'",
            "“A1B2”",
            "\u{feff}A1B2",
            "A1\u{200b}B2\u{2060}",
            r#"{"sf_client_secret":"A1B2"}"#,
            "\u{feff}{\"key\": \"'A1B2' \"}\n",
            r#""{\"sf_client_secret\":\"A1B2\"}""#,
        ] {
            assert_eq!(plain(text), "A1B2", "{text:?}");
            assert_eq!(single_value(&plain(text)), Ok(()));
        }
    }

    #[test]
    fn json_with_several_fields_stays_json() {
        let credentials = r#"{"account_sid":"AC1","auth_token":"t"}"#;
        assert_eq!(plain(&format!("\u{feff}{credentials}\n")), credentials);
        assert_eq!(plain(r#"{"key":1}"#), r#"{"key":1}"#);
    }

    #[test]
    fn what_is_not_one_value_is_named() {
        for text in ["", "\u{200b}", "\"\"", "{}", r#"{"key":"a","secret":"b"}"#, "two words", "A1\nB2", "A1B2é"] {
            assert!(single_value(&plain(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn json_that_is_not_one_text_is_named_by_what_it_is() {
        for (text, why) in [
            (r#"{"key":"a","secret":"b"}"#, "it is JSON with more than one value"),
            (r#"{"a":1}"#, "it is JSON whose value is not a text"),
            (r#"{"a":{"b":"c"}}"#, "it is JSON whose value is not a text"),
            (r#"{"a":null}"#, "it is JSON whose value is not a text"),
            ("{}", "it is JSON without a value"),
            (r#"["A1B2"]"#, "it is a JSON list"),
            (r#"{"a":"A1B2""#, "it begins like JSON, and is not valid JSON"),
        ] {
            assert_eq!(single_value(&plain(text)), Err(why), "{text}");
        }
    }

    #[test]
    fn a_quote_on_one_side_belongs_to_the_value() {
        for text in ["\"A1B2", "A1B2'", "\"", "'"] {
            assert_eq!(plain(text), text);
        }
    }
}
