//! One invocation of the notifier, step by step: `notify.rs` and `lib.rs` of `functions/notifier`.

use shared::{
    attempt::{
        Ways, attr,
        intent::{Intent, Step},
        last_error::Party,
        ledger::Mark,
    },
    conditional_write::{Attributes, ConditionalWrite},
};

pub use super::step::StepResult;
use super::{
    Telling,
    rules::Broken,
    state::{Message, NOW, Place, Pointer, STATUS, State, UPDATED_AT},
    step::{At, Deed, Marked, refused_by},
};

/// What an invocation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The stream's record.
    Record,
    /// This message of the retry queue.
    Pointer(usize),
}

/// An invocation, between two steps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work {
    source: Source,
    at: At,
    /// The intent that it read.
    last: Option<String>,
    /// Its own intent.
    this: Option<String>,
    message: Message,
    /// The bot's ways that have not taken the event.
    left: Ways,
    complete: bool,
    /// The row that it read has what the bot answered last.
    bot_refused_before: bool,
    /// The marks that could not be written, and whether nobody was left to tell then.
    unwritten: Vec<(Deed, bool)>,
}

impl Work {
    /// Reads the row, and decides what to do first.
    #[must_use]
    pub fn begin(state: &State, broken: Broken, source: Source) -> Self {
        let row = &state.row;
        let left = Ways::ALL.without(row.bot());
        let (at, last, message) = (At::Answer { is_done: true }, None, row.message());
        let mut this = Self {
            source,
            at,
            last,
            this: None,
            message,
            left,
            complete: false,
            bot_refused_before: row.has(attr::BOT_LAST_ERROR),
            unwritten: Vec::new(),
        };
        if row.is_complete() {
            return this;
        }
        this.at = if message == Message::Pending { this.begin_message(state, broken) } else { this.after_message() };
        this
    }

    fn begin_message(&mut self, state: &State, broken: Broken) -> At {
        let last = state.row.item().message_intent;
        let asked = last.clone().map(|last| match broken {
            Broken::LeaseIgnored => Intent { holder: String::new(), ..last },
            _ => last,
        });
        self.last = last.map(|last| last.to_string());
        match Intent::step(asked.as_ref(), self.holder(state), NOW) {
            Step::Send(this) => {
                self.this = Some(this.to_string());
                if broken == Broken::NoIntent { At::Send } else { At::Intend }
            }
            Step::Held => self.failed(),
            Step::Wait => self.after_message(),
            Step::Unknown => {
                self.message = Message::Unknown;
                self.tell_bot_again(broken);
                At::MarkMessage(Deed::MaybeMessaged)
            }
        }
    }

    /// A name that neither the row nor another invocation knows.
    fn holder(&self, state: &State) -> String {
        let others = state.work.iter().flat_map(|work| [&work.this, &work.last]);
        let known: Vec<_> =
            others.chain([&self.last]).flatten().filter_map(|text| text.parse::<Intent>().ok()).collect();
        let free =
            (1..=u8::MAX).map(|number| number.to_string()).find(|name| known.iter().all(|it| it.holder != *name));
        free.unwrap_or_default()
    }

    const fn tell_bot_again(&mut self, broken: Broken) {
        if !matches!(broken, Broken::BotNotToldAgain) {
            self.left = Ways::ALL;
        }
    }

    fn is_done(&self) -> bool {
        !self.left.are_any() && self.message != Message::Pending
    }

    const fn after_message(&self) -> At {
        if self.left.are_any() { At::Bot } else { self.after_bot() }
    }

    const fn after_bot(&self) -> At {
        let is_done = !self.left.are_any() && !matches!(self.message, Message::Pending);
        if !self.unwritten.is_empty() || (is_done && !self.complete) { At::MarkRest } else { self.end() }
    }

    const fn end(&self) -> At {
        if self.complete { At::Answer { is_done: true } } else { self.failed() }
    }

