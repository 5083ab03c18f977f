//! The body of `POST /links`: `{"wa_id": …, "login_url": …, "reference": …, "display_name": …, "language": …}`, all
//! but the first optional.

use serde::Deserialize;
use serde_json::Value;
use shared::{
    Language, LoginUrl, LoginUrls, Reference, WaId,
    language::{InvalidLanguageTag, LanguageTag},
    link::{DisplayName, InvalidDisplayName},
    login::InvalidLoginUrl,
    reference::InvalidReference,
    web,
};

/// The longest body that is parsed. A reference of 512 characters has 6,144 bytes where each is escaped as two `\uXXXX`;
/// a display name of 64 has 768, and the other fields have some 300 at their longest.
const MAX_LENGTH: usize = 8_192;

/// The link that the bot asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LinkRequest {
    pub(crate) wa_id: WaId,
    pub(crate) login_url: LoginUrl,
    pub(crate) reference: Option<Reference>,
    /// Absent too where nothing of it is visible: a person chooses their name, and it must not keep them from connecting.
    pub(crate) display_name: Option<DisplayName>,
    /// Absent too where it is one that there are no texts in.
    pub(crate) language: Option<Language>,
}

/// Why a body is invalid. The text is for the bot's developer; it does not quote the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidLinkRequest {
    #[error(
        "the body must be a JSON object with the string wa_id and, optionally, the strings login_url, reference, display_name and language"
    )]
    Malformed,
    #[error("wa_id must be whatsapp:+<digits> or whatsapp:<CC>.<id>")]
    WaId,
    #[error("login_url must be one of the stack's LoginUrls")]
    LoginUrl,
    #[error(transparent)]
    Reference(#[from] InvalidReference),
    #[error(transparent)]
    Language(#[from] InvalidLanguageTag),
    #[error("the body, login_url or display_name is too long")]
    TooLong,
}

#[derive(Deserialize)]
struct Body {
    wa_id: String,
    login_url: Option<String>,
    reference: Option<Value>,
    display_name: Option<String>,
    language: Option<Value>,
}

impl LinkRequest {
    /// Parses the body; the login host must be one that the operator allows.
    pub(crate) fn parse(body: &[u8], allowed: &LoginUrls) -> Result<Self, InvalidLinkRequest> {
        if body.len() > MAX_LENGTH {
            return Err(InvalidLinkRequest::TooLong);
        }
        if !web::is_json_object(body) {
            return Err(InvalidLinkRequest::Malformed);
        }
        let Body { wa_id, login_url, reference, display_name, language } =
            serde_json::from_slice(body).map_err(|_| InvalidLinkRequest::Malformed)?;
        let wa_id = wa_id.parse().map_err(|_| InvalidLinkRequest::WaId)?;
        let login_url = match login_url {
            None => allowed.default_url().clone(),
            Some(text) => text.parse().map_err(|error| match error {
                InvalidLoginUrl::TooLong => InvalidLinkRequest::TooLong,
                _ => InvalidLinkRequest::LoginUrl,
            })?,
        };
        if !allowed.contains(&login_url) {
            return Err(InvalidLinkRequest::LoginUrl);
        }
        let reference = reference.map(|reference| reference.as_str().ok_or(InvalidReference)?.parse()).transpose()?;
        let display_name = match display_name.map(|name| name.parse()) {
            None | Some(Err(InvalidDisplayName::Empty)) => None,
            Some(Err(InvalidDisplayName::TooLong)) => return Err(InvalidLinkRequest::TooLong),
            Some(Ok(name)) => Some(name),
        };
        let language = match &language {
            Some(tag) => LanguageTag::parse(tag.as_str().ok_or(InvalidLanguageTag)?)?.language(),
            None => None,
        };
        Ok(Self { wa_id, login_url, reference, display_name, language })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<LinkRequest, InvalidLinkRequest> {
        let allowed = "https://login.salesforce.com,https://test.salesforce.com".parse().unwrap();
        LinkRequest::parse(body.as_bytes(), &allowed)
    }

    #[test]
    fn the_first_login_host_is_the_default() {
        for body in [
            r#"{"wa_id":"whatsapp:+15551234567"}"#,
            r#"{"wa_id":"whatsapp:+15551234567","login_url":null,"reference":null,"display_name":null,"language":null,"unknown":[1]}"#,
        ] {
            let request = parse(body).unwrap();
            assert_eq!(request.wa_id.as_str(), "whatsapp:+15551234567");
            assert_eq!(request.login_url.as_str(), "https://login.salesforce.com");
            assert_eq!((request.reference, request.display_name, request.language), (None, None, None));
        }
    }

    #[test]
    fn another_login_host_must_be_an_allowed_one() {
        let with = |url: &str| parse(&format!(r#"{{"wa_id":"whatsapp:+15551234567","login_url":"{url}"}}"#));
        assert_eq!(with("https://test.salesforce.com/").unwrap().login_url.as_str(), "https://test.salesforce.com");
        for url in [
            "https://evil.my.salesforce.com",
            "http://login.salesforce.com",
            "https://login.salesforce.com@evil.example",
            "https://login.salesforce.com/services",
            "",
        ] {
            assert_eq!(with(url), Err(InvalidLinkRequest::LoginUrl), "{url}");
        }
        assert_eq!(with(&format!("https://{}.com", "a".repeat(200))), Err(InvalidLinkRequest::TooLong));
    }

    fn with_reference(reference: &Value) -> Result<Option<String>, InvalidLinkRequest> {
        let request =
            parse(&serde_json::json!({"wa_id": "whatsapp:+15551234567", "reference": reference}).to_string())?;
        Ok(request.reference.map(|reference| reference.as_str().to_owned()))
    }

    #[test]
    fn a_reference_is_taken_as_it_is() {
        for text in ["crm/42", "  Zoë 🦀 \u{202e}", &"🦀".repeat(512)] {
            assert_eq!(with_reference(&text.into()), Ok(Some(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn the_longest_reference_fits_however_it_is_escaped() {
        let escaped = |count| r"\ud83e\udd80".repeat(count);
        let (reference, name) = (escaped(512), escaped(64));
        let body = format!(r#"{{"wa_id":"whatsapp:+15551234567","reference":"{reference}","display_name":"{name}"}}"#);
        assert_eq!(parse(&body).unwrap().reference.unwrap().as_str(), "🦀".repeat(512));
    }

    fn with_name(name: &Value) -> Result<Option<String>, InvalidLinkRequest> {
        let request = parse(&serde_json::json!({"wa_id": "whatsapp:+15551234567", "display_name": name}).to_string())?;
        Ok(request.display_name.map(|name| name.as_str().to_owned()))
    }

    #[test]
    fn a_name_is_taken_without_what_nobody_sees() {
        assert_eq!(with_name(&" Ada\u{202e}\nLovelace ".into()), Ok(Some("Ada Lovelace".to_owned())));
    }

    #[test]
    fn a_name_without_a_visible_character_is_none() {
        for name in ["", "  ", "\u{200b}"] {
            assert_eq!(with_name(&name.into()), Ok(None), "{name:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for other in [serde_json::json!(42), serde_json::json!(true), serde_json::json!(["Ada"])] {
            assert_eq!(with_name(&other), Err(InvalidLinkRequest::Malformed), "{other}");
        }
        assert_eq!(with_name(&"a".repeat(65).into()), Err(InvalidLinkRequest::TooLong));
    }

    fn with_language(language: &Value) -> Result<Option<Language>, InvalidLinkRequest> {
        let body = serde_json::json!({"wa_id": "whatsapp:+15551234567", "language": language});
        Ok(parse(&body.to_string())?.language)
    }

    #[test]
    fn a_language_is_the_one_of_ours_that_the_tag_means() {
        for (tag, language) in [
            ("hi", Some(Language::Hindi)),
            ("es-MX", Some(Language::Spanish)),
            ("pt", Some(Language::Portuguese)),
            ("zh-Hant-TW", None),
        ] {
            assert_eq!(with_language(&tag.into()), Ok(language), "{tag}");
        }
    }

    #[test]
    fn what_is_no_language_tag_is_refused() {
        for other in
            [42.into(), true.into(), serde_json::json!(["hi"]), "".into(), "pt_BR".into(), "a".repeat(36).into()]
        {
            assert_eq!(with_language(&other), Err(InvalidLinkRequest::Language(InvalidLanguageTag)), "{other}");
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_and_not_quoted() {
        for other in [
            42.into(),
            true.into(),
            serde_json::json!(["s3cret"]),
            "".into(),
            "a".repeat(513).into(),
            "s3cret\0".into(),
        ] {
            let refused = with_reference(&other).unwrap_err();
            assert_eq!(refused, InvalidLinkRequest::Reference(InvalidReference));
            assert!(!refused.to_string().contains("s3cret"));
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_body() {
        for body in ["", "{}", "[]", "not json", r#"{"wa_id":15551234567}"#, r#"{"wa_id":"whatsapp:+1","login_url":1}"#]
        {
            assert_eq!(parse(body), Err(InvalidLinkRequest::Malformed), "{body}");
        }
        assert_eq!(parse(r#"{"wa_id":"+15551234567"}"#), Err(InvalidLinkRequest::WaId));
        assert_eq!(parse(&format!(r#"{{"wa_id":"{}"}}"#, "a".repeat(9_000))), Err(InvalidLinkRequest::TooLong));
    }
}
