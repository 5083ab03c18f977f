//! The reckoning after a soak: whether the promises were kept, seen from outside.
//!
//! Pure: it compares what people did ([`Person`]) with what can be seen afterwards ([`Evidence`]: both tables, the
//! sandbox's journal and its grants, the dead letters). It knows the product by its documents alone.

mod chat;
mod custody;
mod everywhere;
mod promises;
pub mod proof;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

pub use self::custody::{Asked, Planned, Seen};
use self::{chat::Chat, custody::Cause};

/// Somebody with a chat, and what they did.
#[derive(Clone, Debug)]
pub struct Person {
    /// The chat, `whatsapp:+…`.
    pub chat: String,
    /// What the report calls them: never the chat, because a report may be stored.
    pub name: String,
    /// The lines of the table of endings that they count for.
    pub labels: Vec<&'static str>,
    /// Every login that brought something to the callback.
    pub logins: Vec<Login>,
    /// When an operator revoked their connection.
    pub revoked: Option<Span>,
    /// What else ended a connection of theirs on purpose.
    pub ends: Vec<Planned>,
    /// The chat had a row that this stack did not write.
    pub has_foreign_row: bool,
    /// What cannot be avoided, given their faults.
    pub excuses: Excuses,
}

/// One attempt, from the press to what its callbacks brought.
#[derive(Clone, Debug)]
pub struct Login {
    /// 32 hexadecimal digits.
    pub attempt: String,
    /// Who logged in at Salesforce.
    pub user: String,
    /// When its link was made at the latest.
    pub linked_at: u64,
    /// In order.
    pub arrivals: Vec<Arrival>,
}

/// What the stack was given.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// What came.
    pub brought: Brought,
    /// When.
    pub span: Span,
}

/// What a callback brought, or a message on the exchange queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// The person's consent: the code of this login, by the right browser.
    Consent,
    /// Another code than this login's.
    OtherCode,
    /// The person's denial.
    Denial,
    /// Something that the receiver refuses.
    Refusal,
}

/// When something happened: not before `from`, not after `to`, in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// It had not happened yet.
    pub from: u64,
    /// It had happened.
    pub to: u64,
}

/// What cannot be avoided, given a person's faults.
#[derive(Clone, Debug, Default)]
pub struct Excuses {
    /// The reasons that their attempts may fail with.
    pub reasons: BTreeSet<&'static str>,
    /// How many messages may be repeated, beside those whose answers the journal shows as lost.
    pub repeats: usize,
    /// What may happen beside that.
    pub may: BTreeSet<Excuse>,
}

/// What may happen to somebody, given their faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// A code is sent again after a final answer, because the exchanger that had it is gone.
    Resent,
    /// Tokens are lost with the exchanger that held them.
    TokensLost,
    /// A rotated refresh token is lost with the process that held it.
    RefreshLost,
    /// An outcome is written without a look at the chat's row, because that is out of reach.
    Unchecked,
    /// No new link can be made.
    Linkless,
}

/// Somebody who does nothing, and whom forged messages name.
#[derive(Clone, Debug)]
pub struct Bystander {
    /// The chat.
    pub chat: String,
    /// Its row, which must stay as it is.
    pub row: Option<Value>,
}

/// What can be seen afterwards.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The items of the attempt table.
    pub attempts: Vec<Value>,
    /// The items of the token table.
    pub rows: Vec<Value>,
    /// The sandbox's whole journal.
    pub journal: Value,
    /// What the target of the rule on the bot's event bus received.
    pub bus: Vec<Value>,
    /// What the sandbox's Salesforce granted.
    pub grants: Vec<Value>,
    /// The bodies in the exchange dead-letter queue.
    pub dead_letters: Vec<String>,
    /// The bodies in the dead-letter queue of the notifier's retry queue, and in the queue of its failures.
    pub untold: Vec<String>,
    /// The bodies on the upkeep queue and in its dead-letter queue.
    pub upkeep: Vec<String>,
    /// What a bot was answered about each chat at the end.
    pub asked: Vec<Asked>,
    /// What can be read elsewhere: the logs.
    pub seen: Vec<Seen>,
    /// From when on the rows say that nothing is waited for any more.
    pub turned_at: Option<u64>,
}

