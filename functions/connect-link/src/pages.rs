//! The pages behind a link.

use maud::{Markup, html};
use shared::{
    LoginUrl, LoginUrls,
    link::Link,
    page::{BotPhoneNumber, Brand, Mood, Page, back_to_whatsapp, masked_number, page, page_with_preview},
};

use crate::refusal::{Explanation, WayOn};

/// The field of the form that names the login host, where the page offers several.
pub(crate) const LOGIN_URL: &str = "login_url";

const TITLE: &str = "Connect Salesforce";

/// What a chat shows of a link: the same for every link, since whoever it is sent to sees it.
const PREVIEW: &str =
    "Connect your Salesforce account to your WhatsApp chat. The link is for the chat that asked for it.";

/// The login hosts that a link's page offers.
pub(crate) fn offered<'a>(link: &'a Link, allowed: &'a LoginUrls) -> Vec<&'a LoginUrl> {
    if link.asks_for_login_host { allowed.iter().collect() } else { vec![&link.login_url] }
}

/// The page that names the chat and asks for confirmation; where there are several login hosts, with a button for each.
pub(crate) fn confirm(brand: &Brand, link: &Link, hosts: &[&LoginUrl]) -> Page {
    let name = |host: &LoginUrl| host.compact().trim_start_matches("http://").to_owned();
    page_with_preview(
        brand,
        Mood::Neutral,
        TITLE,
        PREVIEW,
        &html! {
            (chat(link))
            @if let [host] = hosts {
                p { "You’ll log in at " strong { (name(host)) } "." }
            }
            p { strong { "Only go on if this is your own chat and you asked for this link there." } }
            // The style lets it be pressed half a second after it shows, and after a pointer enters the page: the second
            // click of a double click that another site began does not reach it ("double clickjacking").
            @if let [_] = hosts {
                form method="post" {
                    button.button type="submit" { "Continue to Salesforce" }
                }
            } @else {
                p { "Choose the address where you log in to Salesforce, and log in there:" }
                form method="post" {
                    @for host in hosts {
                        button.button type="submit" name=(LOGIN_URL) value=(host.as_str()) { (name(host)) }
                    }
                }
            }
            small { "Not your chat, or did someone else send you this link? Close this page: nothing is connected yet." }
        },
    )
}

/// Which chat will be connected: what its owner knows it by. A business-scoped id is nobody's knowledge.
fn chat(link: &Link) -> Markup {
    let number = link.wa_id.masked_number();
    html! {
        @if number.is_none() && link.display_name.is_none() {
            p { "Your Salesforce will be connected to " strong { "the WhatsApp chat that asked for this link" } "." }
        } @else {
            p { "Your Salesforce will be connected to this WhatsApp chat:" }
            div.chat {
                // A name in another direction than the page's changes nothing beside it.
                @if let Some(name) = &link.display_name { bdi { (name.as_str()) } }
                @if let Some(number) = &number { (masked_number(number)) }
            }
        }
    }
}

/// Where the form of [`confirm`] may lead: the sources of `form-action`.
///
/// Chromium applies `form-action` to every redirect that follows a form, and Salesforce redirects on: to the
/// org's own domain, to its identity provider, back to the callback. None of these is known here.
pub(crate) fn form_action(hosts: &[&LoginUrl]) -> String {
    let loopback = hosts.iter().map(|host| host.origin()).filter(|origin| origin.starts_with("http://"));
    ["'self'", "https:"].into_iter().chain(loopback).collect::<Vec<_>>().join(" ")
}

