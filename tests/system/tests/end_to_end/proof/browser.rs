//! From the chat to the message in a real browser, where the chat has to confirm: an honest person, and a forwarded link in two
//! browser profiles. WhatsApp cannot be opened here, so the page's button is stopped, and the sandbox's chat is opened with the
//! text that the button has.

use std::time::Duration;

use fantoccini::{Client, Locator, elements::Element};
use system::{Cloud, chromium::in_chromium, new_chat, wait_until};
use url::Url;

/// The sandbox's chat page for two people, perhaps with a text typed in.
fn chat_page(cloud: &Cloud, chats: &[String; 2], text: Option<&str>) -> Url {
    let mut page = Url::parse(&cloud.sandbox_url).unwrap();
    page.set_path("/chat");
    page.query_pairs_mut().append_pair("wa_id", &chats[0]).append_pair("other_wa_id", &chats[1]);
    if let Some(text) = text {
        page.query_pairs_mut().append_pair("text", text);
    }
    page
}

async fn find(browser: &Client, css: &str) -> Element {
    browser.wait().at_most(Duration::from_secs(30)).for_element(Locator::Css(css)).await.unwrap()
}

/// Waits for an element with this text in it.
async fn shows(browser: &Client, css: &str, text: &str) -> String {
    wait_until(text, async || {
        for element in browser.find_all(Locator::Css(css)).await.ok()? {
            match element.text().await {
                Ok(found) if found.contains(text) => return Some(found),
                _ => {}
            }
        }
        None
    })
    .await
}

/// From the link in a chat to the page with the code, in the window that the link opens.
async fn log_in(browser: &Client, link: &str) {
    let chat_window = browser.window().await.unwrap();
    find(browser, link).await.click().await.unwrap();
    let page = wait_until("the connect page", async || {
        browser.windows().await.unwrap().into_iter().find(|window| *window != chat_window)
    })
    .await;
    browser.switch_to_window(page).await.unwrap();
    approve(browser).await;
}

/// From the page of a link to the page with the code.
async fn approve(browser: &Client) {
    let button = find(browser, "form button").await;
    // It takes no press in its first half second.
    wait_until("the button to take the press", async || button.click().await.ok()).await;
    find(browser, "#Login").await.click().await.unwrap();
    find(browser, "#oaapprove").await.click().await.unwrap();
    shows(browser, "h1", "One more step").await;
}

/// The code that the page shows.
async fn code(browser: &Client) -> String {
    find(browser, "p.code [aria-hidden]").await.text().await.unwrap()
}

/// Presses the page's button, which would open WhatsApp; the text that it has typed in there.
async fn press_the_button(browser: &Client) -> String {
    let buttons = browser.find_all(Locator::Css("main > a.button")).await.unwrap();
    assert_eq!(buttons.len(), 1, "there is one thing to do");
    let stop = "document.querySelector('main > a.button').addEventListener('click', press => {
                  press.preventDefault();
                  window.opens = press.currentTarget.href;
                })";
    browser.execute(stop, vec![]).await.unwrap();
    buttons[0].click().await.unwrap();
    let opens = browser.execute("return window.opens", vec![]).await.unwrap();
    let opens = Url::parse(opens.as_str().expect("an address")).unwrap();
    assert_eq!((opens.scheme(), opens.host_str()), ("https", Some("wa.me")));
    assert!(opens.path()[1..].bytes().all(|byte| byte.is_ascii_digit()), "{}", opens.path());
    system::parameter(opens.as_str(), "text")
}

/// Sends what is typed in on this phone.
async fn send(browser: &Client, message: &str, typed: &str) {
    let input = find(browser, message).await;
    wait_until("the text", async || (input.prop("value").await.unwrap().as_deref() == Some(typed)).then_some(())).await;
    find(browser, &format!("{message} + button")).await.click().await.unwrap();
}

#[tokio::test]
async fn a_person_connects_with_one_tap_more() {
    in_chromium(honest).await;
}

async fn honest(browser: &Client) {
    let cloud = Cloud::read();
    let chats = [new_chat(), new_chat()];
    cloud.introduce_to_proof_stack(&chats[0]).await;
    browser.goto(chat_page(&cloud, &chats, None).as_str()).await.unwrap();
    find(browser, "#connect-salesforce").await.click().await.unwrap();
    log_in(browser, "#conversation a.connect-link").await;

    let shown = code(browser).await;
    let text = find(browser, "main").await.text().await.unwrap();
    assert!(text.contains(&chats[0][chats[0].len() - 4..]) && !text.contains(&chats[0][10..]), "{text}");
    wait_until("an address without the login", async || {
        let address = browser.current_url().await.ok()?;
        let left: Vec<_> = address.query_pairs().map(|(name, _)| name.into_owned()).collect();
        (left == ["attempt", "language"]).then_some(())
    })
    .await;
    browser.refresh().await.unwrap();
    assert_eq!(code(browser).await, shown, "loaded again");

    let typed = press_the_button(browser).await;
    assert_eq!(typed, format!("Confirmation code: {shown}"));
    browser.goto(chat_page(&cloud, &chats, Some(&typed)).as_str()).await.unwrap();
    send(browser, "#message", &typed).await;
    let message = shows(browser, "#conversation .message", "Your Salesforce account is now connected!").await;
    assert!(
        message.contains("Not you? Reply disconnect") || message.contains("Not you? Reply *disconnect*"),
        "{message}"
    );
    shows(browser, "#events [data-type='connection.created']", "connection.created").await;
    assert_eq!(browser.find_all(Locator::Css("#conversation-2 .message")).await.unwrap().len(), 0);
    assert!(cloud.proof_row(&chats[0]).await.is_some());
}

