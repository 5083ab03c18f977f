//! What a browser keeps of a login that was used.

use super::pairs;
use crate::{AttemptId, proof::ChatCode};

/// What the name of a used login's cookie begins with.
const USED_NAME: &str = "__Host-used";

/// Stands between the hash of the authorization code and the code to send from the chat.
const CHAT_CODE: char = '.';

/// How long a browser knows that its login was used, in seconds.
const USED_AGE: u64 = 3_600;

/// What a browser is left with in place of its secret once its login was used: the cookie `__Host-used-<attempt id>` with the
/// SHA-256 of the authorization code and, where the login waits for its chat, `.` and the code to send from there. It lets
/// no authorization code be exchanged: whoever plants it can make the chat hear of one more approval, or nobody hear of a
/// refused callback, or a page show another code than the login's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedLogin(AttemptId);

/// What a browser's cookie says of a used login.
#[derive(Clone, Debug)]
pub struct Used {
    /// The login was used with the very authorization code that was asked about.
    pub with_this_code: bool,
    /// The code to send from the chat.
    pub chat_code: Option<ChatCode>,
}

impl UsedLogin {
    /// Of one attempt.
    #[must_use]
    pub const fn of(attempt: AttemptId) -> Self {
        Self(attempt)
    }

    /// The `Set-Cookie` value that remembers this authorization code and, where there is one, the code to send from the chat.
    #[must_use]
    pub fn set_cookie(self, code_sha256: &str, chat_code: Option<&ChatCode>) -> String {
        let name = self.cookie_name();
        let chat_code = chat_code.map_or_else(String::new, |code| format!("{CHAT_CODE}{}", code.text()));
        format!("{name}={code_sha256}{chat_code}; Path=/; Max-Age={USED_AGE}; Secure; HttpOnly; SameSite=Lax")
    }

    /// What `Cookie` headers say of the login, and whether it was used with this very authorization code, if any; `None`
    /// where they do not say that it was used.
    #[must_use]
    pub fn find<'a>(self, cookies: impl IntoIterator<Item = &'a [u8]>, code_sha256: Option<&str>) -> Option<Used> {
        let name = self.cookie_name();
        let mut values = pairs(cookies).filter(|(found, _)| *found == name.as_bytes()).map(|(_, value)| value);
        let (used_with, chat_code) = parse_used(values.next()?);
        Some(Used {
            with_this_code: code_sha256.is_some_and(|code_sha256| used_with == code_sha256.as_bytes()),
            chat_code: chat_code.filter(|_| values.next().is_none()),
        })
    }

    /// The newest used login whose cookie has a code to send from the chat, and the code. Browsers send older cookies
    /// first (RFC 6265 §5.4).
    #[must_use]
    pub fn newest<'a>(cookies: impl IntoIterator<Item = &'a [u8]>) -> Option<(AttemptId, ChatCode)> {
        let cookies: Vec<_> = cookies.into_iter().collect();
        let used: Vec<_> = pairs(cookies.iter().copied()).filter_map(|(name, _)| Self::parse(name)).collect();
        used.into_iter().rev().find_map(|used| Some((used.0, used.find(cookies.iter().copied(), None)?.chat_code?)))
    }

    fn cookie_name(self) -> String {
        format!("{USED_NAME}-{}", self.0)
    }

    fn parse(name: &[u8]) -> Option<Self> {
        let id = name.strip_prefix(USED_NAME.as_bytes())?.strip_prefix(b"-")?;
        std::str::from_utf8(id).ok()?.parse().ok().map(Self)
    }
}

