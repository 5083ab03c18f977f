//! The body of an answer, read for what it says and whatever it is wrapped in. Pure.

use serde_json::{Map, Value};
use url::form_urlencoded;

/// The fields of an answer.
///
/// JSON as Salesforce sends it, and what proxies and older endpoints make of it: a byte order mark in front, keys that
/// are repeated (the last one counts, as in browsers), one object in an array (the REST API's errors), and form encoding,
/// which the token endpoint uses where `format=urlencoded` is asked for and `revoke` always does.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body; `None` where it has no fields: a page, a plain word, nothing, an answer that broke off.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        // A broken character in one field must not cost the others.
        let text = String::from_utf8_lossy(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body));
        let text = text.trim_ascii();
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Some(Self(fields)),
            Ok(Value::Array(list)) => match list.into_iter().next() {
                Some(Value::Object(fields)) => Some(Self(fields)),
                _ => None,
            },
            Ok(_) => None,
            Err(_) => Self::of_form(text.as_bytes()),
        }
    }

    fn of_form(body: &[u8]) -> Option<Self> {
        let visible = body.iter().all(u8::is_ascii_graphic);
        if !visible || matches!(body.first(), None | Some(b'<' | b'{' | b'[' | b'"')) {
            return None;
        }
        let fields: Map<_, _> =
            form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
        (fields.contains_key("access_token") || fields.contains_key("error")).then_some(Self(fields))
    }

    /// A field with text or a number in it; `None` where it is absent, empty or of another kind.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A token: text, and no word for the lack of one.
    pub(super) fn token(&self, name: &str) -> Option<String> {
        let text = self.0.get(name)?.as_str()?;
        (!matches!(text, "" | "null" | "undefined")).then(|| text.to_owned())
    }

    /// Whether there is something under this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// The error: OAuth's, or the REST API's (`errorCode`).
    pub(super) fn error(&self) -> Option<String> {
        self.text("error").or_else(|| self.text("errorCode"))
    }

    /// The description of the error: OAuth's, or the REST API's (`message`).
    pub(super) fn description(&self) -> String {
        self.text("error_description").or_else(|| self.text("message")).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_whatever_they_are_wrapped_in() {
        for body in [
            r#"{"error":"invalid_grant","error_description":"inactive user"}"#,
            "\u{feff}{\"error\":\"invalid_grant\",\"error_description\":\"inactive user\"}",
            "\r\n {\"error\":\"invalid_grant\",\"error_description\":\"inactive user\"}\n",
            r#"{"error":"other","error":"invalid_grant","error_description":"inactive user"}"#,
            r#"[{"message":"inactive user","errorCode":"invalid_grant"}]"#,
            "error=invalid_grant&error_description=inactive+user",
            "error=invalid_grant&error_description=inactive%20user\n",
        ] {
            let fields = Fields::read(body.as_bytes()).unwrap();
            assert_eq!(fields.error().as_deref(), Some("invalid_grant"), "{body}");
            assert_eq!(fields.description(), "inactive user", "{body}");
        }
    }

    #[test]
    fn a_broken_character_costs_no_other_field() {
        let fields = Fields::read(b"{\"access_token\":\"00D!a\",\"name\":\"caf\xe9\"}").unwrap();
        assert_eq!(fields.text("access_token").as_deref(), Some("00D!a"));
    }

    #[test]
    fn what_is_no_answer_has_no_fields() {
        let broken = r#"{"access_token":"00D!x"#;
        for body in ["", "OK", "[]", "\"error=1\"", "7", broken, "<html>error=1</html>", "an error = one", "a=b"] {
            assert!(Fields::read(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn a_token_is_text() {
        let fields = Fields::read(br#"{"a":"00D!x","b":5,"c":"null","d":"undefined","e":{},"f":null,"g":""}"#).unwrap();
        let tokens = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (fields.token(name), fields.has(name)));
        let other = |is_there| (None, is_there);
        assert_eq!(tokens[0], (Some("00D!x".to_owned()), true));
        assert_eq!(tokens[1..], [true, true, true, true, false, false, false].map(other));
    }

    #[test]
    fn an_empty_field_is_absent_and_a_number_is_text() {
        let fields = Fields::read(br#"{"a":"","b":null,"c":1790000000123,"d":{}}"#).unwrap();
        assert_eq!(["a", "b", "d", "e"].map(|name| fields.text(name)), [const { None }; 4]);
        assert_eq!(fields.text("c").as_deref(), Some("1790000000123"));
    }
}