/// The page that says why a request is refused, and what to do.
pub(crate) fn refusal(brand: &Brand, explanation: &Explanation, bot: Option<&BotPhoneNumber>) -> Page {
    let way_on = match explanation.way_on {
        WayOn::Chat => back_to_whatsapp(bot),
        WayOn::Reload(text) => html! { a.button href="" { (text) } },
    };
    page(brand, Mood::Bad, explanation.title, &html! { p { (explanation.text) } (way_on) })
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

    fn page_of(link: &Link) -> String {
        confirm(&Brand::default(), link, &[&link.login_url]).html
    }

    #[test]
    fn a_page_that_asks_for_the_login_host_has_a_button_for_each() {
        let allowed = "https://login.salesforce.com,https://acme.my.site.com/portal".parse().unwrap();
        let link = Link { asks_for_login_host: true, ..link("https://login.salesforce.com") };
        let text = confirm(&Brand::default(), &link, &offered(&link, &allowed)).html;
        for (url, name) in [
            ("https://login.salesforce.com", "login.salesforce.com"),
            ("https://acme.my.site.com/portal", "acme.my.site.com/portal"),
        ] {
            assert!(text.contains(&format!(r#"name="login_url" value="{url}">{name}</button>"#)), "{text}");
        }
        assert!(!text.contains("Continue to Salesforce"), "{text}");
    }

    #[test]
    fn the_page_names_the_chat_and_the_host_and_no_more() {
        let text = page_of(&link("https://test.salesforce.com"));
        assert!(text.contains("+1 ••• ••• 4567") && text.contains("test.salesforce.com"), "{text}");
        assert!(text.contains("(United States, Canada or the Caribbean)"), "{text}");
        assert!(!text.contains("1555") && !text.contains("0303"), "{text}");
    }

    fn named(wa_id: &str, name: Option<&str>) -> String {
        let (wa_id, display_name) = (wa_id.parse().unwrap(), name.map(|name| name.parse().unwrap()));
        page_of(&Link { wa_id, display_name, ..link("https://test.salesforce.com") })
    }

    #[test]
    fn the_page_names_the_person_beside_the_number() {
        let text = named("whatsapp:+5511987654567", Some("Zoë <b> 🦀"));
        assert!(text.contains("<bdi>Zoë &lt;b&gt; 🦀</bdi>") && text.contains("+55 •• ••••• 4567"), "{text}");
    }

    #[test]
    fn a_business_scoped_id_is_not_on_the_page() {
        let text = named("whatsapp:US.ABC123XYZ", Some("Ada"));
        assert!(text.contains("<bdi>Ada</bdi>") && !text.contains("XYZ"), "{text}");
        let text = named("whatsapp:US.ABC123XYZ", None);
        assert!(text.contains("the WhatsApp chat that asked for this link") && !text.contains("XYZ"), "{text}");
    }

    #[test]
    fn the_preview_of_a_link_is_the_same_for_everybody() {
        let preview = |text: &str| text.split("<meta property").skip(1).map(str::to_owned).collect::<Vec<_>>();
        let named = named("whatsapp:+5511987654567", Some("Ada"));
        let tags = named.split("<link").next().unwrap();
        assert!(
            tags.contains(r#"og:title" content="Connect Salesforce""#) && tags.contains("og:description"),
            "{tags}"
        );
        assert!(!tags.contains("Ada") && !tags.contains("4567") && !tags.contains("0303"), "{tags}");
        let other = page_of(&link("https://login.salesforce.com"));
        assert_eq!(preview(tags), preview(other.split("<link").next().unwrap()));
    }

    #[test]
    fn the_form_posts_to_the_pages_own_address() {
        assert!(page_of(&link("https://test.salesforce.com")).contains(r#"<form method="post"><button"#));
    }

    #[test]
    fn the_form_may_lead_to_any_host_that_salesforce_redirects_to() {
        let form_action = |host: &str| form_action(&[&host.parse().unwrap()]);
        assert_eq!(form_action("https://login.salesforce.com"), "'self' https:");
        assert_eq!(form_action("http://localhost:4571"), "'self' https: http://localhost:4571");
        assert_eq!(form_action("http://localhost:4571/portal"), "'self' https: http://localhost:4571");
    }

    #[test]
    fn the_page_of_a_refusal_says_what_to_do() {
        let bot = "14155238886".parse().unwrap();
        let text = refusal(&Brand::default(), &Refusal::Expired(None).explain(), Some(&bot)).html;
        assert!(text.contains("expired") && text.contains("https://wa.me/14155238886"), "{text}");
        let text = refusal(&Brand::default(), &Refusal::CrossSite.explain(), None).html;
        assert!(text.contains(r#"<a class="button" href="">"#), "{text}");
    }
}
