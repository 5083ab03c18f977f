//! The rules of telling an outcome, each broken in turn.

/// The broken rule, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Broken {
    /// None: the notifier's own rules.
    #[default]
    Nothing,
    /// An intent whose answer was lost counts as a send.
    IntentCounts,
    /// A message is sent without an intent.
    NoIntent,
    /// An open intent is sent again at once.
    LeaseIgnored,
    /// An intent is written whether or not the message was sent since the row was read.
    ResultIgnored,
    /// A definite refusal is taken for the person's answer.
    RefusalIsMessage,
    /// A mark of what was done that could not be written is not written with the next.
    MarkDropped,
    /// The mark of one way to the bot is taken for another's.
    WaysConfused,
    /// An outcome without a message that arrived is not told again to a bot that has heard `pending`.
    BotNotToldAgain,
    /// An event that said `pending` is marked whatever is known of the message by then.
    PendingCounts,
    /// The record is acknowledged before the hand-over.
    AcknowledgedEarly,
    /// The pointer is deleted though something is left to tell.
    PointerDeleted,
}

impl Broken {
    /// Each of them, with its description and how many faults it takes to detect it.
    pub const ALL: [(Self, &'static str, u8); 11] = [
        (Self::IntentCounts, "an intent whose answer was lost counts as a send", 2),
        (Self::NoIntent, "a message is sent without an intent", 2),
        (Self::LeaseIgnored, "an open intent is sent again at once", 2),
        (Self::ResultIgnored, "an intent is written whether or not the message was sent meanwhile", 2),
        (Self::RefusalIsMessage, "a refused message counts as sent", 2),
        (Self::MarkDropped, "a mark that could not be written is not written with the next", 2),
        (Self::WaysConfused, "the mark of one way to the bot is taken for another's", 2),
        (Self::BotNotToldAgain, "a bot that heard \"pending\" is not told that no message arrives", 2),
        (Self::PendingCounts, "an event that said \"pending\" is marked whatever is known by then", 3),
        (Self::AcknowledgedEarly, "the record is acknowledged before the hand-over", 2),
        (Self::PointerDeleted, "the pointer is deleted though something is left to tell", 2),
    ];
}
