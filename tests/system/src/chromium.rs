//! Chromium, driven by `ChromeDriver`.

use std::{
    net::TcpListener,
    panic::{AssertUnwindSafe, resume_unwind},
    process::{Child, Command, Stdio},
};

use fantoccini::{
    Client, ClientBuilder,
    actions::{InputSource as _, MOUSE_BUTTON_LEFT, MouseActions, PointerAction},
    wd::WebDriverCompatibleCommand,
};
use futures::FutureExt as _;
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

use crate::wait_until;

const ARGUMENTS: [&str; 9] = [
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

/// `ChromeDriver`, ended with the test.
struct Driver {
    process: Child,
    url: String,
}

/// A command of Chromium's `DevTools` protocol.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

/// Drives a new Chromium, and closes it even after a panic, because it would outlive its driver.
pub async fn in_chromium(walk: impl AsyncFnOnce(&Client)) {
    let driver = Driver::start();
    let browser = driver.browser().await;
    let walked = AssertUnwindSafe(walk(&browser)).catch_unwind().await;
    browser.close().await.expect("Chromium");
    if let Err(panic) = walked {
        resume_unwind(panic);
    }
}

/// A press of the mouse's left button at this place of the window, as the browser takes it from a person's hand.
pub async fn click_at(browser: &Client, (x, y): (f64, f64)) {
    let press = MouseActions::new("mouse".to_owned())
        .then(PointerAction::MoveTo { duration: None, x, y })
        .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
        .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
    browser.perform_actions(press).await.expect("a press");
}

/// Sets how fast the time of the pages' animations goes, on pages to come too; at 0 it stands still.
pub async fn set_animation_rate(browser: &Client, rate: u8) {
    for (command, parameters) in
        [("Animation.enable", json!({})), ("Animation.setPlaybackRate", json!({"playbackRate": rate}))]
    {
        browser.issue_cmd(DevTools { command, parameters }).await.expect("a command of DevTools");
    }
}

/// Whether pages may run scripts, those to come included.
pub async fn set_scripts(browser: &Client, are_allowed: bool) {
    let (command, parameters) = ("Emulation.setScriptExecutionDisabled", json!({"value": !are_allowed}));
    browser.issue_cmd(DevTools { command, parameters }).await.expect("a command of DevTools");
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
        let capabilities = json!({"goog:chromeOptions": {"args": ARGUMENTS}});
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

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base_url: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        let Self { command, parameters } = self;
        (Method::POST, Some(json!({"cmd": command, "params": parameters}).to_string()))
    }
}
