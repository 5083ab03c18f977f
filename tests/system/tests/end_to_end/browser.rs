//! From the chat to the message in a real browser.

use std::{
    net::TcpListener,
    panic::{AssertUnwindSafe, resume_unwind},
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, Locator};
use futures::FutureExt as _;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use system::{Cloud, new_chat, wait_until};

/// `ChromeDriver`, ended with the test.
struct Driver {
    process: Child,
    url: String,
}

impl Driver {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let process = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver (Debian: apt-get install chromium chromium-driver)");
        Self { process, url: format!("http://127.0.0.1:{port}") }
    }

    async fn browser(&self) -> Client {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1100,900",
        ];
        let capabilities = json!({"goog:chromeOptions": {"args": arguments}});
        let capabilities = capabilities.as_object().expect("an object").clone();
        wait_until("chromedriver", async || {
            ClientBuilder::new(HttpConnector::new()).capabilities(capabilities.clone()).connect(&self.url).await.ok()
        })
        .await
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_person_connects_from_the_chat_page() {
    let driver = Driver::start();
    let browser = driver.browser().await;
    // The browser is closed even after a panic, because it would outlive its driver.
    let walk = AssertUnwindSafe(connect_from_the_chat_page(&browser)).catch_unwind().await;
    browser.close().await.unwrap();
    if let Err(panic) = walk {
        resume_unwind(panic);
    }
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

    wait().for_element(Locator::Css("main.good")).await.unwrap();
    let text = browser.find(Locator::Css("main")).await.unwrap().text().await.unwrap();
    assert!(text.contains("Almost done: go back to WhatsApp"), "{text}");
    let address = browser.current_url().await.unwrap();
    assert_eq!(address.query(), None, "the code stayed in the address bar");

    browser.switch_to_window(chat_window).await.unwrap();
    let message = wait()
        .for_element(Locator::XPath("//li[contains(., 'Your Salesforce account is now connected!')]"))
        .await
        .unwrap();
    // It fades in.
    wait_until("the message in sight", async || message.is_displayed().await.unwrap().then_some(())).await;
}
