//! How the processing of a message ends that may be deleted.

use std::time::Duration;

use shared::custody::{KeptAlive, Revoked, StoredLater};

/// How the processing of a message ends that may be deleted.
#[derive(Debug)]
pub(crate) enum Ending {
    /// A sweep was begun.
    Begun {
        segments: u32,
        /// Between two pages of a segment.
        pause: Duration,
    },
    /// A page was read, and the next one queued.
    Swept(Swept),
    /// The last page of a segment was read.
    Finished(Swept),
    /// A connection was looked at, and refreshed where it was due.
    KeptAlive(KeptAlive),
    /// Refreshed tokens are in their row, or are being revoked because it is another by now.
    Stored(StoredLater),
    /// A token is revoked, or in use.
    Revoked(Revoked),
    /// The exchanger has the message that ends the time for a chat's confirmation.
    Decided,
    /// Bots refresh their tokens themselves: nothing was done.
    BotCustody,
}

impl Ending {
    /// The result in logs.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Begun { .. } => "begun",
            Self::Swept(_) => "swept",
            Self::Finished(_) => "finished",
            Self::KeptAlive(KeptAlive::Refreshed) => "refreshed",
            Self::KeptAlive(KeptAlive::NotDue) => "not_due",
            Self::KeptAlive(KeptAlive::Ended) => "ended",
            Self::KeptAlive(KeptAlive::Unrefreshable) => "no_refresh_token",
            Self::Stored(StoredLater::Stored) => "stored",
            Self::Stored(StoredLater::Superseded) => "superseded",
            Self::Revoked(Revoked::Dead) => "revoked",
            Self::Revoked(Revoked::InUse) => "in_use",
            Self::Decided => "decided",
            Self::BotCustody => "bot_custody",
        }
    }
}

/// What was done for a page of the table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Swept {
    pub(crate) segment: u32,
    pub(crate) segments: u32,
    pub(crate) rows: usize,
    /// Rows that were queued to be refreshed.
    pub(crate) due: usize,
    /// Rows whose refresh token was sealed.
    pub(crate) sealed: usize,
    /// Rows whose refresh token should have been sealed.
    pub(crate) unsealed: usize,
    /// Rows that are none of this stack's.
    pub(crate) foreign: usize,
    /// For how long nobody has refreshed the tokens of the row that waits longest.
    pub(crate) oldest: Option<Duration>,
}
