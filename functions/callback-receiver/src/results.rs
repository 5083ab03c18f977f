//! What a page says by itself once it is known how its login went on: the texts for each result, in one place.

use maud::{Markup, html};
use shared::{
    Next,
    page::{self, BotPhoneNumber, LoginResult},
    wa_id::MaskedNumber,
};

/// The heading and the text of a result. `number` is that of the login's chat, where it can be shown.
pub(crate) fn result(
    result: LoginResult,
    number: Option<&MaskedNumber>,
    bot: Option<&BotPhoneNumber>,
) -> (Option<&'static str>, Markup) {
    let (title, text) = match result {
        LoginResult::Connected => return (Some("Connected"), connected(number, bot)),
        LoginResult::Delayed => {
            return (
                None,
                html! { p { "It takes longer than usual. You need not wait here: the chat tells you how it went." } },
            );
        }
        LoginResult::Failed(Some(Next::Relink)) => {
            ("Not connected", "This login connected nothing. The chat tells you why, and has a fresh link for you.")
        }
        LoginResult::Failed(Some(Next::ContactAdmin)) => (
            "Not connected",
            "Salesforce does not let your account in here. Your Salesforce administrator can change that; the chat tells you more.",
        ),
        LoginResult::Failed(Some(Next::Wait)) => (
            "Not connected yet",
            "It does not work just now. The chat tells you when to try again, with a link for that.",
        ),
        LoginResult::Failed(None) => {
            ("Not connected", "This login connected nothing. If it was yours, the chat tells you how it stands.")
        }
    };
    (Some(title), html! { p { (text) } (page::back_to_whatsapp(bot)) })
}

fn connected(number: Option<&MaskedNumber>, bot: Option<&BotPhoneNumber>) -> Markup {
    html! {
        p {
            "Your Salesforce is connected to "
            @match number {
                Some(number) => { "the chat " (page::masked_number(number)) },
                None => { "your chat" },
            }
            ". You can close this page."
        }
        (page::back_to_whatsapp(bot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(result: LoginResult) -> String {
        let number = "whatsapp:+5511987654567".parse::<shared::WaId>().unwrap().masked_number();
        let bot = "+14155238886".parse().unwrap();
        let (title, text) = super::result(result, number.as_ref(), Some(&bot));
        format!("{}: {}", title.unwrap_or_default(), text.into_string())
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
