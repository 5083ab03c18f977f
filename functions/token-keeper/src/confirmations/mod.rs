//! Confirms logins: what a message of a chat, with a code in it, means for the login that waits for that code.
//!
//! The rules are those of [`shared::proof::pending`] and [`shared::limit`]; here is their order. A message counts as a guess
//! before anybody looks whether its code is right, so that guesses in parallel are counted too; one that has right codes alone is
//! forgiven. Nothing is
//! connected or revoked here: the token exchanger carries the decision out. Text, code and hash are never logged.

pub(crate) mod messages;
mod request;

use std::time::Duration;

use serde::Serialize;
use shared::{
    Language, Reason, Timestamp, WaId,
    aws::{
        SdkConfig,
        limits::{Guess, Limits},
        pending::Pending,
        queue::Queue,
    },
    conditional_write::{Attributes, text},
    connection::{Consent, DISCONNECTED, ENDED_REASON, REVOKED},
    custody::Custody,
    proof::{
        ChatCode, ChatProof,
        pending::{self, Decision, Held, Meaning},
    },
    texts::Text,
    timestamp::Clock,
    web::Content,
};
use tokio::time::{Instant, sleep};
use tracing::warn;

pub(crate) use self::request::{ConfirmationRequest, InvalidConfirmation};
use crate::{
    answer,
    config::ConfirmationConfig,
    refusal::{Refusal, Unavailable, Unknown},
};

/// How long a call waits for the login of a code that came first: as long as Salesforce may take to exchange its code.
pub(crate) const WAIT: Duration = Duration::from_secs(4);
/// How long it is between two looks for it.
const LOOK: Duration = Duration::from_millis(250);

/// Confirms logins. Its clients are the function's own, or made when the first login is confirmed.
pub(crate) struct Confirmations {
    pending: Pending,
    limits: Limits,
    /// Of the token exchanger.
    queue: Queue,
    clock: Clock,
    wait: Duration,
}

/// What a text is about.
struct Found {
    login: Login,
    /// Some of its codes are known to nobody.
    has_unknown: bool,
}

/// The login of a code.
struct Login {
    /// That of its link.
    language: Option<Language>,
    standing: Standing,
}

/// What the code means for its login.
enum Standing {
    /// It is the chat's, and is confirmed.
    Confirmed {
        /// That was carried out before.
        is_settled: bool,
        /// What the person has consented to, where the row says so.
        consent: Option<Consent>,
    },
    /// It is another chat's.
    WrongChat {
        /// That chat has sent the code, too, and before.
        is_confirmed: bool,
    },
    /// It is the chat's, and is decided otherwise.
    TooLate,
}

/// The answer to a code that confirms a login.
#[derive(Serialize)]
struct Confirmation {
    status: &'static str,
    user_message: &'static str,
}

/// A login that its chat has confirmed.
pub(crate) struct Confirmed {
    /// That of its link.
    pub(crate) language: Option<Language>,
    /// What the person has consented to, where it is known.
    pub(crate) consent: Option<Consent>,
}

/// What a chat is told whose code confirms the login of this consent, where the chat's token row is this one. Where a later login of
/// the chat is connected by now, or the chat was disconnected since the login or its link, that counts, and connects nothing.
pub(crate) fn text_of(consent: &Consent, row: &Attributes, now: Timestamp) -> &'static Text {
    match text(row, ENDED_REASON) {
        _ if !consent.is_superseded(row, now) => messages::CONFIRMED,
        Some(REVOKED | DISCONNECTED) => messages::ENDED,
        _ if consent.reason_lost(row, now) == Reason::OutdatedLink => messages::ENDED,
        _ => messages::OVERTAKEN,
    }
}

/// The answer to a code that confirms a login: this text, in this language.
pub(crate) fn confirmed(text: &Text, language: Language) -> Content {
    answer::json(&Confirmation { status: "confirmed", user_message: text.text(language) })
}

impl Confirmations {
    /// No connection is opened yet.
    pub(crate) fn new(config: ConfirmationConfig, aws: &SdkConfig, custody: &Custody, clock: Clock) -> Self {
        let ConfirmationConfig { pending_table, limit_table, queue_url, wait } = config;
        Self {
            pending: Pending::new(custody.dynamodb().clone(), pending_table),
            limits: Limits::new(custody.dynamodb().clone(), limit_table),
            queue: Queue::new(aws, queue_url),
            clock,
            wait,
        }
    }