    /// Something is left to tell.
    const fn failed(&self) -> At {
        match self.source {
            Source::Record => At::HandOver,
            Source::Pointer(_) => At::Answer { is_done: false },
        }
    }

    /// Whether it holds the intent to send.
    const fn is_sending(&self) -> bool {
        matches!(self.at, At::Send | At::MarkMessage(Deed::Messaged | Deed::Undeliverable))
    }

    /// Whether it may stop telling now for want of time.
    #[must_use]
    pub const fn can_run_out_of_time(&self) -> bool {
        matches!(self.source, Source::Record) && !matches!(self.at, At::HandOver | At::Answer { .. })
    }

    /// Whether it is about a message of the queue.
    #[must_use]
    pub const fn is_of_queue(&self) -> bool {
        matches!(self.source, Source::Pointer(_))
    }

    /// Whether it is about this message of the queue.
    #[must_use]
    pub fn is_of(&self, slot: usize) -> bool {
        self.source == Source::Pointer(slot)
    }

    /// That message is forgotten.
    pub const fn forget(&mut self, gone: usize) {
        if let Source::Pointer(slot) = &mut self.source
            && *slot > gone
        {
            *slot -= 1;
        }
    }

    /// It is killed.
    pub fn kill(self, state: &mut State, model: &Telling) {
        self.lose_mark(state);
        self.answer(state, model, false);
    }

    /// It stops telling, for want of time, and hands over what is left.
    #[must_use]
    pub fn stop(mut self, state: &mut State) -> Self {
        self.lose_mark(state);
        self.at = self.failed();
        self
    }

    /// Nobody marks what it has sent.
    fn lose_mark(&self, state: &mut State) {
        state.seen.doubts += u8::from(self.at == At::MarkMessage(Deed::Messaged));
    }

    /// Its record or message is done, or comes back.
    fn answer(&self, state: &mut State, model: &Telling, is_done: bool) {
        match self.source {
            Source::Record => state.record |= !is_done && model.broken != Broken::AcknowledgedEarly,
            Source::Pointer(slot) if is_done => state.delete(slot),
            Source::Pointer(slot) => state.put_back(slot, model.max_receives),
        }
    }

    /// The possible results of the next step.
    pub fn steps(&self, state: &State, mut can: impl FnMut(StepResult)) {
        use StepResult::{AskedAgain, Down, Lost, NotTaken, Refused, Success, Undeliverable, WaysDown, WebhookLost};
        let down;
        let results: &[StepResult] = match self.at {
            At::Intend | At::TakeBack | At::MarkIntent { .. } => &[Success, Refused, Lost, AskedAgain],
            At::MarkMessage(_) | At::MarkBot(_) | At::MarkRest | At::HandOver => &[Success, Refused, Lost],
            At::Send => &[Success, Lost, NotTaken, Down, Undeliverable],
            At::Bot => {
                let lost = self.left.webhook.then_some(WebhookLost);
                down = parts(self.left).map(WaysDown).chain([Success]).chain(lost).collect::<Vec<_>>();
                &down
            }
            At::Answer { .. } => &[Success],
        };
        for result in results {
            if result.fault().is_none_or(|fault| state.can(fault)) {
                can(*result);
            }
        }
    }

    /// Takes the next step. `None` when it was the last.
    #[must_use]
    pub fn step(mut self, state: &mut State, model: &Telling, result: StepResult) -> Option<Self> {
        if let Some(fault) = result.fault() {
            state.left.spend(fault);
        }
        self.at = match self.at {
            At::Intend => self.intend(state, model.broken, result),
            At::TakeBack => self.write_intent(state, model.broken == Broken::IntentCounts, result),
            At::Send => self.send(state, model.broken, result),
            At::MarkMessage(deed) => self.mark_message(state, model.broken, deed, result),
            At::MarkIntent { is_send } => self.write_intent(state, is_send, result),
            At::Bot => self.notify_bot(state, model.broken, result),
            At::MarkBot(deed) => {
                let marked = self.mark_deed(state, model.broken, deed, result);
                if marked == Marked::Held { self.failed() } else { self.after_bot() }
            }
            At::MarkRest => {
                let marked = self.mark_deed(state, model.broken, Deed::Nothing, result);
                if marked == Marked::Held { self.failed() } else { self.end() }
            }
            At::HandOver => {
                if result != StepResult::Refused {
                    state.pointers.push(Pointer { receives: 0, place: Place::Ready });
                }
                At::Answer { is_done: result == StepResult::Success }
            }
            At::Answer { is_done } => {
                self.answer(state, model, is_done || (model.broken == Broken::PointerDeleted && self.is_of_queue()));
                return None;
            }
        };
        Some(self)
    }

