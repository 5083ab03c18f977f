//! A person's browser, made of HTTP calls.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use reqwest::{Client, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::Cloud;

/// A browser, reduced to what this flow needs. A clone is another tab.
#[derive(Clone)]
pub struct Browser<'a> {
    cloud: &'a Cloud,
    client: Client,
    cookies: Vec<String>,
    username: String,
}

impl<'a> Browser<'a> {
    /// A new browser with a new user: Salesforce revokes a user's oldest tokens at the sixth
    /// approval, so tests that shared one would get into each other's way.
    pub fn new(cloud: &'a Cloud) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let username = format!("visitor-{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed));
        Self { cloud, client: cloud.client(), cookies: Vec::new(), username }
    }

    /// The same browser, used by somebody else.
    pub fn used_by(self, username: &str) -> Self {
        Self { username: username.to_owned(), ..self }
    }

    /// Who uses it: the name that they log in with.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The `Cookie` header that it sends; empty before the first press. It keeps the cookies of all its logins.
    pub fn cookies(&self) -> String {
        self.cookies.join("; ")
    }

    /// The same browser with this cookie, `name=value`.
    pub fn with_cookie(self, cookie: String) -> Self {
        Self { cookies: vec![cookie], ..self }
    }

    /// Visits an address with the browser's cookies, which stay as they are whatever the answer says: so tabs come back that
    /// were sent off at the same time. [`Self::follow`] keeps what the answer sets.
    pub async fn visit(&self, method: Method, url: &str) -> Response {
        self.visit_as(method, url, "text/html").await
    }

    /// Visits an address and asks for a content type.
    pub async fn visit_as(&self, method: Method, url: &str, accept: &str) -> Response {
        let mut request = self.client.request(method, url).header(header::ACCEPT, accept);
        if !self.cookies.is_empty() {
            request = request.header(header::COOKIE, self.cookies());
        }
        request.send().await.expect("an answer")
    }

    /// Visits an address, and adds and removes cookies as the answer says.
    pub async fn follow(&mut self, url: &str) -> Response {
        let response = self.visit(Method::GET, url).await;
        self.keep_cookies(&response);
        response
    }

    /// Presses the button on the link's page; the URL that it redirects to.
    pub async fn press(&mut self, link: &str) -> String {
        let response = self.visit(Method::POST, link).await;
        self.redirected(&response)
    }

    /// The same for somebody who presses again where the server has no time.
    pub async fn press_until_answered(&mut self, link: &str) -> String {
        for _ in 0..20 {
            let response = self.visit(Method::POST, link).await;
            if !response.status().is_server_error() {
                return self.redirected(&response);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the link cannot be reached");
    }

    /// Where the answer to a press leads.
    fn redirected(&mut self, response: &Response) -> String {
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let set_cookie = response.headers()[header::SET_COOKIE].to_str().expect("a cookie");
        for attribute in ["__Host-connect-", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
            assert!(set_cookie.contains(attribute), "the cookie has no {attribute}");
        }
        self.keep_cookies(response);
        response.headers()[header::LOCATION].to_str().expect("an address").to_owned()
    }

    /// Replaces, adds and removes cookies as the answer says (RFC 6265 §5.3).
    fn keep_cookies(&mut self, response: &Response) {
        for set_cookie in response.headers().get_all(header::SET_COOKIE) {
            let mut parts = set_cookie.to_str().expect("a cookie").split("; ");
            let cookie = parts.next().unwrap_or_default();
            let (name, _) = cookie.split_once('=').expect("a cookie");
            self.cookies.retain(|kept| kept.split_once('=').is_none_or(|(kept, _)| kept != name));
            if !parts.any(|attribute| attribute == "Max-Age=0") {
                self.cookies.push(cookie.to_owned());
            }
        }
    }

    /// Logs in at Salesforce and allows or denies; the URL that Salesforce redirects to.
    pub async fn log_in(&self, authorize_url: &str, allow: bool) -> String {
        self.order_login(&json!({"authorize_url": authorize_url, "username": self.username, "allow": allow})).await
    }

    /// A login of the sandbox's, as ordered; the URL that Salesforce redirects to.
    pub async fn order_login(&self, order: &Value) -> String {
        let request = self.client.post(format!("{}/control/login", self.cloud.sandbox_url)).json(order);
        let answer: Value = request.send().await.expect("the sandbox").json().await.expect("an answer");
        answer["location"]
            .as_str()
            .unwrap_or_else(|| panic!("Salesforce sent the browser nowhere: {answer}"))
            .to_owned()
    }

    /// Approves as a bot of the older system asks for it, with a plain state and no PKCE; the code that Salesforce
    /// sends back to the stack.
    pub async fn approve_plainly(&self, stack: &str, chat: &str) -> String {
        let mut login = url::Url::parse(&self.cloud.sandbox_url.replace("127.0.0.1", "localhost")).expect("an address");
        login.set_path("/services/oauth2/authorize");
        login.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.cloud.client_id),
            ("redirect_uri", self.cloud.stack(stack).output("CallbackUrl")),
            ("scope", "api refresh_token"),
            ("state", &format!("wa:{chat}")),
        ]);
        parameter(&self.log_in(login.as_str(), true).await, "code")
    }

    /// From a link to the callback's URL, which is not visited yet.
    pub async fn approve(&mut self, link: &str) -> String {
        let authorize_url = self.press(link).await;
        self.log_in(&authorize_url, true).await
    }
}

/// A parameter of an address, decoded.
pub fn parameter(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).expect("an address");
    let value = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    value.unwrap_or_else(|| panic!("the address has no {name}"))
}
