//! The step that is left where a login is confirmed in its chat: a code to send from there, and its page.
//!
//! The code travels from the browser that logged in to the chat, and WhatsApp vouches for who sends it. So the page says
//! which chat has to send it, and that nobody else is to have it.

use maud::{Markup, html};
use shared::{
    AttemptId, Language,
    page::{Frame, Mood, Page},
    proof::ChatCode,
    texts::{self, ConfirmMessage, ConfirmMinutes, ConfirmSendNamed, Text},
    wa_id::MaskedNumber,
};

use crate::{config::Proof, qr};

/// What the person has to send, from which chat, and until when.
#[derive(Debug)]
pub(crate) struct Confirmation {
    pub(crate) code: ChatCode,
    /// The chat that the login is for, where that is known and can be shown.
    pub(crate) number: Option<MaskedNumber>,
    pub(crate) proof: Proof,
}

impl Confirmation {
    /// The page, which begins with what happened.
    pub(crate) fn page(&self, frame: Frame<'_>, what_happened: &Text, attempt_id: AttemptId) -> Page {
        let code_text = self.code.shown();
        let address = self.proof.bot.chat_url_with(&ConfirmMessage { code: &*code_text }.text(frame.language));
        let body = html! {
            p { (frame.say(what_happened)) " " (self.what_to_do(frame)) }
            (code(&self.code))
            a.button href=(address) { (frame.say(&texts::CONFIRM_OPEN)) }
            @if let Some(svg) = qr::svg(&address, texts::CONFIRM_QR.text(frame.language)) {
                figure.qr {
                    (svg)
                    figcaption { (frame.say(&texts::CONFIRM_SCAN)) }
                }
            }
            small {
                (self.how_long(frame.language)) " " (frame.say(&texts::CONFIRM_SECRET)) " " (frame.say(&texts::CONFIRM_CLOSE))
            }
        };
        frame.following_page(Mood::Neutral, &texts::CONFIRM_TITLE, &body, attempt_id)
    }

    fn what_to_do(&self, frame: Frame<'_>) -> Markup {
        match &self.number {
            Some(number) => ConfirmSendNamed { number: frame.masked_number(number) }.markup(frame.language),
            None => frame.say(&texts::CONFIRM_SEND),
        }
    }

    fn how_long(&self, language: Language) -> String {
        match self.proof.minutes.get() {
            1 => texts::CONFIRM_ONE_MINUTE.text(language).to_owned(),
            minutes => ConfirmMinutes { minutes: &*minutes.to_string() }.text(language),
        }
    }
}

/// The code in large type. A selection of it is the code alone, and a screen reader spells it.
fn code(code: &ChatCode) -> Markup {
    let shown = code.shown();
    let spelled: Vec<_> = shown.split('-').map(|group| group.split("").collect::<Vec<_>>().join(" ")).collect();
    html! {
        p.code translate="no" dir="ltr" {
            span aria-hidden="true" { (shown) }
            span.spoken { (spelled.join(",").trim()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::english;

    fn page_of(wa_id: Option<&str>, minutes: u16) -> String {
        let code = ChatCode::find("K7PW-4MXR").remove(0);
        let number = wa_id.and_then(|wa_id| wa_id.parse::<shared::WaId>().unwrap().masked_number());
        let proof = Proof { minutes: minutes.try_into().unwrap(), bot: "+14155238886".parse().unwrap() };
        Confirmation { code, number, proof }
            .page(english(None), &texts::CONFIRM_ALLOWED, AttemptId::from_bytes([7; 16]))
            .html
    }

    #[test]
    fn the_one_button_opens_the_chat_with_the_code_typed_in() {
        let text = page_of(None, 10);
        let href = r#"href="https://wa.me/14155238886?text=Confirmation%20code%3A%20K7PW-4MXR""#;
        assert_eq!((text.matches(href).count(), text.matches("<a ").count()), (1, 1), "{text}");
    }

    #[test]
    fn the_code_is_shown_in_groups_and_spelled() {
        let text = page_of(None, 10);
        assert!(text.contains(r#"<span aria-hidden="true">K7PW-4MXR</span>"#), "{text}");
        assert!(text.contains(r#"<span class="spoken">K 7 P W , 4 M X R</span>"#), "{text}");
    }

    #[test]
    fn the_page_names_the_chat_that_has_to_send_the_code() {
        let text = page_of(Some("whatsapp:+5511987654567"), 10);
        assert!(text.contains("+55 •• ••••• 4567") && !text.contains("98765"), "{text}");
        for unnamed in [None, Some("whatsapp:US.ABC123XYZ")] {
            let text = page_of(unnamed, 10);
            assert!(text.contains("the chat that asked for the link") && !text.contains("XYZ"), "{text}");
        }
    }

    #[test]
    fn the_page_says_how_long_the_code_works_and_that_it_is_nobody_elses() {
        let text = page_of(None, 10);
        assert!(text.contains("works for 10 minutes") && text.contains("Give it to nobody else"), "{text}");
        assert!(page_of(None, 1).contains("works for 1 minute after"));
    }

    #[test]
    fn a_qr_code_of_the_same_address_is_for_computers() {
        let text = page_of(None, 10);
        assert!(text.contains(r#"<figure class="qr"><svg role="img" aria-label="#), "{text}");
        assert!(text.contains("@media(hover:hover) and (pointer:fine){.qr{display:block}}"), "{text}");
    }

    #[test]
    fn what_is_typed_in_is_the_same_in_every_language_since_bots_know_it() {
        for language in Language::ALL {
            assert_eq!(ConfirmMessage { code: "K7PW-4MXR" }.text(language), "Confirmation code: K7PW-4MXR");
        }
    }
}