    fn intents(&self) -> Option<(Option<Intent>, Intent)> {
        Some((parsed(self.last.as_ref()), parsed(self.this.as_ref())?))
    }

    fn intend(&self, state: &mut State, broken: Broken, result: StepResult) -> At {
        let Some((last, this)) = self.intents() else { return self.failed() };
        let mark = Mark::Messaging { last, this };
        let seen = if broken == Broken::ResultIgnored { state.row.hide_result() } else { Attributes::new() };
        let written = Self::write_mark(state, &mark, result);
        state.row.show(seen);
        match written {
            Marked::Done => At::Send,
            Marked::Held => self.failed(),
            // It may be written all the same, and is no send.
            Marked::Failed => At::TakeBack,
        }
    }

    /// Writes what stays of the intent.
    fn write_intent(&self, state: &mut State, is_send: bool, result: StepResult) -> At {
        let Some((last, this)) = self.intents() else { return self.failed() };
        let left = if is_send { this.unanswered() } else { this.undone(last.as_ref()) };
        let mark = Mark::NotMessaged { left, this };
        let mut write = mark.write(STATUS, UPDATED_AT, false, NOW);
        if matches!(self.at, At::MarkIntent { .. }) && self.message == Message::Pending {
            write = refused_by(Party::WhatsApp, write);
        }
        match Self::write(state, &mark, &write, result) {
            Marked::Held => self.failed(),
            Marked::Done | Marked::Failed => self.after_message(),
        }
    }

    fn send(&mut self, state: &mut State, broken: Broken, result: StepResult) -> At {
        state.seen.at_once |= state.work.iter().any(Self::is_sending);
        if matches!(result, StepResult::Success | StepResult::Lost) {
            state.take_message();
        }
        match result {
            StepResult::Success => {
                state.seen.handed += 1;
                self.message = Message::Sent;
                At::MarkMessage(Deed::Messaged)
            }
            StepResult::Lost | StepResult::NotTaken => {
                state.seen.handed += 1;
                state.seen.doubts += u8::from(result == StepResult::Lost);
                At::MarkIntent { is_send: true }
            }
            StepResult::Undeliverable => {
                self.message = Message::Undeliverable;
                self.tell_bot_again(broken);
                At::MarkMessage(Deed::Undeliverable)
            }
            _ if broken == Broken::RefusalIsMessage => {
                self.message = Message::Sent;
                At::MarkMessage(Deed::Messaged)
            }
            _ => At::MarkIntent { is_send: false },
        }
    }

    fn mark_message(&mut self, state: &mut State, broken: Broken, deed: Deed, result: StepResult) -> At {
        match self.mark_deed(state, broken, deed, result) {
            Marked::Held => self.failed(),
            Marked::Failed if deed == Deed::Messaged => {
                state.seen.doubts += u8::from(result == StepResult::Refused);
                At::MarkIntent { is_send: true }
            }
            Marked::Done | Marked::Failed => self.after_message(),
        }
    }

