//! The body of `POST /confirmations`: `{"wa_id": …, "text": …}`.

use serde::Deserialize;
use shared::{WaId, proof::ChatCode, web};

/// The longest body that is parsed, in bytes: the longest text has 24,576 where each byte is escaped as `\uXXXX`, and
/// `wa_id` some 900.
const MAX_LENGTH: usize = 32_768;
/// The longest text, in bytes of UTF-8: who sends a code sends little else.
const MAX_TEXT: usize = 4_096;

/// A message that a bot passes on. Of its text the codes are kept, and nothing else.
#[derive(Debug)]
pub(crate) struct ConfirmationRequest {
    /// The chat that the message came from.
    pub(crate) wa_id: WaId,
    /// The codes in it, in its order.
    pub(crate) codes: Vec<ChatCode>,
}

/// Why a body is invalid. The text is for the bot's developer; it does not quote the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidConfirmation {
    #[error("the body must be a JSON object with the strings wa_id and text")]
    Malformed,
    #[error("wa_id must be whatsapp:+<digits> or whatsapp:<CC>.<id>")]
    WaId,
    #[error("text must have at most 4096 bytes in UTF-8")]
    LongText,
    #[error("the body must have at most 32768 bytes")]
    TooLong,
}

#[derive(Deserialize)]
struct Body {
    wa_id: String,
    text: String,
}

impl ConfirmationRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, InvalidConfirmation> {
        if body.len() > MAX_LENGTH {
            return Err(InvalidConfirmation::TooLong);
        }
        if !web::is_json_object(body) {
            return Err(InvalidConfirmation::Malformed);
        }
        let Body { wa_id, text } = serde_json::from_slice(body).map_err(|_| InvalidConfirmation::Malformed)?;
        let wa_id = wa_id.parse().map_err(|_| InvalidConfirmation::WaId)?;
        if text.len() > MAX_TEXT {
            return Err(InvalidConfirmation::LongText);
        }
        Ok(Self { wa_id, codes: ChatCode::find(&text) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CHAT: &str = "whatsapp:+15551234567";

    fn parse(body: &Value) -> Result<ConfirmationRequest, InvalidConfirmation> {
        ConfirmationRequest::parse(body.to_string().as_bytes())
    }

    fn codes(text: &str) -> Vec<String> {
        let request = parse(&json!({ "wa_id": CHAT, "text": text, "unknown": [{}] })).unwrap();
        request.codes.iter().map(ChatCode::shown).collect()
    }

    #[test]
    fn the_codes_of_a_text_are_read() {
        assert_eq!(codes("Confirmation code: K7PW-4MXR"), ["K7PW-4MXR"]);
        assert_eq!(codes("k7pw4mxr or CDFH 2345"), ["K7PW-4MXR", "CDFH-2345"]);
        for text in ["", "hello", "\u{0}"] {
            assert!(codes(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn the_chat_keeps_the_bots_spelling() {
        for (given, kept) in
            [(CHAT, CHAT), ("whatsapp: 15551234567", CHAT), ("whatsapp:15551234567", "whatsapp:15551234567")]
        {
            assert_eq!(parse(&json!({ "wa_id": given, "text": "" })).unwrap().wa_id.as_str(), kept);
        }
    }

    #[test]
    fn a_body_that_is_no_object_with_both_strings_is_malformed() {
        for body in [
            json!({}),
            json!([]),
            json!(null),
            json!({ "wa_id": CHAT }),
            json!({ "text": "K7PW-4MXR" }),
            json!({ "wa_id": CHAT, "text": null }),
            json!({ "wa_id": CHAT, "text": 7 }),
            json!({ "wa_id": 7, "text": "K7PW-4MXR" }),
        ] {
            assert_eq!(parse(&body).unwrap_err(), InvalidConfirmation::Malformed, "{body}");
        }
        for body in [&b"K7PW-4MXR"[..], b"", b"\xff", br#"{"wa_id":"whatsapp:+15551234567","text":"\ud83e"}"#] {
            assert_eq!(ConfirmationRequest::parse(body).unwrap_err(), InvalidConfirmation::Malformed);
        }
    }

    #[test]
    fn an_address_of_another_network_is_invalid() {
        for wa_id in ["+15551234567", "sms:+15551234567", "whatsapp:", ""] {
            let refused = parse(&json!({ "wa_id": wa_id, "text": "K7PW-4MXR" })).unwrap_err();
            assert_eq!(refused, InvalidConfirmation::WaId, "{wa_id}");
        }
    }

    #[test]
    fn a_text_has_4_096_bytes_at_most() {
        let with = |text: &str| parse(&json!({ "wa_id": CHAT, "text": text })).map(|request| request.codes.len());
        assert_eq!(with(&format!("{} K7PW-4MXR", "x".repeat(4_086))), Ok(1));
        assert_eq!(with(&"x".repeat(4_097)), Err(InvalidConfirmation::LongText));
        assert_eq!(with(&"é".repeat(2_048)), Ok(0));
        assert_eq!(with(&"é".repeat(2_049)), Err(InvalidConfirmation::LongText));
    }

    #[test]
    fn the_longest_text_is_read_however_it_is_escaped() {
        let body = |text: &str| format!(r#"{{"wa_id":"{CHAT}","text":"{text}"}}"#);
        let escaped = r"\u0078".repeat(4_096);
        assert!(ConfirmationRequest::parse(body(&escaped).as_bytes()).is_ok());
        let spaces = |more: usize| format!("{}{}", body(""), " ".repeat(more));
        let most = MAX_LENGTH - body("").len();
        assert!(ConfirmationRequest::parse(spaces(most).as_bytes()).is_ok());
        let refused = ConfirmationRequest::parse(spaces(most + 1).as_bytes()).unwrap_err();
        assert_eq!(refused, InvalidConfirmation::TooLong);
    }

    #[test]
    fn debug_hides_the_codes() {
        let request = parse(&json!({ "wa_id": CHAT, "text": "K7PW-4MXR" })).unwrap();
        let debug = format!("{request:?}");
        assert!(!debug.contains("K7PW") && !debug.contains("1555"), "{debug}");
    }
}
