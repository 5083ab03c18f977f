//! The ways on which a bot hears of an outcome, and the marks that say which of them took its event. Pure.

use super::{Item, attr};

/// Some of the ways to the bot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ways {
    /// The webhook.
    pub webhook: bool,
    /// The queue.
    pub queue: bool,
    /// The event bus.
    pub bus: bool,
}

impl Ways {
    /// Every way that there can be.
    pub const ALL: Self = Self { webhook: true, queue: true, bus: true };

    /// Those on which the bot was notified, by the marks.
    #[must_use]
    pub const fn told(item: &Item) -> Self {
        if item.bot_told_at.is_some() {
            return Self::ALL;
        }
        Self {
            webhook: item.webhook_told_at.is_some(),
            queue: item.queue_told_at.is_some(),
            bus: item.bus_told_at.is_some(),
        }
    }

    /// Whether there is at least one.
    #[must_use]
    pub const fn are_any(self) -> bool {
        self.webhook || self.queue || self.bus
    }

    /// Those that are not among these.
    #[must_use]
    pub const fn without(self, those: Self) -> Self {
        Self { webhook: self.webhook && !those.webhook, queue: self.queue && !those.queue, bus: self.bus && !those.bus }
    }

    /// Those and these.
    #[must_use]
    pub const fn and(self, those: Self) -> Self {
        Self { webhook: self.webhook || those.webhook, queue: self.queue || those.queue, bus: self.bus || those.bus }
    }

    /// The attributes that say that each of them took the event.
    pub(crate) fn marks(self) -> impl Iterator<Item = &'static str> {
        let marks =
            [(self.webhook, attr::WEBHOOK_TOLD_AT), (self.queue, attr::QUEUE_TOLD_AT), (self.bus, attr::BUS_TOLD_AT)];
        marks.into_iter().filter_map(|(is_among, mark)| is_among.then_some(mark))
    }
}
