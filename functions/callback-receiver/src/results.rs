//! What a page says by itself once it is known how its login went on: which texts, for each result.

use maud::{Markup, html};
use shared::{
    Next,
    page::{Frame, LoginResult},
    texts::{self, ResultConnectedTextNamed, Text},
    wa_id::MaskedNumber,
};

/// The heading and the text of a result. `number` is that of the login's chat, where it can be shown.
pub(crate) fn result(
    frame: Frame<'_>,
    result: LoginResult,
    number: Option<&MaskedNumber>,
) -> (Option<&'static Text>, Markup) {
    let (title, text) = match result {
        LoginResult::Connected => return (Some(&texts::RESULT_CONNECTED), connected(frame, number)),
        LoginResult::Delayed => return (None, html! { p { (frame.say(&texts::RESULT_DELAYED)) } }),
        LoginResult::Failed(Some(Next::Relink)) => (&texts::RESULT_RELINK, &texts::RESULT_RELINK_TEXT),
        LoginResult::Failed(Some(Next::ContactAdmin)) => {
            (&texts::RESULT_CONTACT_ADMIN, &texts::RESULT_CONTACT_ADMIN_TEXT)
        }
        LoginResult::Failed(Some(Next::Wait)) => (&texts::RESULT_WAIT, &texts::RESULT_WAIT_TEXT),
        LoginResult::Failed(None) => (&texts::RESULT_FAILED, &texts::RESULT_FAILED_TEXT),
    };
    (Some(title), html! { p { (frame.say(text)) } (frame.back_to_whatsapp()) })
}

fn connected(frame: Frame<'_>, number: Option<&MaskedNumber>) -> Markup {
    html! {
        p {
            @match number {
                Some(number) => {
                    (ResultConnectedTextNamed { number: frame.masked_number(number) }.markup(frame.language))
                },
                None => (frame.say(&texts::RESULT_CONNECTED_TEXT)),
            }
        }
        (frame.back_to_whatsapp())
    }
}

#[cfg(test)]
mod tests {
    use shared::Language;

    use super::*;
    use crate::reply::tests::english;

    fn text(result: LoginResult) -> String {
        let number = "whatsapp:+5511987654567".parse::<shared::WaId>().unwrap().masked_number();
        let bot = "+14155238886".parse().unwrap();
        let (title, text) = super::result(english(Some(&bot)), result, number.as_ref());
        let title = title.map_or("", |title| title.text(Language::English));
        format!("{title}: {}", text.into_string())
    }

    #[test]
    fn a_result_says_which_chat_is_connected() {
        let text = text(LoginResult::Connected);
        assert!(text.starts_with("Connected: ") && text.contains("+55 •• ••••• 4567"), "{text}");
    }

    #[test]
    fn every_failure_says_so_and_leads_back_to_the_chat() {
        for next in [Some(Next::Relink), Some(Next::ContactAdmin), Some(Next::Wait), None] {
            let text = text(LoginResult::Failed(next));
            assert!(text.starts_with("Not connected") && text.contains("https://wa.me/14155238886"), "{text}");
        }
    }

    #[test]
    fn a_delay_has_no_heading_since_it_stands_beside_the_page() {
        assert!(text(LoginResult::Delayed).starts_with(": <p>"));
    }
}