    fn notify_bot(&mut self, state: &mut State, broken: Broken, result: StepResult) -> At {
        let (not_heard, not_told) = match result {
            StepResult::WaysDown(ways) => (ways, ways),
            StepResult::WebhookLost => (Ways::default(), Ways { webhook: true, ..Ways::default() }),
            _ => (Ways::default(), Ways::default()),
        };
        let heard = self.left.without(not_heard);
        state.seen.heard = state.seen.heard.and(heard);
        if matches!(self.message, Message::Unknown | Message::Undeliverable) {
            state.seen.heard_of_end = state.seen.heard_of_end.and(heard);
        }
        let told = self.left.without(not_told);
        self.left = self.left.without(told);
        match (self.left.are_any(), told.are_any()) {
            (false, _) => At::MarkBot(Deed::Bot),
            (true, false) if self.bot_refused_before => self.after_bot(),
            (true, false) => At::MarkBot(Deed::BotRefused),
            (true, true) if broken == Broken::WaysConfused => At::MarkBot(Deed::Bot),
            (true, true) => At::MarkBot(Deed::Ways(told)),
        }
    }

    fn mark_deed(&mut self, state: &mut State, broken: Broken, deed: Deed, result: StepResult) -> Marked {
        let complete = self.is_done();
        self.unwritten.push((deed, complete));
        let writes = self.unwritten.iter().map(|(deed, complete)| deed.write(&self.mark_of(broken, *deed), *complete));
        let Some(write) = writes.reduce(|earlier, later| later.after(earlier)) else { return Marked::Failed };
        let is_after_bot = !matches!(deed, Deed::Messaged | Deed::MaybeMessaged | Deed::Undeliverable);
        let write = if is_after_bot && self.left.are_any() { refused_by(Party::Bot, write) } else { write };
        let marked = Self::write(state, &self.mark_of(broken, deed), &write, result);
        if marked == Marked::Done {
            self.complete = complete;
        }
        if marked == Marked::Done || deed == Deed::Nothing || broken == Broken::MarkDropped {
            self.unwritten.clear();
        }
        marked
    }

    fn mark_of(&self, broken: Broken, deed: Deed) -> Mark {
        match deed {
            Deed::Messaged => Mark::Messaged,
            Deed::MaybeMessaged => Mark::MaybeMessaged { last: parsed(self.last.as_ref()) },
            Deed::Undeliverable => match parsed(self.this.as_ref()) {
                Some(this) => Mark::Undeliverable { this, code: "63024".to_owned() },
                None => Mark::Nothing,
            },
            Deed::Ways(ways) => self.of_bot(broken, Mark::NotifiedBy(ways)),
            Deed::Bot => self.of_bot(broken, Mark::BotNotified),
            Deed::BotRefused | Deed::Nothing => self.of_bot(broken, Mark::Nothing),
        }
    }

    fn of_bot(&self, broken: Broken, mark: Mark) -> Mark {
        if self.message == Message::Pending && broken != Broken::PendingCounts {
            Mark::WhilePending(Box::new(mark))
        } else {
            mark
        }
    }

    /// Writes a mark of the intent.
    fn write_mark(state: &mut State, mark: &Mark, result: StepResult) -> Marked {
        Self::write(state, mark, &mark.write(STATUS, UPDATED_AT, false, NOW), result)
    }

    /// Writes a mark: `mark` of `attempts.rs`.
    fn write(state: &mut State, mark: &Mark, write: &ConditionalWrite, result: StepResult) -> Marked {
        if result == StepResult::Refused {
            return Marked::Failed;
        }
        let mut written = state.write(write);
        if result == StepResult::AskedAgain {
            written = state.write(write);
        }
        match written {
            _ if result == StepResult::Lost => Marked::Failed,
            Err(item) if !mark.is_in(&item) => Marked::Held,
            _ => Marked::Done,
        }
    }
}

fn parsed(intent: Option<&String>) -> Option<Intent> {
    intent?.parse().ok()
}

/// Each choice of these ways but none.
fn parts(of: Ways) -> impl Iterator<Item = Ways> {
    let both = [false, true];
    let all = both.into_iter().flat_map(move |webhook| {
        both.into_iter().flat_map(move |queue| both.into_iter().map(move |bus| Ways { webhook, queue, bus }))
    });
    all.filter(move |ways| ways.are_any() && !ways.without(of).are_any())
}