/// What the stack promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// Each consent ends in an outcome, and the person and the bot are told.
    NoneLost,
    /// A failure has a cause.
    Explained,
    /// Nobody is connected to, or told in, a chat that is not theirs.
    OwnChat,
    /// A chat's row is that of its latest consent.
    LatestRow,
    /// The row's refresh token is valid.
    LivingRow,
    /// No refresh token is valid that is not in the table.
    NoOrphans,
    /// What a chat is told last is what stands in the row.
    ToldTheRow,
    /// A message is sent once.
    ToldOnce,
    /// A chat hears of three failures in a quarter of an hour at most.
    NotPestered,
    /// The bot receives each outcome, in order.
    RightEvents,
    /// A code is not sent again after a final answer.
    NotResent,
    /// Three codes of an attempt are tried at most, in twenty requests each.
    FewCodes,
    /// The dead letters are the messages that nobody can process, and no others.
    RightDeadLetters,
    /// A connection stands, and its token works, until somebody ends it.
    Kept,
    /// The person and the bot are told once of a connection's end, with its reason.
    EndsTold,
    /// A refresh token that was replaced is never presented.
    UsedOnce,
    /// No token is in clear but where it has to be, and no sealed one is left on a queue.
    Hidden,
}

impl Promise {
    /// Every promise.
    pub const ALL: [Self; 17] = [
        Self::NoneLost,
        Self::Explained,
        Self::OwnChat,
        Self::LatestRow,
        Self::LivingRow,
        Self::NoOrphans,
        Self::ToldTheRow,
        Self::ToldOnce,
        Self::NotPestered,
        Self::RightEvents,
        Self::NotResent,
        Self::FewCodes,
        Self::RightDeadLetters,
        Self::Kept,
        Self::EndsTold,
        Self::UsedOnce,
        Self::Hidden,
    ];

