//! The pages behind a link.

use maud::html;
use shared::{
    LoginUrl,
    link::Link,
    page::{BotPhoneNumber, Mood, back_to_whatsapp, page},
};

use crate::refusal::{Explanation, WayOn};

/// The page that names the chat and asks for confirmation.
pub(crate) fn confirm(link: &Link) -> String {
    page(
        Mood::Neutral,
        "Connect Salesforce",
        &html! {
            p { "Your Salesforce will be connected to this WhatsApp chat:" }
            div.chat { (link.wa_id.masked()) }
            p { "You’ll log in at " strong { (link.login_url.compact().trim_start_matches("http://")) } "." }
            p { strong { "Only go on if this is your own chat and you asked for this link there." } }
            // The style lets it be pressed half a second after it shows, and after a pointer enters the page: the second
            // click of a double click that another site began does not reach it ("double clickjacking").
            form method="post" {
                button.button type="submit" { "Continue to Salesforce" }
            }
            small { "Not your chat, or did someone else send you this link? Close this page: nothing is connected yet." }
        },
    )
}

/// Where the form of [`confirm`] may lead: the sources of `form-action`.
///
/// Chromium applies `form-action` to every redirect that follows a form, and Salesforce redirects on: to the
/// org's own domain, to its identity provider, back to the callback. None of these is known here.
pub(crate) fn form_action(login_url: &LoginUrl) -> String {
    match login_url.origin() {
        loopback if loopback.starts_with("http://") => format!("'self' https: {loopback}"),
        _ => "'self' https:".to_owned(),
    }
}

/// The page that says why a request is refused, and what to do.
pub(crate) fn refusal(explanation: &Explanation, bot: Option<&BotPhoneNumber>) -> String {
    let way_on = match explanation.way_on {
        WayOn::Chat => back_to_whatsapp(bot),
        WayOn::Reload(text) => html! { a.button href="" { (text) } },
    };
    page(Mood::Bad, explanation.title, &html! { p { (explanation.text) } (way_on) })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shared::{LinkId, Timestamp};

    use super::*;
    use crate::refusal::Refusal;

    fn link(login_url: &str) -> Link {
        Link::new(
            LinkId::from_bytes([3; 16]),
            "whatsapp:+15551234567".parse().unwrap(),
            login_url.parse().unwrap(),
            Timestamp::from_seconds(100),
            Duration::from_mins(15),
        )
    }

    #[test]
    fn the_page_names_the_chat_and_the_host_and_no_more() {
        let text = confirm(&link("https://test.salesforce.com"));
        assert!(text.contains("•••• 4567") && text.contains("test.salesforce.com"), "{text}");
        assert!(!text.contains("1555") && !text.contains("0303"), "{text}");
    }

    #[test]
    fn the_form_posts_to_the_pages_own_address() {
        assert!(confirm(&link("https://test.salesforce.com")).contains(r#"<form method="post"><button"#));
    }

    #[test]
    fn the_form_may_lead_to_any_host_that_salesforce_redirects_to() {
        assert_eq!(form_action(&"https://login.salesforce.com".parse().unwrap()), "'self' https:");
        assert_eq!(form_action(&"http://localhost:4571".parse().unwrap()), "'self' https: http://localhost:4571");
        assert_eq!(
            form_action(&"http://localhost:4571/portal".parse().unwrap()),
            "'self' https: http://localhost:4571"
        );
    }

    #[test]
    fn the_page_of_a_refusal_says_what_to_do() {
        let bot = "14155238886".parse().unwrap();
        let text = refusal(&Refusal::Expired(None).explain(), Some(&bot));
        assert!(text.contains("expired") && text.contains("https://wa.me/14155238886"), "{text}");
        let text = refusal(&Refusal::CrossSite.explain(), None);
        assert!(text.contains(r#"<a class="button" href="">"#), "{text}");
    }
}