/// The hash of the authorization code, and the code to send from the chat. What is not exactly such a code is none.
fn parse_used(value: &[u8]) -> (&[u8], Option<ChatCode>) {
    let Some(point) = value.iter().position(|&byte| char::from(byte) == CHAT_CODE) else { return (value, None) };
    let text = std::str::from_utf8(&value[point + 1..]).unwrap_or_default();
    (&value[..point], ChatCode::find(text).pop().filter(|code| code.text() == text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding::{BrowserSecret, CookieName};

    const ATTEMPT: AttemptId = AttemptId::from_bytes([1; 16]);

    #[test]
    fn a_used_login_is_remembered_with_its_code_and_binds_nothing() {
        let used = UsedLogin::of(ATTEMPT);
        let set = used.set_cookie(&"a".repeat(43), None);
        assert!(set.ends_with("; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax"), "{set}");
        let header = format!("theme=dark; {}", set.split(';').next().unwrap());
        let found = |used: UsedLogin, code: Option<&str>| used.find([header.as_bytes()], code);
        let was_with = |code: Option<&str>| found(used, code).unwrap().with_this_code;
        assert!(was_with(Some(&"a".repeat(43))));
        assert!(!was_with(Some(&"b".repeat(43))) && !was_with(None));
        assert!(found(used, None).unwrap().chat_code.is_none());
        assert!(found(UsedLogin::of(AttemptId::from_bytes([2; 16])), Some(&"a".repeat(43))).is_none());
        for name in [CookieName::of(ATTEMPT), CookieName::VERSION_1] {
            assert!(BrowserSecret::find([header.as_bytes()], name).is_none(), "{name}");
        }
        assert!(CookieName::surplus([header.as_bytes()]).is_empty());
    }

    /// The cookie of a used login, as the browser sends it back.
    fn used_cookie(attempt: u8, value: &str) -> String {
        format!("{USED_NAME}-{}={value}", AttemptId::from_bytes([attempt; 16]))
    }

    fn newest(header: &str) -> Option<(AttemptId, String)> {
        UsedLogin::newest([header.as_bytes()]).map(|(attempt, code)| (attempt, code.text().to_owned()))
    }

    #[test]
    fn a_used_login_keeps_the_code_to_send_from_the_chat() {
        let code = BrowserSecret::from_random(&[5; 32]).chat_code(ATTEMPT);
        let set = UsedLogin::of(ATTEMPT).set_cookie("hash", Some(&code));
        let header = set.split(';').next().unwrap();
        assert_eq!(header, used_cookie(1, &format!("hash.{}", code.text())));
        let used = UsedLogin::of(ATTEMPT).find([header.as_bytes()], Some("hash")).unwrap();
        assert!(used.with_this_code);
        assert_eq!(used.chat_code.unwrap().text(), code.text());
        assert_eq!(newest(header), Some((ATTEMPT, code.text().to_owned())));
    }

    #[test]
    fn the_newest_used_login_with_a_code_is_the_last() {
        let cookies = [used_cookie(1, "h.CDFH2345"), used_cookie(2, "h.K7PW4MXR"), used_cookie(3, "h")];
        let expected = Some((AttemptId::from_bytes([2; 16]), "K7PW4MXR".to_owned()));
        assert_eq!(newest(&cookies.join("; ")), expected);
        assert_eq!(newest(&cookies[2..].join("; ")), None);
    }

    #[test]
    fn what_is_not_exactly_a_code_in_the_cookie_of_a_used_login_is_none() {
        for text in [
            "",
            "k7pw4mxr",
            "K7PW-4MXR",
            " K7PW4MXR",
            "K7PW4MXR.",
            "K7PW4MX",
            "CDFH2345K7PW4MXR",
            "<b>",
            "K7PW4MXR,CDFH2345",
        ] {
            let header = used_cookie(1, &format!("h.{text}"));
            let used = UsedLogin::of(ATTEMPT).find([header.as_bytes()], Some("h")).unwrap();
            assert!(used.with_this_code && used.chat_code.is_none(), "{text}");
            assert_eq!(newest(&header), None, "{text}");
        }
        let bytes = [used_cookie(1, "h.").as_bytes(), b"\xff7PW4MXR"].concat();
        assert!(UsedLogin::newest([&bytes[..]]).is_none());
    }

    #[test]
    fn two_cookies_of_a_used_login_show_no_code() {
        let pair = [used_cookie(1, "h.K7PW4MXR"), used_cookie(1, "h.CDFH2345")].join("; ");
        assert_eq!(newest(&pair), None);
        let odd = [
            format!("\u{2000}{}", used_cookie(1, "h.K7PW4MXR")),
            used_cookie(1, "h.K7PW4MXR").replace("used-", "used-x"),
        ];
        assert_eq!(newest(&odd.join("; ")), None);
    }
}
