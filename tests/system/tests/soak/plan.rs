//! What each person does and which faults they have, drawn from a seed.

mod life;

use fastrand::Rng;
use serde_json::{Value, json};

pub(crate) use self::life::{Ending, Life};
use system::{
    faults::{entry_refused, refusal, server_error, throttled},
    new_chat,
    reckoning::{Excuse, Excuses},
};

/// Somebody who connects.
pub(crate) struct Person {
    pub(crate) chat: String,
    pub(crate) story: Story,
    /// How many browser tabs call back at once.
    pub(crate) callbacks: u32,
    /// The queue delivers the first login's message twice.
    pub(crate) duplicate: bool,
    /// An unreadable message is sent beside theirs.
    pub(crate) unreadable: bool,
    pub(crate) faults: Vec<Fault>,
    pub(crate) life: Life,
}

/// What somebody does.
#[derive(Clone, Debug)]
pub(crate) enum Story {
    /// They consent once.
    Consents,
    /// They deny.
    Denies,
    /// They open their link again and consent with another account: at once, or when the first is connected.
    OpensAgain { when_connected: bool },
    /// Their first consent is held up, and meanwhile they consent with another account.
    IsOvertaken(Box<Fault>),
    /// They press the button in two tabs of one browser, and both come back at once.
    HasTwoTabs,
    /// Before their code, or after it, others come with their state.
    HasCodes { before: u32, after: u32 },
    /// A code of another chat's login is put on the queue with their state.
    IsSentAnothersCode,
    /// Their login comes back in somebody else's browser, which has this cookie. They may follow at once.
    IsForwarded { cookie: Cookie, follows: bool },
    /// Somebody makes a message about another chat.
    SeesForgery { forgery: Forgery, victim_is_connected: bool },
    /// A callback with a plain state names another chat.
    SeesPlainState,
    /// Another program has written their row before they consent; or between two consents.
    HasForeignRow { row: ForeignRow, between: bool },
    /// They are connected, revoked by an operator, and consent again.
    IsRevoked { by_old_link: bool },
}

/// The cookies of the browser that a login was forwarded to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cookie {
    None,
    /// Of a login of its own.
    OfAnother,
    /// The right one's, with a space that HTTP does not know in front of its name.
    Planted,
}

/// How a message is forged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Forgery {
    /// A genuine state with another chat in it.
    AnotherChat,
    /// A state that another key has signed.
    AnotherKey,
    /// No signature at all.
    PlainState,
    /// A genuine state, and a time in the year 5138.
    FarAhead,
    /// A genuine state, and a time shortly after its end.
    AfterItsEnd,
    /// A genuine state, and a time before its link was made.
    BeforeItsLink,
}

/// The shape of a row that another program has written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ForeignRow {
    /// Salesforce's own JSON: `issued_at` is a text, and there is no `consented_at`.
    AsSalesforceAnswers,
    /// Times that lie far ahead.
    FarAhead,
    /// Times as texts.
    Texts,
    /// As the older system wrote it.
    OfTheOlderSystem,
}

/// A fault, so many times.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) edge: Edge,
    pub(crate) times: u32,
    pub(crate) action: Value,
    /// Which of the person's logins it begins with.
    pub(crate) login: usize,
}