/// The page with the code is left as it is, beside the chat.
#[tokio::test]
async fn the_page_with_the_code_turns_once_the_chat_has_sent_it() {
    in_chromium(beside_the_chat).await;
}

async fn beside_the_chat(browser: &Client) {
    let cloud = Cloud::read();
    let chats = [new_chat(), new_chat()];
    cloud.introduce_to_proof_stack(&chats[0]).await;
    browser.goto(chat_page(&cloud, &chats, None).as_str()).await.unwrap();
    let chat_window = browser.window().await.unwrap();
    find(browser, "#connect-salesforce").await.click().await.unwrap();
    log_in(browser, "#conversation a.connect-link").await;
    let page_window = browser.window().await.unwrap();
    let typed = press_the_button(browser).await;

    browser.switch_to_window(chat_window).await.unwrap();
    browser.goto(chat_page(&cloud, &chats, Some(&typed)).as_str()).await.unwrap();
    send(browser, "#message", &typed).await;
    shows(browser, "#conversation .message", "Your Salesforce account is now connected!").await;

    browser.switch_to_window(page_window).await.unwrap();
    shows(browser, "h1", "Connected").await;
    assert!(!find(browser, "p.code").await.is_displayed().await.unwrap(), "the code has served");
    let text = find(browser, "main").await.text().await.unwrap();
    assert!(text.contains(&chats[0][chats[0].len() - 4..]) && !text.contains("One more step"), "{text}");

    browser.refresh().await.unwrap();
    shows(browser, "h1", "Connected").await;
    assert!(!find(browser, "p.code").await.is_displayed().await.unwrap(), "loaded again, it is still served");
}

/// A phone loads a page again that was out of sight, such as when the person comes back from WhatsApp.
#[tokio::test]
async fn of_two_logins_in_one_browser_each_page_keeps_the_code_of_its_own() {
    in_chromium(two_logins).await;
}

async fn two_logins(browser: &Client) {
    let cloud = Cloud::read();
    let chats = [new_chat(), new_chat()];
    cloud.introduce_to_proof_stack(&chats[0]).await;
    browser.goto(chat_page(&cloud, &chats, None).as_str()).await.unwrap();
    find(browser, "#connect-salesforce").await.click().await.unwrap();
    let link = find(browser, "#conversation a.connect-link").await.attr("href").await.unwrap().unwrap();
    let mut pages = Vec::new();
    for _ in ["first", "second"] {
        browser.switch_to_window(browser.new_window(true).await.unwrap().handle).await.unwrap();
        browser.goto(&link).await.unwrap();
        approve(browser).await;
        pages.push((browser.window().await.unwrap(), code(browser).await));
    }
    assert_ne!(pages[0].1, pages[1].1);
    for (page, shown) in pages {
        browser.switch_to_window(page).await.unwrap();
        browser.refresh().await.unwrap();
        assert_eq!(code(browser).await, shown);
    }
}

#[tokio::test]
async fn a_forwarded_link_connects_nobody_in_two_browsers() {
    in_chromium(async |attacker: &Client| in_chromium(async |victim: &Client| forwarded(attacker, victim).await).await)
        .await;
}

async fn forwarded(attacker: &Client, victim: &Client) {
    let cloud = Cloud::read();
    let chats = [new_chat(), new_chat()];
    for chat in &chats {
        cloud.introduce_to_proof_stack(chat).await;
    }
    for browser in [attacker, victim] {
        browser.goto(chat_page(&cloud, &chats, None).as_str()).await.unwrap();
    }
    find(attacker, "#connect-salesforce").await.click().await.unwrap();
    find(attacker, "#conversation .connect-link + .forward").await.click().await.unwrap();

    log_in(victim, "#conversation-2 .forwarded a.connect-link").await;
    let typed = press_the_button(victim).await;
    victim.goto(chat_page(&cloud, &chats, Some(&typed)).as_str()).await.unwrap();
    send(victim, "#message-2", &typed).await;
    shows(victim, "#conversation-2 .message", "Nothing was connected").await;

    let heard = shows(attacker, "#conversation .message", "No Salesforce account was connected").await;
    assert!(!heard.contains("http"), "{heard}");
    shows(attacker, "#events [data-type='connection.failed']", "wrong_chat").await;
    for chat in &chats {
        assert_eq!(cloud.proof_row(chat).await, None);
    }
}
