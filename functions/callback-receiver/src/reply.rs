//! What the browser, or a program, is told. Nothing of the request is in it.

use maud::html;
use serde_json::{Value, json};
use shared::{
    AttemptId,
    page::{Frame, Mood, Page},
    texts::{self, CallbackWaitTextNamed},
    wa_id::MaskedNumber,
    web::{Content, Response},
};

use crate::{
    confirmation::Confirmation,
    refusal::{Explanation, Refusal},
};

/// For `Retry-After`, in seconds.
const RETRY_AFTER: u16 = 5;
const ACCESS_DENIED: &str = "access_denied";
const LOGIN_FAILED: &str = "login_failed";
const USED_LOGIN: &str = "used_login";

/// What is left to do for a person who has approved.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing: the chat, whose number this is where it can be shown, tells them how it went.
    Wait(Option<MaskedNumber>),
    /// They send a code from the chat.
    Confirm(Confirmation),
}

/// How a callback is answered.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The code is on the queue.
    Accepted(AttemptId, Step),
    /// The very callback that the browser finished with is loaded again, and nothing happens.
    Repeated(AttemptId, Step),
    /// The page of a callback is loaded again without its query. The browser says which login it is of, and nothing proves it.
    Reloaded(AttemptId, Step),
    /// The login was used before. Where this is another code the queue has it, and the chat hears of it; the first code may
    /// still have to be confirmed.
    Used(AttemptId, Option<Confirmation>),
    /// Salesforce says that access was denied, and the queue has it.
    Denied(AttemptId),
    /// Salesforce sent another error in place of a code, and the queue has it.
    Failed(AttemptId),
    /// It cannot be used. Where the state is genuine its attempt is known, and the queue has the reason.
    Refused(Refusal, Option<AttemptId>),
    /// It could not be verified or queued just now: the code is still valid, a reload works.
    Unavailable,
    /// The headers of the page (HEAD); the callback is not processed.
    Head,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal, None)
    }
}

impl Reply {
    /// The log's message.
    pub(crate) const fn message(&self) -> &'static str {
        match self {
            Self::Accepted(..) | Self::Denied(_) | Self::Failed(_) => "callback accepted",
            Self::Repeated(..) | Self::Reloaded(..) => "callback repeated",
            Self::Refused(..) | Self::Used(..) => "callback refused",
            Self::Unavailable => "callback failed, a reload works",
            Self::Head => "HEAD request answered",
        }
    }

    /// `result` in logs and metrics.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Accepted(..) => "accepted",
            Self::Repeated(..) | Self::Reloaded(..) => "repeated",
            Self::Used(..) => USED_LOGIN,
            Self::Denied(_) => ACCESS_DENIED,
            Self::Failed(_) => LOGIN_FAILED,
            Self::Refused(refusal, _) => refusal.label(),
            Self::Unavailable => "unavailable",
            Self::Head => "looked",
        }
    }

    /// The attempt that the callback belongs to, where that is certain.
    pub(crate) const fn attempt_id(&self) -> Option<AttemptId> {
        match self {
            Self::Accepted(id, _) | Self::Repeated(id, _) | Self::Used(id, _) | Self::Denied(id) | Self::Failed(id) => {
                Some(*id)
            }
            Self::Refused(_, id) => *id,
            Self::Reloaded(..) | Self::Unavailable | Self::Head => None,
        }
    }

    /// A page, or JSON where the request asks for it.
    pub(crate) fn to_response(&self, wants_json: bool, frame: Frame<'_>) -> Response {
        Response {
            status: self.status(),
            content: if wants_json { Content::Json(self.json().to_string()) } else { Content::Page(self.page(frame)) },
            retry_after: matches!(self, Self::Unavailable).then_some(RETRY_AFTER),
            cookies: Vec::new(),
        }
    }

    const fn status(&self) -> u16 {
        match self {
            Self::Accepted(..) | Self::Repeated(..) | Self::Reloaded(..) | Self::Head => 200,
            Self::Denied(_) | Self::Failed(_) | Self::Used(..) => 400,
            Self::Refused(refusal, _) => refusal.explain().status,
            Self::Unavailable => 503,
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Accepted(attempt_id, step) | Self::Repeated(attempt_id, step) | Self::Reloaded(attempt_id, step) => {
                match step {
                    Step::Wait(_) => json!({"status": "accepted", "attempt_id": attempt_id}),
                    Step::Confirm(confirmation) => json!({
                        "status": "unconfirmed",
                        "attempt_id": attempt_id,
                        "confirmation_code": confirmation.code.shown(),
                    }),
                }
            }
            Self::Used(..) => {
                json!({"error": USED_LOGIN, "error_description": "the login was used before"})
            }
            Self::Denied(_) => {
                json!({"error": ACCESS_DENIED, "error_description": "access was denied at Salesforce"})
            }
            Self::Failed(_) => {
                json!({"error": LOGIN_FAILED, "error_description": "Salesforce ended the login with an error"})
            }
            Self::Refused(refusal, _) => json!({"error": refusal.label(), "error_description": refusal.to_string()}),
            Self::Unavailable => json!({
                "error": "temporarily_unavailable",
                "error_description": "the callback could not be taken just now; repeat it as it is",
            }),
            Self::Head => Value::Null,
        }
    }

    fn page(&self, frame: Frame<'_>) -> Page {
        let (mood, title, text) = match self {
            Self::Accepted(id, step) | Self::Repeated(id, step) | Self::Reloaded(id, step) => {
                // The login may have failed since.
                let mood = if matches!(self, Self::Reloaded(..)) { Mood::Neutral } else { Mood::Good };
                return match step {
                    Step::Wait(number) => wait_page(frame, mood, number.as_ref(), *id),
                    Step::Confirm(confirmation) => confirmation.page(frame, &texts::CONFIRM_ALLOWED, *id),
                };
            }
            // Only its headers are sent.
            Self::Head => return wait_page(frame, Mood::Good, None, AttemptId::from_bytes([0; 16])),
            Self::Used(id, Some(confirmation)) => return confirmation.page(frame, &texts::CONFIRM_USED, *id),
            Self::Used(_, None) => (Mood::Neutral, &texts::CALLBACK_USED, &texts::CALLBACK_USED_TEXT),
            Self::Denied(_) | Self::Failed(_) => (Mood::Neutral, &texts::CALLBACK_ENDED, &texts::CALLBACK_ENDED_TEXT),
            Self::Refused(refusal, _) => {
                let Explanation { mood, title, text, .. } = refusal.explain();
                (mood, title, text)
            }
            Self::Unavailable => {
                let text = html! { p { (frame.say(&texts::CALLBACK_UNAVAILABLE_TEXT)) } };
                return frame.retry_page(&texts::CALLBACK_UNAVAILABLE, &text);
            }
        };
        frame.page(mood, title, &html! { p { (frame.say(text)) } (frame.back_to_whatsapp()) })
    }
}