/// The call that fails, and what identifies the person's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edge {
    /// An outside party: the chat.
    Party(&'static str),
    /// A call of AWS with the attempt's id.
    Attempt(&'static str),
    /// A call of AWS with the chat.
    Chat(&'static str),
    /// A call of AWS with the code.
    Code(&'static str),
    /// A call of AWS with this text, which does not name a person.
    Anybody(&'static str, &'static str),
}

/// Until the soak ends all faults.
const FOREVER: u32 = 1_000_000;

const TOKEN: Edge = Edge::Party("salesforce.token");
const NAME: Edge = Edge::Party("salesforce.userinfo");
const REVOKE: Edge = Edge::Party("salesforce.revoke");
const TWILIO: Edge = Edge::Party("twilio.messages");
const BOT: Edge = Edge::Party("bot.events");
const BUS: Edge = Edge::Chat("events.PutEvents");
const RECORD: Edge = Edge::Attempt("dynamodb.UpdateItem");
const STORE: Edge = Edge::Chat("dynamodb.TransactWriteItems");
const READ: Edge = Edge::Chat("dynamodb.GetItem");
const REREAD: Edge = Edge::Attempt("dynamodb.GetItem");
/// A message with tokens to revoke, as it stands in a call of SQS.
const REVOCATION: Edge = Edge::Anybody("sqs.SendMessage", r#"\"revoke\":"#);

/// The people for a seed.
pub(crate) fn people(seed: u64, count: u64) -> Vec<Person> {
    let mut rng = Rng::with_seed(seed);
    (0..count).map(|_| person(&mut rng)).collect()
}

fn person(rng: &mut Rng) -> Person {
    let story = story(rng);
    let mut faults: Vec<_> = (0..[0, 1, 1, 2, 3][rng.usize(..5)]).map(|_| fault(rng)).collect();
    if story.logins() > 1 && rng.u32(..100) < 40 {
        faults.push(revocation_fault(rng));
    }
    Person {
        chat: new_chat(),
        story,
        callbacks: if rng.u32(..100) < 15 { rng.u32(2..=5) } else { 1 },
        duplicate: rng.u32(..100) < 8,
        unreadable: rng.u32(..100) < 3,
        faults,
        life: Life::draw(rng),
    }
}

fn story(rng: &mut Rng) -> Story {
    match rng.u32(..100) {
        0..38 => Story::Consents,
        38..43 => Story::Denies,
        43..52 => Story::OpensAgain { when_connected: rng.bool() },
        52..62 => Story::IsOvertaken(Box::new(delay(rng))),
        62..67 => Story::HasTwoTabs,
        67..72 => Story::HasCodes { before: rng.u32(1..=2), after: 0 },
        72..74 => Story::HasCodes { before: 0, after: 8 },
        74..78 => Story::IsSentAnothersCode,
        78..85 => Story::IsForwarded {
            cookie: [Cookie::None, Cookie::OfAnother, Cookie::Planted][rng.usize(..3)],
            follows: rng.bool(),
        },
        85..90 => Story::SeesForgery {
            forgery: [
                Forgery::AnotherChat,
                Forgery::AnotherKey,
                Forgery::PlainState,
                Forgery::FarAhead,
                Forgery::AfterItsEnd,
                Forgery::BeforeItsLink,
            ][rng.usize(..6)],
            victim_is_connected: rng.bool(),
        },
        90..92 => Story::SeesPlainState,
        92..96 => Story::HasForeignRow {
            row: [
                ForeignRow::AsSalesforceAnswers,
                ForeignRow::FarAhead,
                ForeignRow::Texts,
                ForeignRow::OfTheOlderSystem,
            ][rng.usize(..4)],
            between: rng.bool(),
        },
        _ => Story::IsRevoked { by_old_link: rng.bool() },
    }
}

/// What holds up a consent while a later one comes.
fn delay(rng: &mut Rng) -> Fault {
    let busy = json!({"status": 503, "body": "", "headers": {"Retry-After": rng.u32(15..=45).to_string()}});
    let kinds: [(&str, Edge, u32, Value); 6] = [
        ("overtaken: Salesforce busy", TOKEN, 1, busy),
        ("overtaken: record 500", RECORD, rng.u32(6..=20), server_error()),
        ("overtaken: tokens throttled", Edge::Attempt("dynamodb.TransactWriteItems"), rng.u32(20..=50), throttled()),
        ("overtaken: killed after the claim", RECORD, 1, json!({"kill": "after"})),
        ("overtaken: queue slow", Edge::Code("sqs.SendMessage"), 1, json!({"delay_ms": rng.u32(1_000..=6_000)})),
        ("overtaken: queue slow and lost", Edge::Code("sqs.SendMessage"), 2, json!({"delay_ms": 3_000})),
    ];
    let (name, edge, times, action) = kinds[rng.usize(..kinds.len())].clone();
    Fault { name, edge, times, action, login: 0 }
}

fn revocation_fault(rng: &mut Rng) -> Fault {
    let kinds: [(&str, Edge, u32, Value); 6] = [
        ("revocation 503", REVOKE, rng.u32(1..=2), json!({"status": 503, "body": ""})),
        ("revocation's answer lost", REVOKE, 1, json!({"drop": "after"})),
        ("revocation drops the request", REVOKE, 1, json!({"drop": "before"})),
        ("revocation not queued", REVOCATION, rng.u32(1..=9), server_error()),
        ("killed before the revocation", REVOKE, 1, json!({"kill": "before"})),
        ("killed after the revocation", REVOKE, 1, json!({"kill": "after"})),
    ];
    let (name, edge, times, action) = kinds[rng.usize(..kinds.len())].clone();
    Fault { name, edge, times, action, login: 1 }
}

fn fault(rng: &mut Rng) -> Fault {
    let few = rng.u32(1..=3);
    let page = || json!({"status": 200, "body": "<html>maintenance</html>", "content_type": "text/html"});
    let status = |status: u16| json!({"status": status, "body": ""});
    let drop = |when: &str| json!({"drop": when});
    let kill = |when: &str| json!({"kill": when});
    let busy = json!({"status": 429, "body": "", "headers": {"Retry-After": "1"}});
    let twilio =
        |status: u16, code: u32| json!({"status": status, "body": {"code": code, "message": "", "status": status}});
    let kinds: [(&str, Edge, u32, Value); 61] = [
        ("Salesforce 503", TOKEN, rng.u32(1..=9), status(503)),
        ("Salesforce maintenance page", TOKEN, few, page()),
        ("Salesforce 429", TOKEN, few, busy),
        ("Salesforce slow", TOKEN, 1, json!({"delay_ms": rng.u32(500..4_000)})),
        ("Salesforce slower than we wait", TOKEN, 1, json!({"delay_ms": 11_000})),
        ("Salesforce drops the request", TOKEN, few, drop("before")),
        ("Salesforce's answer lost", TOKEN, 1, drop("after")),
        ("Salesforce: unknown_error", TOKEN, few, refusal("unknown_error", "retry your request")),
        ("Salesforce: invalid_client", TOKEN, rng.u32(1..=4), refusal("invalid_client", "invalid client credentials")),
        ("Salesforce: invalid_grant", TOKEN, 1, refusal("invalid_grant", "expired authorization code")),
        ("Salesforce: inactive_user", TOKEN, 1, refusal("inactive_user", "user is inactive")),
        ("Salesforce: login rate", TOKEN, 1, refusal("invalid_grant", "login rate exceeded")),
        ("Salesforce down for a code's life", TOKEN, FOREVER, status(503)),
        ("settings wrong for a code's life", TOKEN, FOREVER, refusal("invalid_client_id", "client identifier invalid")),
        ("userinfo 503", NAME, few, status(503)),
        ("userinfo never", NAME, FOREVER, status(502)),
        ("userinfo 403", NAME, 1, status(403)),
        ("userinfo drops", NAME, few, drop("before")),
        ("WhatsApp 500", TWILIO, few, status(500)),
        ("WhatsApp 429", TWILIO, few, twilio(429, 20_429)),
        ("WhatsApp drops the request", TWILIO, few, drop("before")),
        ("WhatsApp's answer lost", TWILIO, 1, drop("after")),
        ("WhatsApp: window closed", TWILIO, 1, twilio(400, 63_016)),
        ("WhatsApp: no such number", TWILIO, 1, twilio(400, 63_024)),
        ("WhatsApp: credentials refused", TWILIO, 1, twilio(401, 20_003)),
        ("bot 503", BOT, rng.u32(1..=6), status(503)),
        ("bot's answer lost", BOT, 1, drop("after")),
        ("bot drops the request", BOT, few, drop("before")),
        ("bot 500 for minutes", BOT, rng.u32(8..=10), status(500)),
        ("bot 500 until the redrive", BOT, FOREVER, status(500)),
        ("bus refuses the entry", BUS, rng.u32(1..=6), entry_refused()),
        ("bus throttled", BUS, rng.u32(1..=6), throttled()),
        ("bus's answer lost", BUS, few, drop("after")),
        ("bus drops the request", BUS, few, drop("before")),
        ("bus refuses the entry until the redrive", BUS, FOREVER, entry_refused()),
        ("WhatsApp 500 until the redrive", TWILIO, FOREVER, status(500)),
        ("record throttled", RECORD, rng.u32(1..=5), throttled()),
        ("record 500", RECORD, rng.u32(1..=5), server_error()),
        ("record not reached", RECORD, few, drop("before")),
        ("record's answer lost", RECORD, few, drop("after")),
        ("tokens throttled", STORE, rng.u32(1..=9), throttled()),
        ("tokens' answer lost", STORE, few, drop("after")),
        ("tokens not stored for long", STORE, rng.u32(40..=90), throttled()),
        ("tokens not stored for a code's life", STORE, FOREVER, throttled()),
        ("old tokens not read", READ, few, server_error()),
        ("record not read", REREAD, few, server_error()),
        ("chat's counts throttled", Edge::Chat("dynamodb.UpdateItem"), rng.u32(1..=5), throttled()),
        ("queue not reached", Edge::Code("sqs.SendMessage"), rng.u32(1..=7), drop("before")),
        ("queue's answer lost", Edge::Code("sqs.SendMessage"), 1, drop("after")),
        ("visibility not changed", Edge::Anybody("sqs.ChangeMessageVisibility", ""), 1, server_error()),
        ("verifier not made", Edge::Anybody("kms.GenerateMac", ""), few, server_error()),
        ("secrets not read", Edge::Anybody("secretsmanager.BatchGetSecretValue", ""), few, server_error()),
        ("killed before the claim", RECORD, 1, kill("before")),
        ("killed after the claim", RECORD, 1, kill("after")),
        ("killed before the exchange", TOKEN, 1, kill("before")),
        ("killed after the exchange", TOKEN, 1, kill("after")),
        ("killed before the tokens are stored", STORE, 1, kill("before")),
        ("killed after the tokens are stored", STORE, 1, kill("after")),
        ("killed after the message", TWILIO, 1, kill("after")),
        ("killed after the event", BOT, 1, kill("after")),
        ("killed after the event on the bus", BUS, 1, kill("after")),
    ];
    let (name, edge, times, action) = kinds[rng.usize(..kinds.len())].clone();
    Fault { name, edge, times, action, login: rng.usize(..2) }
}

impl Story {
    /// How many logins it has.
    pub(crate) fn logins(&self) -> usize {
        match self {
            Self::OpensAgain { .. }
            | Self::IsOvertaken(_)
            | Self::HasTwoTabs
            | Self::HasForeignRow { between: true, .. }
            | Self::IsRevoked { .. } => 2,
            _ => 1,
        }
    }

    /// Its line in the report.
    fn label(&self) -> &'static str {
        match self {
            Self::Consents => "-",
            Self::Denies => "- denies",
            Self::OpensAgain { .. } => "- opens the link again",
            Self::IsOvertaken(_) => "- the first consent is overtaken",
            Self::HasTwoTabs => "- two tabs at once",
            Self::HasCodes { before: 0, .. } => "- a flood of codes after the right one",
            Self::HasCodes { .. } => "- other codes before the right one",
            Self::IsSentAnothersCode => "- another's code with their state",
            Self::IsForwarded { follows: true, .. } => "- another's browser, and then theirs",
            Self::IsForwarded { .. } => "- another's browser",
            Self::SeesForgery { .. } => "- a forged message beside theirs",
            Self::SeesPlainState => "- a plain state beside theirs",
            Self::HasForeignRow { .. } => "- a row that another has written",
            Self::IsRevoked { by_old_link: true } => "- revoked, and an older link",
            Self::IsRevoked { .. } => "- revoked, and a new link",
        }
    }
}

impl Person {
    /// The faults that begin with this login.
    pub(crate) fn faults_of(&self, login: usize) -> impl Iterator<Item = &Fault> {
        let delay = match &self.story {
            Story::IsOvertaken(fault) => Some(&**fault),
            _ => None,
        };
        let logins = self.story.logins();
        delay.into_iter().chain(&self.faults).filter(move |fault| fault.login % logins == login)
    }

    /// The lines of the report that they count for.
    pub(crate) fn labels(&self) -> Vec<&'static str> {
        let mut labels: Vec<_> = self.faults_of(0).chain(self.faults_of(1)).map(|fault| fault.name).collect();
        labels.push(self.story.label());
        labels.extend((self.callbacks > 1).then_some("(several callbacks)"));
        labels.extend(self.life.labels());
        labels.extend(self.duplicate.then_some("(delivered twice)"));
        labels.sort_unstable();
        labels.dedup();
        labels
    }

    /// What cannot be avoided with their faults.
    pub(crate) fn excuses(&self, are_verifiers_not_made: bool) -> Excuses {
        let mut excuses = Excuses::default();
        excuses.may.extend(are_verifiers_not_made.then_some(Excuse::Linkless));
        for fault in self.faults_of(0).chain(self.faults_of(1)) {
            excuse(fault, &mut excuses);
        }
        self.life.excuse(&mut excuses);
        if matches!(self.story, Story::HasCodes { before: 0, .. }) {
            // While theirs waits the others take its place.
            excuses.reasons.extend(["code_expired", "unknown", "wrong_login_host"]);
        }
        excuses
    }
}

fn excuse(fault: &Fault, excuses: &mut Excuses) {
    let has = |words: &[&str]| words.iter().any(|word| fault.name.contains(word));
    // The bot or the person may be told again, because the mark that they were told could not be written.
    excuses.repeats += if has(&["record", "claim", "counts"]) { 2 } else { 0 };
    excuses.repeats += usize::from(fault.name.starts_with("killed after the event"));
    // An exchanger that was killed with the response, or could not store it, does not know of it; nor does one that
    // stopped waiting.
    let forgets = ["killed", "record", "tokens", "slower than we wait", "visibility", "verifier", "counts"];
    excuses.may.extend(has(&forgets).then_some(Excuse::Resent));
    excuses.may.extend((fault.name == "killed before the tokens are stored").then_some(Excuse::TokensLost));
    excuses.may.extend(has(&["tokens"]).then_some(Excuse::Unchecked));
    excuses.reasons.extend::<&[&str]>(match fault.name {
        "Salesforce: invalid_grant" => &["code_expired", "unknown", "wrong_login_host"],
        "Salesforce: inactive_user" => &["user_inactive"],
        "Salesforce: login rate" => &["login_rate"],
        "userinfo 403" => &["app_blocked"],
        "Salesforce slower than we wait"
        | "Salesforce's answer lost"
        | "killed after the exchange"
        | "killed before the tokens are stored"
        | "killed before the revocation"
        | "killed after the revocation" => &["unknown"],
        // They may be redriven when the code has expired.
        _ if fault.times == FOREVER && fault.edge_is_token() => &["code_expired", "unknown"],
        _ => &[],
    });
}

impl Fault {
    fn edge_is_token(&self) -> bool {
        matches!(self.edge, Edge::Party("salesforce.token"))
    }
}
