//! Each party of the sandbox, driven over real HTTP: what it accepts, and every way in which it refuses.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bot;
mod chat;
mod control;
mod meta;
mod salesforce;
mod twilio;

use reqwest::{Client, redirect::Policy};
use sandbox::{Config, Sandbox};
use serde_json::Value;

/// A running sandbox and a browser-like client that follows no redirects by itself.
struct Stage {
    sandbox: Sandbox,
    config: Config,
    client: Client,
}

impl Stage {
    async fn new() -> Self {
        // It fails only if a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = Config::default();
        let sandbox = Sandbox::start(config.clone()).await.unwrap();
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { sandbox, config, client }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url)
    }

    /// A call of the control interface, which must succeed.
    async fn control(&self, path: &str, body: &Value) -> Value {
        let response = self.client.post(self.url(path)).json(body).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn fault(&self, endpoint: &str, action: Value) {
        self.control("/control/faults", &serde_json::json!({"endpoint": endpoint, "action": action})).await;
    }

    async fn journal(&self, endpoint: &str) -> Value {
        let url = self.url(&format!("/control/journal?endpoint={endpoint}"));
        let journal: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        journal[endpoint].clone()
    }
}

async fn json(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}