    /// How its line in the report begins: what is counted.
    const fn broken(self) -> &'static str {
        match self {
            Self::NoneLost => "consents lost",
            Self::Explained => "failures without a cause",
            Self::OwnChat => "in a wrong chat",
            Self::LatestRow => "stale rows",
            Self::LivingRow => "rows with a dead token",
            Self::NoOrphans => "live orphaned tokens",
            Self::ToldTheRow => "told other than the row says",
            Self::ToldOnce => "chats with doubled messages",
            Self::NotPestered => "chats told of too many failures",
            Self::RightEvents => "wrong events",
            Self::NotResent => "codes sent again after a final answer",
            Self::FewCodes => "attempts with too many token requests",
            Self::RightDeadLetters => "dead letters missing or unexpected",
            Self::Kept => "connections lost",
            Self::EndsTold => "silent or repeated ends",
            Self::UsedOnce => "chats with a refresh token used twice",
            Self::Hidden => "tokens in clear, or left on a queue",
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Reckoning {
    /// For each promise, how it was broken.
    broken: BTreeMap<Promise, Vec<String>>,
    /// For each label, how its people's attempts ended.
    endings: BTreeMap<&'static str, BTreeMap<String, usize>>,
    totals: Totals,
}

/// How much there was of what.
#[derive(Debug, Default)]
struct Totals {
    people: usize,
    logins: usize,
    consents: usize,
    connected: usize,
    superseded: usize,
    failed: usize,
    withheld: usize,
    revoked: usize,
    dead_letters: usize,
    /// Messages that were repeated where that cannot be avoided.
    repeated: usize,
    /// Events that the bus was given more than once.
    repeated_on_bus: usize,
    /// Tokens that nobody but Salesforce knows, because the answer with them was lost.
    unknown_tokens: usize,
    /// Refresh tokens that Salesforce replaced.
    rotations: usize,
    /// Connections that somebody ended.
    ended: usize,
    /// Connections that ended because the process that had the new refresh token died before it was sealed.
    lost_with_process: usize,
    /// Families of such connections that were revoked by presenting the old token, when nothing could come any more.
    revoked_in_vain: usize,
}

impl Reckoning {
    /// Reckons. `unprocessable` are the bodies that were put on the exchange queue and that nobody can process.
    pub fn of(people: &[Person], bystanders: &[Bystander], unprocessable: &[String], evidence: &Evidence) -> Self {
        let mut this = Self::default();
        let mut journals = chat::by_chat(&evidence.journal);
        for person in people {
            let journal = journals.remove(&*person.chat).unwrap_or_default();
            let chat = Chat::new(person, evidence, journal);
            this.add(&chat);
        }
        let found = everywhere::findings(people, bystanders, unprocessable, evidence);
        for (promise, what) in found {
            this.find(promise, what);
        }
        this.totals.people = people.len();
        this.totals.dead_letters = evidence.dead_letters.len();
        this
    }

    fn add(&mut self, chat: &Chat<'_>) {
        for (promise, what) in promises::findings(chat) {
            self.find(promise, format!("{}: {what}", chat.person.name));
        }
        let ending = chat.ending();
        for label in &chat.person.labels {
            *self.endings.entry(label).or_default().entry(ending.clone()).or_default() += 1;
        }
        let totals = &mut self.totals;
        totals.logins += chat.person.logins.len();
        totals.repeated += chat.repeated().min(chat.unavoidable_repeats());
        totals.repeated_on_bus += chat.repeated_on_bus();
        totals.unknown_tokens += chat.orphans().filter(|grant| chat.is_excused(grant)).count();
        let refreshes = chat.journal.records("salesforce.refresh").iter();
        totals.rotations += refreshes.filter(|record| record["verdict"] == "rotated").count();
        let causes = || chat.ends.iter().filter_map(|end| custody::cause(chat, end));
        totals.ended += causes().filter(|cause| *cause == Cause::Planned).count();
        totals.lost_with_process += causes().filter(|cause| *cause == Cause::TokenLost).count();
        totals.revoked_in_vain += custody::revoked_in_vain(chat);
        totals.withheld += chat.events.iter().filter(|event| event.message == "withheld").count();
        totals.revoked += chat.grants.iter().filter(|grant| grant["alive"] == false).count();
        for login in &chat.person.logins {
            totals.consents += usize::from(login.consent().is_some());
            match chat.attempt(login).map(chat::status) {
                Some("connected") => totals.connected += 1,
                Some("failed") if chat.reason(login) == Some("superseded") => totals.superseded += 1,
                Some("failed") => totals.failed += 1,
                _ => {}
            }
        }
    }

    fn find(&mut self, promise: Promise, what: String) {
        self.broken.entry(promise).or_default().push(what);
    }

    /// How a promise was broken.
    pub fn broken(&self, promise: Promise) -> &[String] {
        self.broken.get(&promise).map_or(&[], Vec::as_slice)
    }

    /// Every way in which a promise was broken.
    pub fn complaints(&self) -> Vec<String> {
        let broken = self.broken.iter();
        broken.flat_map(|(promise, how)| how.iter().map(|how| format!("{}: {how}", promise.broken()))).collect()
    }

    /// How many refresh tokens Salesforce replaced.
    pub fn rotations(&self) -> usize {
        self.totals.rotations
    }

    /// Whether every promise was kept.
    pub fn is_good(&self) -> bool {
        self.broken.is_empty()
    }
}

impl Person {
    fn may(&self, excuse: Excuse) -> bool {
        self.excuses.may.contains(&excuse)
    }

    /// When links that were made before became worthless.
    fn outdated(&self) -> impl Iterator<Item = Span> {
        let disconnected = self.ends.iter().filter(|end| end.reason == "disconnected").map(|end| end.span);
        self.revoked.into_iter().chain(disconnected)
    }
}

impl Login {
    /// When the person's consent came, if it did.
    fn consent(&self) -> Option<Span> {
        self.span(|brought| brought == Brought::Consent)
    }

    fn span(&self, wanted: impl Fn(Brought) -> bool) -> Option<Span> {
        let spans = self.arrivals.iter().filter(|arrival| wanted(arrival.brought)).map(|arrival| arrival.span);
        spans.reduce(|a, b| Span { from: a.from.min(b.from), to: a.to.max(b.to) })
    }
}

impl Span {
    /// Whether it had happened when the other began.
    pub fn is_before(self, other: Self) -> bool {
        self.to <= other.from
    }
}

impl fmt::Display for Reckoning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<46}  how their logins ended", "people")?;
        for (label, endings) in &self.endings {
            let endings: Vec<_> = endings.iter().map(|(ending, count)| format!("{count} {ending}")).collect();
            writeln!(f, "{label:<46}  {}", endings.join(", "))?;
        }
        let Totals { people, logins, consents, connected, superseded, failed, .. } = self.totals;
        let Totals { withheld, revoked, dead_letters, repeated, unknown_tokens, .. } = self.totals;
        let Totals { rotations, ended, lost_with_process, revoked_in_vain, repeated_on_bus, .. } = self.totals;
        writeln!(f, "\n{:<46}  {people}", "people")?;
        for (what, count) in [
            ("logins", logins),
            ("consents", consents),
            ("connected", connected),
            ("superseded", superseded),
            ("failed with a reason", failed),
            ("messages withheld", withheld),
            ("tokens revoked", revoked),
            ("messages that nobody can process", dead_letters),
            ("messages repeated, unavoidably", repeated),
            ("events repeated on the bus", repeated_on_bus),
            ("tokens alive whose answer was lost", unknown_tokens),
            ("refresh tokens replaced", rotations),
            ("connections that somebody ended", ended),
            ("ended: new token lost with its process", lost_with_process),
            ("of these, revoked when nobody had a token", revoked_in_vain),
        ] {
            writeln!(f, "{what:<46}  {count}")?;
        }
        writeln!(f)?;
        for promise in Promise::ALL {
            let broken = self.broken(promise);
            writeln!(f, "{:<46}  {}", promise.broken(), broken.len())?;
            for line in broken {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}
