//! Confirms logins: what a message of a chat, with a code in it, means for the login that waits for that code.
//!
//! The rules are those of [`shared::proof::pending`] and [`shared::limit`]; here is their order. A code counts as a guess
//! before anybody looks whether it is right, so that guesses in parallel are counted too; a right one is forgiven. Nothing is
//! connected or revoked here: the token exchanger carries the decision out. Text, code and hash are never logged.

pub(crate) mod messages;
mod request;

use std::time::Duration;

use serde::Serialize;
use shared::{
    Timestamp, WaId,
    aws::{
        SdkConfig,
        limits::{Guess, Limits},
        pending::Pending,
        queue::Queue,
    },
    conditional_write::Attributes,
    custody::Custody,
    proof::{
        ChatProof,
        pending::{self, Decision, Held, Meaning},
    },
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

/// A code that was counted and recorded.
struct Sent {
    proof: ChatProof,
    guess: Guess,
}

/// The login of a code.
enum Login {
    /// It is the chat's, and is confirmed.
    Confirmed {
        /// That was carried out before.
        is_settled: bool,
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

/// The answer to a code that confirms a login.
pub(crate) fn confirmed() -> Content {
    answer::json(&Confirmation { status: "confirmed", user_message: messages::CONFIRMED })
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
    pub(crate) async fn confirm(&self, request: &ConfirmationRequest) -> Result<(), Refusal> {
        let sender = &request.wa_id;
        let mut unknown = Vec::with_capacity(request.codes.len());
        // A login that is over says nothing of one that waits for another code of the text.
        let mut over = None;
        for code in &request.codes {
            let now = (self.clock)();
            let sent = self.count(sender, code.proof(), now).await?;
            let row = self.pending.send(&sent.proof, sender, now).await.map_err(Unavailable::from)?;
            match self.look(sender, &sent, &row).await? {
                Some(login) if login.is_over() => over = over.or(Some(login)),
                Some(login) => return login.answer(),
                None => unknown.push(sent),
            }
        }
        let waited_for = if unknown.is_empty() { None } else { self.wait(sender, &unknown).await? };
        match waited_for.or(over) {
            Some(login) => login.answer(),
            None if unknown.is_empty() => Err(Refusal::UnknownCode(Unknown::NoCode)),
            None => Err(Refusal::UnknownCode(Unknown::NoLogin)),
        }
    }

    async fn count(&self, sender: &WaId, proof: ChatProof, now: Timestamp) -> Result<Sent, Refusal> {
        match self.limits.count_guess(sender, &proof, now).await.map_err(Unavailable::from)? {
            Some(guess) => Ok(Sent { proof, guess }),
            None => Err(Refusal::TooManyGuesses),
        }
    }

    /// Looks again and again whether a login is held by now that one of the codes is for. They are recorded, so it is
    /// confirmed also where this ends first.
    async fn wait(&self, sender: &WaId, codes: &[Sent]) -> Result<Option<Login>, Unavailable> {
        let until = Instant::now() + self.wait;
        while Instant::now() + LOOK <= until {
            sleep(LOOK).await;
            for sent in codes {
                let row = self.pending.read(&sent.proof).await?;
                if let Some(login) = self.look(sender, sent, &row).await? {
                    return Ok(Some(login));
                }
            }
        }
        Ok(None)
    }

    /// The login that the code is for, by its row, and what follows: the token exchanger hears of the decision, and the code
    /// was no guess. `None` where no login waits for it.
    async fn look(&self, sender: &WaId, sent: &Sent, row: &Attributes) -> Result<Option<Login>, Unavailable> {
        let decided = Held::read(row).filter(|held| held.decision.is_some());
        let login = match pending::meaning(row, sender) {
            Meaning::Unknown => return Ok(None),
            Meaning::Confirmed => Login::Confirmed { is_settled: decided.as_ref().is_some_and(Held::is_settled) },
            Meaning::WrongChat => {
                let decision = decided.as_ref().and_then(|held| held.decision);
                Login::WrongChat { is_confirmed: decision == Some(Decision::Confirmed) }
            }
            Meaning::TooLate => Login::TooLate,
        };
        if let Some(message) = decided.and_then(|held| held.message(&sent.proof)) {
            self.queue.send(message.to_body(), Duration::ZERO).await.map_err(Unavailable::Queue)?;
        }
        self.forgive(sender, sent).await;
        Ok(Some(login))
    }

    /// An extra: where the table does not take it, the code counts as a guess until the window has passed.
    async fn forgive(&self, sender: &WaId, sent: &Sent) {
        if let Err(error) = self.limits.forgive(sender, &sent.proof, sent.guess).await {
            warn!(%error, "right code still counts as a guess");
        }
    }
}

impl Login {
    /// Whether nothing is left that the code could decide.
    const fn is_over(&self) -> bool {
        matches!(self, Self::Confirmed { is_settled: true } | Self::TooLate)
    }

    /// What the chat is answered.
    fn answer(self) -> Result<(), Refusal> {
        match self {
            Self::Confirmed { .. } => Ok(()),
            Self::WrongChat { is_confirmed } => Err(Refusal::WrongChat { is_confirmed }),
            Self::TooLate => Err(Refusal::UnknownCode(Unknown::TooLate)),
        }
    }
}
