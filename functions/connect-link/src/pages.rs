//! The pages behind a link.

use maud::{Markup, html};
use shared::{
    LoginUrl, LoginUrls,
    link::Link,
    page::{Frame, Mood, Page},
    texts::{self, LinkHost},
};

use crate::refusal::{Explanation, WayOn};

/// The field of the form that names the login host, where the page offers several.
pub(crate) const LOGIN_URL: &str = "login_url";

/// The login hosts that a link's page offers.
pub(crate) fn offered<'a>(link: &'a Link, allowed: &'a LoginUrls) -> Vec<&'a LoginUrl> {
    if link.asks_for_login_host { allowed.iter().collect() } else { vec![&link.login_url] }
}

/// The page that names the chat and asks for confirmation; where there are several login hosts, with a button for each. What a
/// chat shows of it is the same for every link of its language, since whoever it is sent to sees it.
pub(crate) fn confirm(frame: Frame<'_>, link: &Link, hosts: &[&LoginUrl]) -> Page {
    let name = |host: &LoginUrl| host.compact().trim_start_matches("http://").to_owned();
    frame.page_with_preview(
        Mood::Neutral,
        &texts::LINK_TITLE,
        &texts::LINK_PREVIEW,
        &html! {
            (chat(frame, link))
            @if let [host] = hosts {
                p { (LinkHost { host: html! { strong dir="ltr" { (name(host)) } } }.markup(frame.language)) }
            }
            p { (frame.say(&texts::LINK_OWN_CHAT)) }
            // The style lets it be pressed half a second after it shows, and after a pointer enters the page: the second
            // click of a double click that another site began does not reach it ("double clickjacking").
            @if let [_] = hosts {
                form method="post" {
                    button.button type="submit" { (frame.say(&texts::LINK_CONTINUE)) }
                }
            } @else {
                p { (frame.say(&texts::LINK_CHOOSE_HOST)) }
                form method="post" {
                    @for host in hosts {
                        button.button type="submit" dir="ltr" name=(LOGIN_URL) value=(host.as_str()) { (name(host)) }
                    }
                }
            }
            small { (frame.say(&texts::LINK_FOREIGN)) }
        },
    )
}

/// Which chat will be connected: what its owner knows it by. A business-scoped id is nobody's knowledge.
fn chat(frame: Frame<'_>, link: &Link) -> Markup {
    let number = link.wa_id.masked_number();
    html! {
        @if number.is_none() && link.display_name.is_none() {
            p { (frame.say(&texts::LINK_UNNAMED_CHAT)) }
        } @else {
            p { (frame.say(&texts::LINK_CHAT)) }
            div.chat {
                // A name in another direction than the page's changes nothing beside it.
                @if let Some(name) = &link.display_name { bdi { (name.as_str()) } }
                @if let Some(number) = &number { (frame.masked_number(number)) }
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
pub(crate) fn refusal(frame: Frame<'_>, explanation: &Explanation) -> Page {
    let way_on = match explanation.way_on {
        WayOn::Chat => frame.back_to_whatsapp(),
        WayOn::Reload(text) => html! { a.button href="" { (frame.say(text)) } },
    };
    frame.page(Mood::Bad, explanation.title, &html! { p { (frame.say(explanation.text)) } (way_on) })
}

#[cfg(test)]
mod tests {
    use std::{sync::LazyLock, time::Duration};

    use shared::{
        Language, LinkId, Timestamp,
        page::{BotPhoneNumber, Brand},
    };

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

    fn frame(bot: Option<&BotPhoneNumber>) -> Frame<'_> {
        static BRAND: LazyLock<Brand> = LazyLock::new(Brand::default);
        Frame { brand: &BRAND, language: Language::English, bot }
    }

    fn page_of(link: &Link) -> String {
        confirm(frame(None), link, &[&link.login_url]).html
    }

    #[test]
    fn a_page_that_asks_for_the_login_host_has_a_button_for_each() {
        let allowed = "https://login.salesforce.com,https://acme.my.site.com/portal".parse().unwrap();
        let link = Link { asks_for_login_host: true, ..link("https://login.salesforce.com") };
        let text = confirm(frame(None), &link, &offered(&link, &allowed)).html;
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
        let text = refusal(frame(Some(&bot)), &Refusal::Expired(None).explain()).html;
        assert!(text.contains("expired") && text.contains("https://wa.me/14155238886"), "{text}");
        let text = refusal(frame(None), &Refusal::CrossSite(None).explain()).html;
        assert!(text.contains(r#"<a class="button" href="">"#), "{text}");
    }
}