    /// Confirms the login of the first code that is known. May be repeated, after an error too: what is decided stays, and
    /// what was not handed to the token exchanger is handed over.
    pub(crate) async fn confirm(&self, request: &ConfirmationRequest) -> Result<Confirmed, Refusal> {
        let (sender, now) = (&request.wa_id, (self.clock)());
        let proofs: Vec<_> = request.codes.iter().map(ChatCode::proof).collect();
        // A message is one guess, however many codes it has: numbers of other things have the form of a code, too.
        let Some(counted) = ChatProof::of_all(&proofs) else { return Err(Refusal::UnknownCode(Unknown::NoCode)) };
        let guess = self.limits.count_guess(sender, &counted, now).await.map_err(Unavailable::from)?;
        let guess = guess.ok_or(Refusal::TooManyGuesses)?;
        let found = self.find(sender, &proofs, now).await?;
        let Found { login, has_unknown } = found.ok_or(Refusal::UnknownCode(Unknown::NoLogin))?;
        // A known code beside wrong ones, such as one of a login that is over, does not make guesses free.
        if !has_unknown {
            self.forgive(sender, &counted, guess).await;
        }
        login.answer()
    }

    /// Records that the chat has sent these codes, and finds the login of the first that is known.
    async fn find(&self, sender: &WaId, proofs: &[ChatProof], now: Timestamp) -> Result<Option<Found>, Unavailable> {
        // A login that is over says nothing of one that waits for another code of the text.
        let mut over = None;
        let mut unknown = Vec::with_capacity(proofs.len());
        for proof in proofs {
            let row = self.pending.send(proof, sender, now).await?;
            match self.look(sender, proof, &row).await? {
                Some(login) if login.is_over() => over = over.or(Some(login)),
                Some(login) => return Ok(Some(Found { login, has_unknown: !unknown.is_empty() })),
                None => unknown.push(proof),
            }
        }
        let waited_for = if unknown.is_empty() { None } else { self.wait(sender, &unknown).await? };
        let has_unknown = unknown.len() > usize::from(waited_for.is_some());
        Ok(waited_for.or(over).map(|login| Found { login, has_unknown }))
    }

    /// Looks again and again whether a login is held by now that one of the codes is for. They are recorded, so it is
    /// confirmed also where this ends first.
    async fn wait(&self, sender: &WaId, proofs: &[&ChatProof]) -> Result<Option<Login>, Unavailable> {
        let until = Instant::now() + self.wait;
        while Instant::now() + LOOK <= until {
            sleep(LOOK).await;
            for proof in proofs {
                let row = self.pending.read(proof).await?;
                if let Some(login) = self.look(sender, proof, &row).await? {
                    return Ok(Some(login));
                }
            }
        }
        Ok(None)
    }

    /// The login that the code is for, by its row, and what follows: the token exchanger hears of the decision. `None` where no
    /// login waits for it.
    async fn look(&self, sender: &WaId, proof: &ChatProof, row: &Attributes) -> Result<Option<Login>, Unavailable> {
        let decided = Held::read(row).filter(|held| held.decision.is_some());
        let standing = match pending::meaning(row, sender) {
            Meaning::Unknown => return Ok(None),
            Meaning::Confirmed => Standing::Confirmed {
                is_settled: decided.as_ref().is_some_and(Held::is_settled),
                consent: decided.as_ref().map(|held| Consent {
                    attempt_id: held.attempt_id,
                    at: held.received_at,
                    link_issued_at: held.link_issued_at,
                }),
            },
            Meaning::WrongChat => {
                let decision = decided.as_ref().and_then(|held| held.decision);
                Standing::WrongChat { is_confirmed: decision == Some(Decision::Confirmed) }
            }
            Meaning::TooLate => Standing::TooLate,
        };
        if let Some(message) = decided.and_then(|held| held.message(proof)) {
            self.queue.send(message.to_body(), Duration::ZERO).await.map_err(Unavailable::Queue)?;
        }
        Ok(Some(Login { language: Language::of(row), standing }))
    }

    /// An extra: where the table does not take it, the code counts as a guess until the window has passed.
    async fn forgive(&self, sender: &WaId, counted: &ChatProof, guess: Guess) {
        if let Err(error) = self.limits.forgive(sender, counted, guess).await {
            warn!(%error, "right code still counts as a guess");
        }
    }
}

impl Login {
    /// Whether nothing is left that the code could decide.
    const fn is_over(&self) -> bool {
        matches!(self.standing, Standing::Confirmed { is_settled: true, .. } | Standing::TooLate)
    }

    /// What the chat is answered.
    fn answer(self) -> Result<Confirmed, Refusal> {
        let Self { language, standing } = self;
        match standing {
            Standing::Confirmed { consent, .. } => Ok(Confirmed { language, consent }),
            // Whoever has sent the code has read it on a page in this language.
            Standing::WrongChat { is_confirmed } => Err(Refusal::WrongChat { is_confirmed, language }),
            Standing::TooLate => Err(Refusal::UnknownCode(Unknown::TooLate(language))),
        }
    }
}
