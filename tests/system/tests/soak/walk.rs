//! One person's way: what they do, by HTTP as browsers do it, and what others do to them.

mod life;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    bots::Bots,
    forge::{foreign_row, forge, revoke},
    plan::{Cookie, Edge, Fault, Person, Story},
};
use system::{
    Browser, Cloud, Link, attempt_of, new_chat, now_ms, parameter,
    reckoning::{self, Arrival, Brought, Bystander, Login, Planned, Span},
};

/// How long somebody waits to be connected before they do what they want to do next.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of it.
pub(crate) struct Walked {
    pub(crate) person: reckoning::Person,
    pub(crate) bystanders: Vec<Bystander>,
    /// Messages that nobody can process.
    pub(crate) unprocessable: Vec<String>,
}

/// A way that is being gone.
pub(crate) struct Walk<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) person: &'a Person,
    bots: &'a Bots<'a>,
    logins: Vec<Login>,
    revoked: Option<Span>,
    ends: Vec<Planned>,
    has_foreign_row: bool,
    bystanders: Vec<Bystander>,
    unprocessable: Vec<String>,
}

/// A login that has begun.
pub(crate) struct Begun<'a> {
    pub(crate) browser: Browser<'a>,
    authorize_url: String,
    place: usize,
}

/// A new user at Salesforce, whom no other browser of the soak has.
fn new_user() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1_000_000);
    format!("visitor-{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Everything that one person does.
pub(crate) async fn walk(bots: &Bots<'_>, person: &Person, place: usize, are_verifiers_not_made: bool) -> Walked {
    let mut walk = Walk {
        cloud: bots.cloud(),
        person,
        bots,
        logins: Vec::new(),
        revoked: None,
        ends: Vec::new(),
        has_foreign_row: false,
        bystanders: Vec::new(),
        unprocessable: Vec::new(),
    };
    if person.life.has_jwt {
        walk.cloud.token_policy(&person.chat, json!({"token_format": "jwt"})).await;
    }
    bots.meet(&person.chat);
    walk.go().await;
    walk.live().await;
    if person.unreadable {
        walk.put_unprocessable(json!({"v": 2, "nobody": person.chat})).await;
    }
    let Walk { logins, revoked, ends, has_foreign_row, bystanders, unprocessable, .. } = walk;
    // A number, not the chat, because a report may be stored.
    let name = format!("person {place} ({})", person.labels().join(", "));
    let person = reckoning::Person {
        chat: person.chat.clone(),
        name,
        labels: person.labels(),
        logins: logins.into_iter().filter(|login| !login.arrivals.is_empty()).collect(),
        revoked,
        ends,
        has_foreign_row,
        excuses: person.excuses(are_verifiers_not_made),
    };
    Walked { person, bystanders, unprocessable }
}

impl<'a> Walk<'a> {
    async fn go(&mut self) {
        let link = self.link().await;
        match &self.person.story {
            Story::Consents => drop(self.consents(&link).await),
            Story::Denies => {
                let login = self.begin(&link).await;
                let callback = login.browser.log_in(&login.authorize_url, false).await;
                self.inject_faults(&login, None).await;
                self.call_back(&login, &callback, Brought::Denial).await;
            }
            Story::OpensAgain { when_connected } => {
                let first = self.consents(&link).await;
                if *when_connected {
                    self.is_connected(&first).await;
                }
                self.consents(&link).await;
            }
            Story::IsOvertaken(_) => self.is_overtaken(&link).await,
            Story::HasTwoTabs => self.has_two_tabs(&link).await,
            Story::HasCodes { before, after } => self.has_codes(&link, *before, *after).await,
            Story::IsSentAnothersCode => self.is_sent_anothers_code(&link).await,
            Story::IsForwarded { cookie, follows } => self.is_forwarded(&link, *cookie, *follows).await,
            Story::SeesForgery { forgery, victim_is_connected } => {
                self.consents(&link).await;
                let victim = self.bystander(*victim_is_connected).await;
                let message = forge(self.cloud, *forgery, &victim).await;
                self.put_unprocessable(message).await;
            }
            Story::SeesPlainState => {
                self.consents(&link).await;
                self.sees_plain_state().await;
            }
            Story::HasForeignRow { row, between } => {
                if *between {
                    let first = self.consents(&link).await;
                    self.is_connected(&first).await;
                }
                self.has_foreign_row = foreign_row(self.cloud, &self.person.chat, *row).await;
                self.consents(&link).await;
            }
            Story::IsRevoked { by_old_link } => self.is_revoked(&link, *by_old_link).await,
        }
    }

    async fn link(&self) -> Link {
        link(self.cloud, &self.person.chat).await
    }

    /// The button is pressed, with a new user in a new browser.
    async fn begin(&mut self, link: &Link) -> Begun<'a> {
        self.begin_in(Browser::new(self.cloud).used_by(&new_user()), link).await
    }

    async fn begin_in(&mut self, mut browser: Browser<'a>, link: &Link) -> Begun<'a> {
        let linked_at = now_ms();
        let authorize_url = browser.press_until_answered(&link.url).await;
        let login = Login {
            attempt: attempt_of(&authorize_url),
            user: browser.username().to_owned(),
            linked_at,
            arrivals: Vec::new(),
        };
        self.logins.push(login);
        Begun { browser, authorize_url, place: self.logins.len() - 1 }
    }

    /// The person logs in and allows; the callback's URL. From here on their faults happen.
    async fn approve(&self, login: &Begun<'_>) -> String {
        let callback = login.browser.log_in(&login.authorize_url, true).await;
        self.inject_faults(login, Some(&parameter(&callback, "code"))).await;
        callback
    }

    async fn inject_faults(&self, login: &Begun<'_>, code: Option<&str>) {
        for fault in self.person.faults_of(login.place) {
            self.inject(fault, &self.logins[login.place].attempt, code).await;
        }
    }

    async fn inject(&self, fault: &Fault, attempt: &str, code: Option<&str>) {
        let (cloud, chat, times, action) = (self.cloud, &*self.person.chat, fault.times, fault.action.clone());
        match fault.edge {
            Edge::Party(endpoint) => cloud.fault(chat, endpoint, times, action).await,
            Edge::Attempt(operation) => cloud.aws_fault(operation, attempt, times, action).await,
            Edge::Chat(operation) => cloud.aws_fault(operation, chat, times, action).await,
            Edge::Code(operation) => {
                if let Some(code) = code {
                    cloud.aws_fault(operation, code, times, action).await;
                }
            }
            // It affects the next caller, because these calls do not name a person.
            Edge::Anybody(operation, text) => {
                cloud.aws_fault(operation, Some(text).filter(|text| !text.is_empty()), times, action).await;
            }
        }
    }

    /// A login from the press to the callback.
    async fn consents(&mut self, link: &Link) -> Begun<'a> {
        let login = self.begin(link).await;
        let callback = self.approve(&login).await;
        self.come_back(&login, &callback).await;
        login
    }

    /// The consent comes to the callback, perhaps in several tabs, and perhaps twice from the queue.
    async fn come_back(&mut self, login: &Begun<'_>, callback: &str) {
        let first = login.place == 0;
        let callbacks = if first { self.person.callbacks } else { 1 };
        let spans = join_all((0..callbacks).map(|_| reach(login, callback))).await;
        for span in spans {
            self.arrived(login, Brought::Consent, span);
        }
        if first && self.person.duplicate {
            self.put(login, callback, &parameter(callback, "code"), Brought::Consent).await;
        }
    }

    async fn call_back(&mut self, login: &Begun<'_>, callback: &str, brought: Brought) {
        let span = reach(login, callback).await;
        self.arrived(login, brought, span);
    }

    fn arrived(&mut self, login: &Begun<'_>, brought: Brought, span: Span) {
        self.logins[login.place].arrivals.push(Arrival { brought, span });
    }

    /// Puts a code on the queue with the state of this login.
    async fn put(&mut self, login: &Begun<'_>, callback: &str, code: &str, brought: Brought) {
        let received_at = now_ms();
        let message = json!({"v": 2, "state": parameter(callback, "state"), "received_at": received_at, "code": code});
        self.cloud.send(self.cloud.stack("main"), &message.to_string()).await;
        self.arrived(login, brought, Span { from: received_at, to: received_at });
    }

    async fn put_unprocessable(&mut self, message: Value) {
        let message = message.to_string();
        self.cloud.send(self.cloud.stack("main"), &message).await;
        self.unprocessable.push(message);
    }

    /// Waits until this login is connected, but not for ever; whether it is.
    async fn is_connected(&self, login: &Begun<'_>) -> bool {
        let (began, attempt) = (Instant::now(), &self.logins[login.place].attempt);
        let table = self.cloud.stack("main").output("TokenTableName");
        while began.elapsed() < PATIENCE {
            let row = self.cloud.item(table, "wa_id", &self.person.chat).await;
            if row.is_some_and(|row| row["attempt_id"]["S"] == **attempt) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        false
    }

    async fn is_overtaken(&mut self, link: &Link) {
        let first = self.begin(link).await;
        let callback = self.approve(&first).await;
        let second_link = self.link().await;
        let second = self.begin(&second_link).await;
        let later = self.approve(&second).await;
        // The first may take a while where its queue is slow. The pause makes the second the later one, nearly always; the
        // reckoning does not rely on it.
        let (first_span, second_span) = futures::join!(reach(&first, &callback), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            reach(&second, &later).await
        });
        self.arrived(&first, Brought::Consent, first_span);
        self.arrived(&second, Brought::Consent, second_span);
    }

    async fn has_two_tabs(&mut self, link: &Link) {
        let one = self.begin(link).await;
        let other = self.begin_in(one.browser.clone(), link).await;
        // Both tabs send the cookies of both.
        let one = Begun { browser: other.browser.clone(), ..one };
        let callbacks = [self.approve(&one).await, self.approve(&other).await];
        let spans = futures::join!(reach(&one, &callbacks[0]), reach(&other, &callbacks[1]));
        self.arrived(&one, Brought::Consent, spans.0);
        self.arrived(&other, Brought::Consent, spans.1);
    }

    async fn has_codes(&mut self, link: &Link, before: u32, after: u32) {
        let login = self.begin(link).await;
        let callback = self.approve(&login).await;
        for number in 0..before {
            self.call_back(&login, &with_code(&callback, number), Brought::OtherCode).await;
        }
        self.come_back(&login, &callback).await;
        for number in 0..after {
            self.call_back(&login, &with_code(&callback, number), Brought::OtherCode).await;
        }
    }

    async fn is_sent_anothers_code(&mut self, link: &Link) {
        let login = self.begin(link).await;
        let callback = self.approve(&login).await;
        let (_, theirs) = self.somebody_approves().await;
        self.put(&login, &callback, &parameter(&theirs, "code"), Brought::OtherCode).await;
        self.come_back(&login, &callback).await;
    }

    /// The login of a bystander's chat, up to its callback, which nobody visits.
    async fn somebody_approves(&mut self) -> (Browser<'a>, String) {
        let chat = self.bystander(false).await;
        approve(self.cloud, &chat).await
    }

    /// Somebody else approves what this login asks for, and their browser comes back.
    async fn is_forwarded(&mut self, link: &Link, cookie: Cookie, follows: bool) {
        let login = self.begin(link).await;
        let own_cookie = login.browser.cookies();
        let (victim, cookies) = match cookie {
            Cookie::None => (Browser::new(self.cloud), None),
            Cookie::OfAnother => {
                let (browser, _) = self.somebody_approves().await;
                let cookies = browser.cookies();
                (browser, Some(cookies))
            }
            Cookie::Planted => (Browser::new(self.cloud), Some(format!("\u{2000}{own_cookie}"))),
        };
        let victim = victim.used_by(&new_user());
        let callback = victim.log_in(&login.authorize_url, true).await;
        let own = self.approve(&login).await;
        let from = now_ms();
        let mut request = self.cloud.client().get(&callback);
        if let Some(cookies) = cookies {
            let cookies = header::HeaderValue::from_bytes(cookies.as_bytes()).expect("a header");
            request = request.header(header::COOKIE, cookies);
        }
        // What it is answered is for other tests; here it counts what becomes of it.
        request.send().await.expect("an answer");
        self.arrived(&login, Brought::Refusal, Span { from, to: now_ms() });
        if follows {
            self.come_back(&login, &own).await;
        }
    }

    async fn sees_plain_state(&mut self) {
        let victim = self.bystander(true).await;
        let browser = Browser::new(self.cloud).used_by(&new_user());
        let code = browser.approve_plainly("main", &victim).await;
        let mut callback = url::Url::parse(self.cloud.stack("main").output("CallbackUrl")).expect("an address");
        callback.query_pairs_mut().extend_pairs([("code", &*code), ("state", &format!("wa:{victim}"))]);
        browser.visit(Method::GET, callback.as_str()).await;
    }

    async fn is_revoked(&mut self, link: &Link, by_old_link: bool) {
        let first = self.consents(link).await;
        let old_link = self.link().await;
        if self.is_connected(&first).await {
            // A link's time is known to the second.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            self.revoked = revoke(self.cloud, &self.person.chat).await;
        }
        let link = if by_old_link { old_link } else { self.link().await };
        let place = self.logins.len();
        self.consents(&link).await;
        if by_old_link && let Some(revoked) = self.revoked {
            self.logins[place].linked_at = revoked.from;
        }
    }

    /// Somebody who does nothing, perhaps with a connection.
    async fn bystander(&mut self, is_connected: bool) -> String {
        let chat = new_chat();
        let row = is_connected.then(|| {
            // Sealed, and so young that no sweep has anything to do with it.
            json!({"wa_id": {"S": chat}, "access_token": {"S": "00Dtheirs!ACCESS"},
                "refresh_token": {"S": "sealed:v1:dGhlaXJz:dGhlaXJz:dGhlaXJz"},
                "instance_url": {"S": "https://theirs.example"}, "issued_at": {"N": now_ms().to_string()}})
        });
        if let Some(row) = &row {
            let table = self.cloud.stack("main").output("TokenTableName");
            self.cloud.aws("dynamodb", "DynamoDB_20120810.PutItem", json!({"TableName": table, "Item": row})).await;
        }
        self.bystanders.push(Bystander { chat: chat.clone(), row });
        chat
    }
}

