//! From the chat to the message in a real browser.

use std::time::Duration;

use fantoccini::{Client, Locator};
use serde_json::{Value, json};
use system::{
    Cloud,
    chromium::{click_at, in_chromium, set_animation_rate, set_scripts},
    consent::CONNECTED,
    faults::refusal,
    new_chat, wait_until,
};

#[tokio::test]
async fn a_person_connects_from_the_chat_page() {
    in_chromium(connect_from_the_chat_page).await;
}

async fn connect_from_the_chat_page(browser: &Client) {
    let cloud = Cloud::read();
    let chat = new_chat();
    let wait = || browser.wait().at_most(Duration::from_secs(30));

    let page = url::Url::parse_with_params(&cloud.sandbox_url, [("wa_id", &chat)]).unwrap();
    browser.goto(page.as_str()).await.unwrap();
    let chat_window = browser.window().await.unwrap();
    browser.find(Locator::Id("connect-salesforce")).await.unwrap().click().await.unwrap();
    let link = wait().for_element(Locator::Css("a.connect-link")).await.unwrap();
    link.click().await.unwrap();

    // The link opens beside the chat, as on a phone.
    let page_window = wait_until("the connect page", async || {
        browser.windows().await.unwrap().into_iter().find(|window| *window != chat_window)
    })
    .await;
    browser.switch_to_window(page_window).await.unwrap();
    let button = wait().for_element(Locator::Css("form button")).await.unwrap();
    let text = browser.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
    assert!(text.contains(&chat[chat.len() - 4..]) && !text.contains(&chat[10..]), "{text}");
    // It takes no press in its first half second.
    wait_until("the button to take the press", async || button.click().await.ok()).await;

    // The sandbox's Salesforce has filled in a user.
    wait().for_element(Locator::Id("Login")).await.unwrap().click().await.unwrap();
    wait().for_element(Locator::Id("oaapprove")).await.unwrap().click().await.unwrap();

    // Nobody touches the page, and it says how it went.
    let text = says(browser, "Connected").await;
    assert!(text.contains(&chat[chat.len() - 4..]) && !text.contains("Almost done"), "{text}");
    assert_eq!(browser.title().await.unwrap(), "Connected");
    let address = browser.current_url().await.unwrap();
    let left: Vec<_> = address.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(left, ["attempt", "language"], "the code stayed in the address bar");

    browser.switch_to_window(chat_window).await.unwrap();
    let message = wait()
        .for_element(Locator::XPath("//li[contains(., 'Your Salesforce account is now connected!')]"))
        .await
        .unwrap();
    // It fades in.
    wait_until("the message in sight", async || message.is_displayed().await.unwrap().then_some(())).await;
}

/// Waits until the page's heading in sight is this one; the text that is in sight then.
async fn says(browser: &Client, heading: &str) -> String {
    wait_until(heading, async || {
        for each in browser.find_all(Locator::Css("h1")).await.ok()? {
            if each.text().await.ok()? == heading {
                return browser.find(Locator::Css("main")).await.ok()?.text().await.ok();
            }
        }
        None
    })
    .await
}

/// The page after the login of a link, at which the person presses this button of Salesforce's.
async fn decide(browser: &Client, link: &str, decision: &str) {
    let wait = || browser.wait().at_most(Duration::from_secs(30));
    browser.goto(link).await.unwrap();
    let button = wait().for_element(Locator::Css("form button")).await.unwrap();
    wait_until("the button to take the press", async || button.click().await.ok()).await;
    wait().for_element(Locator::Id("Login")).await.unwrap().click().await.unwrap();
    wait().for_element(Locator::Id(decision)).await.unwrap().click().await.unwrap();
}