/// Where there is nothing left to do. The page names the chat.
fn wait_page(frame: Frame<'_>, mood: Mood, number: Option<&MaskedNumber>, attempt_id: AttemptId) -> Page {
    let body = html! {
        p {
            @match number {
                Some(number) => {
                    (CallbackWaitTextNamed { number: frame.masked_number(number) }.markup(frame.language))
                },
                None => (frame.say(&texts::CALLBACK_WAIT_TEXT)),
            }
        }
        (frame.back_to_whatsapp())
    };
    frame.following_page(mood, &texts::CALLBACK_WAIT, &body, attempt_id)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use shared::{
        Language,
        page::{BotPhoneNumber, Brand},
    };

    use super::*;

    /// The frame of pages that name nobody.
    pub(crate) fn english(bot: Option<&BotPhoneNumber>) -> Frame<'_> {
        static BRAND: LazyLock<Brand> = LazyLock::new(Brand::default);
        Frame { brand: &BRAND, language: Language::English, bot }
    }

    const REFUSALS: [Refusal; 7] = [
        Refusal::MissingCode,
        Refusal::MissingState,
        Refusal::DuplicateParameter,
        Refusal::InvalidState,
        Refusal::ExpiredState,
        Refusal::WrongBrowser,
        Refusal::TooLong,
    ];

    fn attempt() -> AttemptId {
        AttemptId::from_bytes([7; 16])
    }

    fn json(reply: &Reply) -> (u16, Value) {
        let Response { status, content: Content::Json(text), .. } = reply.to_response(true, english(None)) else {
            panic!("no JSON");
        };
        (status, serde_json::from_str(&text).unwrap())
    }

    fn page(reply: &Reply) -> (Response, String) {
        let bot = "+14155238886".parse().unwrap();
        let mut response = reply.to_response(false, english(Some(&bot)));
        let Content::Page(page) = &mut response.content else { panic!("no page") };
        let page = std::mem::take(&mut page.html);
        (response, page)
    }

    #[test]
    fn programs_get_the_documented_json() {
        let id = attempt().to_string();
        assert_eq!(
            json(&Reply::Accepted(attempt(), Step::Wait(None))),
            (200, json!({"status": "accepted", "attempt_id": id}))
        );
        let (status, body) = json(&Reply::Denied(attempt()));
        assert_eq!((status, &body["error"]), (400, &json!("access_denied")));
    }

    #[test]
    fn programs_are_told_why_a_callback_is_refused() {
        for refusal in REFUSALS {
            let (status, body) = json(&refusal.into());
            assert_eq!(status, 400);
            assert_eq!(body["error"], refusal.label());
            assert_eq!(body["error_description"], refusal.to_string());
        }
    }

    #[test]
    fn a_person_gets_a_page_with_the_way_back() {
        let (response, page) = page(&Reply::Accepted(attempt(), Step::Wait(None)));
        assert_eq!(response.status, 200);
        assert!(page.contains("Almost done: go back to WhatsApp"), "{page}");
        assert!(page.contains("https://wa.me/14155238886"), "{page}");
    }

    #[test]
    fn a_person_is_told_why_a_callback_is_refused() {
        for refusal in REFUSALS {
            let (response, page) = page(&refusal.into());
            assert_eq!(response.status, 400);
            let Explanation { title, text, .. } = refusal.explain();
            assert!(
                page.contains(title.text(Language::English)) && page.contains(text.text(Language::English)),
                "{page}"
            );
            assert!(page.contains("https://wa.me/14155238886"), "{page}");
        }
    }

    #[test]
    fn an_outage_asks_for_a_reload_and_keeps_the_query() {
        let (response, page) = page(&Reply::Unavailable);
        assert_eq!((response.status, response.retry_after), (503, Some(RETRY_AFTER)));
        assert!(page.contains("reload") && !page.contains("replaceState"), "{page}");
    }
}