/// A link; the bot asks again where the server has no time.
async fn link(cloud: &Cloud, chat: &str) -> Link {
    for _ in 0..20 {
        let answer = cloud.ask_for_link("main", json!({"wa_id": chat})).await;
        if answer.status() == StatusCode::OK {
            return answer.json().await.expect("a link");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("no link is to be had");
}

/// Somebody's login up to its callback, which is not visited.
pub(crate) async fn approve<'a>(cloud: &'a Cloud, chat: &str) -> (Browser<'a>, String) {
    let mut browser = Browser::new(cloud).used_by(&new_user());
    let authorize_url = browser.press_until_answered(&link(cloud, chat).await.url).await;
    let callback = browser.log_in(&authorize_url, true).await;
    (browser, callback)
}

/// A browser at the callback; the person reloads a page that says so. When the callback was received, at the earliest
/// and at the latest.
async fn reach(login: &Begun<'_>, callback: &str) -> Span {
    let from = now_ms();
    for _ in 0..20 {
        match login.browser.visit(Method::GET, callback).await.status() {
            // Also where the function has no time to say so.
            status if status.is_server_error() => tokio::time::sleep(Duration::from_millis(500)).await,
            // A denial is answered with a page as well.
            StatusCode::OK | StatusCode::BAD_REQUEST => return Span { from, to: now_ms() },
            other => panic!("the callback answered {other}"),
        }
    }
    panic!("the callback cannot be reached");
}

/// The callback's URL with a code that Salesforce never made.
fn with_code(callback: &str, number: u32) -> String {
    let mut url = url::Url::parse(callback).expect("an address");
    let state = parameter(callback, "state");
    url.query_pairs_mut().clear().extend_pairs([("code", &*format!("aPrxBogus{number}==")), ("state", &*state)]);
    url.into()
}