#[tokio::test]
async fn whoever_says_no_sees_why_nothing_is_connected() {
    in_chromium(async |browser: &Client| {
        let cloud = Cloud::read();
        decide(browser, &cloud.link(&new_chat()).await.url, "oadeny").await;
        let text = says(browser, "Not connected").await;
        assert!(text.contains("without sharing your account"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn whoever_salesforce_refuses_sees_who_can_help() {
    in_chromium(async |browser: &Client| {
        let (cloud, chat) = (Cloud::read(), new_chat());
        cloud.fault(&chat, "salesforce.token", 1, refusal("inactive_user", "user is inactive")).await;
        decide(browser, &cloud.link(&chat).await.url, "oaapprove").await;
        let text = says(browser, "Not connected").await;
        assert!(text.contains("Your Salesforce administrator can change that"), "{text}");
        assert!(!text.contains("Almost done"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn without_scripts_the_page_stays_as_it_came() {
    in_chromium(async |browser: &Client| {
        let (cloud, chat) = (Cloud::read(), new_chat());
        set_scripts(browser, false).await;
        decide(browser, &cloud.link(&chat).await.url, "oaapprove").await;
        says(browser, "Almost done: go back to WhatsApp").await;
        assert_eq!(cloud.outcome(&chat).await.messages(), [CONNECTED]);
        let text = says(browser, "Almost done: go back to WhatsApp").await;
        assert!(!text.contains("Not connected") && !text.contains("You can close this page"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_mistyped_link_leads_to_a_page() {
    in_chromium(async |browser: &Client| {
        let cloud = Cloud::read();
        let link = cloud.link(&new_chat()).await.url;
        browser.goto(&link.replace("/connect/", "/conect/")).await.unwrap();
        says(browser, "This link does not work").await;
    })
    .await;
}

/// Another site makes the person press twice, and with the first press their window shows the confirm page, its button
/// under the pointer ("double clickjacking").
#[tokio::test]
async fn the_second_press_of_a_double_click_that_another_site_began_presses_nothing() {
    in_chromium(double_click).await;
}

async fn double_click(browser: &Client) {
    let cloud = Cloud::read();
    let link = cloud.link(&new_chat()).await.url;
    browser.goto(&link).await.unwrap();
    let place = "const box = document.querySelector('form button').getBoundingClientRect();
                 return [box.x + box.width / 2, box.y + box.height / 2]";
    let place: (f64, f64) = serde_json::from_value(browser.execute(place, vec![]).await.unwrap()).unwrap();

    // The time in which the button takes no press does not pass, however slow this machine is.
    set_animation_rate(browser, 0).await;
    let trap = format!("<body style='height:100vh' onmousedown='location.href=\"{link}\"'>Press twice to go on");
    browser
        .goto(&format!(
            "data:text/html,{}",
            form_urlencoded::byte_serialize(trap.as_bytes()).collect::<String>().replace('+', "%20")
        ))
        .await
        .unwrap();
    click_at(browser, place).await;
    wait_until("the confirm page", async || (browser.current_url().await.ok()?.as_str() == link).then_some(())).await;
    let listen = "window.presses = [];
                  addEventListener('click', click => presses.push([click.isTrusted, click.target.tagName]), true)";
    browser.execute(listen, vec![]).await.unwrap();
    click_at(browser, place).await;
    click_at(browser, place).await;
    let presses = browser.execute("return presses", vec![]).await.unwrap();
    assert_eq!(presses, json!([[true, "FORM"], [true, "FORM"]]));
    assert_eq!(browser.current_url().await.unwrap().as_str(), link);

    set_animation_rate(browser, 1).await;
    let button = "const button = document.querySelector('form button');
                  const [x, y] = arguments;
                  return document.elementFromPoint(x, y) === button";
    wait_until("the button", async || {
        let at = vec![json!(place.0), json!(place.1)];
        (browser.execute(button, at).await.unwrap() == Value::Bool(true)).then_some(())
    })
    .await;
    click_at(browser, place).await;
    browser.wait().at_most(Duration::from_secs(30)).for_element(Locator::Id("Login")).await.unwrap();
}
