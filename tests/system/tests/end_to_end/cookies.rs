//! Cookies that an attacker's host plants in the victim's browser, for the stack's host of the same domain.

use std::time::Duration;

use fantoccini::{Client, Locator};
use system::{
    Browser, Cloud,
    chromium::in_chromium,
    consent::CONNECTED,
    new_chat,
    siblings::{DOMAIN, Siblings},
    wait_until,
};

const WRONG_BROWSER: &str = "Please finish where you began";

/// A login that an attacker began over a link of their own chat, approved by the victim.
struct Trap {
    chat: String,
    /// The attacker's cookie, `name=value`.
    cookie: String,
    /// The address that Salesforce sends the victim's browser to.
    callback: String,
}

async fn trap(cloud: &Cloud) -> Trap {
    let chat = new_chat();
    let mut attacker = Browser::new(cloud);
    let authorize_url = attacker.press(&cloud.link(&chat).await.url).await;
    let callback = Browser::new(cloud).log_in(&authorize_url, true).await;
    Trap { chat, cookie: attacker.cookies(), callback }
}

/// The heading of the callback's page, behind the host name that the attacker has a sibling of.
async fn visits(browser: &Client, siblings: &Siblings, callback: &str) -> String {
    browser.goto(&siblings.of_stack(callback)).await.unwrap();
    // The page's first heading, which another may have taken the place of by now.
    let heading = browser.find(Locator::Css("h1")).await.unwrap().prop("textContent").await.unwrap();
    heading.expect("a heading")
}

/// The cookie for all hosts of the domain: a sibling host can set no other for the stack's.
fn of_domain(cookie: &[u8]) -> Vec<u8> {
    [cookie, format!("; Domain={DOMAIN}; Path=/; Secure").as_bytes()].concat()
}

#[tokio::test]
async fn a_cookie_that_a_sibling_host_plants_is_not_taken_for_the_browsers_own() {
    in_chromium(look_alikes).await;
}

async fn look_alikes(browser: &Client) {
    let cloud = Cloud::read();
    let siblings = Siblings::of(&cloud);
    // White space to some parsers and not to the browser, in UTF-8 and as single bytes; and plain other names.
    let before: [&[u8]; 7] = [
        "\u{2000}".as_bytes(),
        "\u{a0}".as_bytes(),
        "\u{85}".as_bytes(),
        "\u{3000}".as_bytes(),
        &[0xa0],
        &[0x85],
        b"x",
    ];
    let mut chats = Vec::new();
    for before in before {
        let Trap { chat, cookie, callback } = trap(&cloud).await;
        let planted = [before, cookie.as_bytes()].concat();
        browser.goto(&siblings.attackers_page(vec![of_domain(&planted)])).await.unwrap();
        let heading = visits(browser, &siblings, &callback).await;
        assert!(siblings.last_cookies().contains(&planted), "{before:x?} was not planted");
        assert_eq!(heading, WRONG_BROWSER, "{before:x?}");
        chats.push(chat);
    }
    for chat in &chats {
        let journal = cloud.outcome(chat).await;
        assert_eq!(journal.events()[0]["data"]["reason"], "wrong_browser");
        assert_eq!(journal.count("salesforce.token"), 0);
    }
}

/// The controls: the name itself is refused by the browser, and would be taken by the stack.
#[tokio::test]
async fn the_browser_keeps_a_sibling_host_from_planting_the_cookie_itself() {
    in_chromium(the_name_itself).await;
}

async fn the_name_itself(browser: &Client) {
    let cloud = Cloud::read();
    let siblings = Siblings::of(&cloud);
    let Trap { chat, cookie, callback } = trap(&cloud).await;
    let host_only = format!("{cookie}; Path=/; Secure").into_bytes();
    let refused = ["", " ", "\t", "="].map(|before| of_domain(format!("{before}{cookie}").as_bytes()));
    let without_prefix = cookie.replace("__Host-", "");
    let mut planted = refused.to_vec();
    planted.extend([host_only.clone(), of_domain(without_prefix.as_bytes())]);
    browser.goto(&siblings.attackers_page(planted)).await.unwrap();
    assert_eq!(visits(browser, &siblings, &callback).await, WRONG_BROWSER);
    assert_eq!(siblings.last_cookies(), [without_prefix.into_bytes()]);

    // Set by the stack's own host it is sent, and all else is as before.
    browser.goto(&siblings.own_page(vec![host_only])).await.unwrap();
    assert_eq!(visits(browser, &siblings, &callback).await, "Almost done: go back to WhatsApp");
    assert!(siblings.last_cookies().contains(&cookie.into_bytes()));
    assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
}

/// Among cookies that somebody planted, the browser's own is found.
#[tokio::test]
async fn planted_cookies_keep_nobody_from_connecting() {
    in_chromium(own_login).await;
}

async fn own_login(browser: &Client) {
    let cloud = Cloud::read();
    let (siblings, chat) = (Siblings::of(&cloud), new_chat());
    let Trap { cookie, .. } = trap(&cloud).await;
    let (name, _) = cookie.split_once('=').unwrap();
    let planted = ["\u{2000}", "\u{a0}", "x"].map(|before| of_domain(format!("{before}{name}=planted").as_bytes()));
    browser.goto(&siblings.attackers_page(planted.to_vec())).await.unwrap();

    browser.goto(&siblings.of_stack(&cloud.link(&chat).await.url)).await.unwrap();
    let button = browser.find(Locator::Css("form button")).await.unwrap();
    wait_until("the button to take the press", async || button.click().await.ok()).await;
    browser.wait().at_most(Duration::from_secs(30)).for_element(Locator::Id("Login")).await.unwrap();
    let authorize_url = browser.current_url().await.unwrap();
    let callback = Browser::new(&cloud).log_in(authorize_url.as_str(), true).await;
    assert_eq!(visits(browser, &siblings, &callback).await, "Almost done: go back to WhatsApp");
    assert_eq!(siblings.last_cookies().len(), planted.len() + 1);
    assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);

    // The secret has served; what is left says so, and the page is as before.
    assert_eq!(visits(browser, &siblings, &callback).await, "Almost done: go back to WhatsApp");
    let cookies = siblings.last_cookies();
    let are = |prefix: &str| cookies.iter().filter(|cookie| cookie.starts_with(prefix.as_bytes())).count();
    assert_eq!((cookies.len(), are("__Host-connect-"), are("__Host-used-")), (planted.len() + 1, 0, 1));
}
