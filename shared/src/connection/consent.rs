//! Which of a chat's consents wins.

use std::time::Duration;

use super::{CONSENTED_AT, DISCONNECTED, ENDED_AT, ENDED_REASON, REVOKED, REVOKED_AT};
use crate::{
    AttemptId, Reason, Timestamp,
    attempt::attr,
    conditional_write::{Attributes, Condition, ConditionalWrite},
};

/// How far two functions' clocks may differ. A time in a row that lies further ahead was not written by this stack.
pub const CLOCK_SKEW: Duration = Duration::from_mins(5);
/// A link's time is known to the second.
const SECOND_MS: u64 = 1_000;

/// A person's consent, as far as its order among a chat's consents is concerned.
///
/// The later consent wins, whenever the codes are exchanged. The order is by the callback's time alone: the times in the
/// row that others write (`issued_at`) are not trusted, and what cannot be compared is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The attempt that it belongs to.
    pub attempt_id: AttemptId,
    /// When the callback was received.
    pub at: Timestamp,
    /// When its link was made; `None` for logins without a link, and for those of a version that did not say so.
    pub link_issued_at: Option<Timestamp>,
}

impl Consent {
    /// What must be true of the chat's token row for this consent to win: the row is of an earlier consent, of this
    /// one, or of nothing that compares; and no revocation came after the link was made.
    #[must_use]
    pub fn wins(&self, now: Timestamp) -> Condition {
        let future = now.plus(CLOCK_SKEW).millis();
        let is_latest = self.is_latest(now);
        let Some(issued_at) = self.link_issued_at else { return is_latest };
        let is_before = |name| {
            Condition::Any(vec![
                Condition::NotNumber(name),
                Condition::Below(name, issued_at.millis().saturating_add(SECOND_MS)),
                Condition::Above(name, future),
            ])
        };
        // Ends of earlier versions have no time of a revocation of its own.
        let ended_otherwise = [REVOKED, DISCONNECTED].map(|reason| Condition::IsNot(ENDED_REASON, reason.into()));
        let no_end = Condition::Any(vec![Condition::All(ended_otherwise.into()), is_before(ENDED_AT)]);
        Condition::All(vec![is_latest, is_before(REVOKED_AT), no_end])
    }

    fn is_latest(&self, now: Timestamp) -> Condition {
        Condition::Any(vec![
            Condition::NotNumber(CONSENTED_AT),
            Condition::Below(CONSENTED_AT, self.at.millis()),
            Condition::Above(CONSENTED_AT, now.plus(CLOCK_SKEW).millis()),
            Condition::All(vec![
                Condition::Is(CONSENTED_AT, self.at.into()),
                Condition::Is(attr::ATTEMPT_ID, self.attempt_id.to_string().into()),
            ]),
        ])
    }

    /// Why this consent ends, which has lost against the chat's row. Whoever approved before a later consent or a revocation
    /// has been overtaken by their own chat, and hears nothing more. Whoever approved after the revocation, with a link from
    /// before it, waits for an answer; so does a chat that confirmed a login after it, which then counts as the time of approval.
    /// A link of the revocation's own second has lost by something else than its time, and counts as one from before.
    #[must_use]
    pub fn reason_lost(&self, row: &Attributes, now: Timestamp) -> Reason {
        let before_it = self.link_issued_at.map(|at| at.minus(Duration::from_millis(SECOND_MS)));
        let is_of_an_older_link = Self { link_issued_at: before_it, ..*self }.is_superseded(row, now);
        let is_outdated = is_of_an_older_link && self.is_latest(now).holds(row);
        if is_outdated { Reason::OutdatedLink } else { Reason::Superseded }
    }

    /// Whether the chat's row is of a later consent, or revoked since this one's link was made.
    #[must_use]
    pub fn is_superseded(&self, row: &Attributes, now: Timestamp) -> bool {
        !self.wins(now).holds(row)
    }

    /// Checks in a transaction that this consent is not superseded. It changes nothing.
    #[must_use]
    pub fn check(&self, now: Timestamp) -> ConditionalWrite {
        ConditionalWrite::only_if(self.wins(now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::conditional_write::Value;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn consent(id: u8, at: u64) -> Consent {
        Consent { attempt_id: AttemptId::from_bytes([id; 16]), at: Timestamp::from_millis(at), link_issued_at: None }
    }

    fn row<const N: usize>(attributes: [(&str, Value); N]) -> Attributes {
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn of(consent: Consent) -> Attributes {
        row([(CONSENTED_AT, consent.at.into()), (attr::ATTEMPT_ID, consent.attempt_id.to_string().into())])
    }

    #[test]
    fn the_later_consent_wins() {
        let (earlier, later) = (consent(1, NOW.millis() - 9), consent(2, NOW.millis() - 8));
        assert!(later.wins(NOW).holds(&of(earlier)));
        assert!(earlier.is_superseded(&of(later), NOW));
    }

    #[test]
    fn a_consent_may_be_stored_again_and_no_other_of_the_same_time() {
        let first = consent(1, NOW.millis());
        assert!(first.wins(NOW).holds(&of(first)));
        assert!(consent(2, NOW.millis()).is_superseded(&of(first), NOW));
    }

    #[test]
    fn a_row_that_cannot_be_compared_is_replaced() {
        let any = consent(1, 1);
        for odd in [
            row([]),
            row([(super::super::ISSUED_AT, "1790000000123".into())]),
            row([(super::super::ISSUED_AT, u64::MAX.into())]),
            row([(CONSENTED_AT, "1790000000123".into())]),
            row([(CONSENTED_AT, Value::Other)]),
            row([(CONSENTED_AT, true.into())]),
            row([(CONSENTED_AT, NOW.plus(CLOCK_SKEW).plus(Duration::from_millis(1)).into())]),
        ] {
            assert!(any.wins(NOW).holds(&odd), "{odd:?}");
        }
    }

    #[test]
    fn a_link_from_before_a_revocation_loses() {
        let of_link = |seconds| Consent { link_issued_at: Some(Timestamp::from_seconds(seconds)), ..consent(1, 9_000) };
        for reason in [REVOKED, DISCONNECTED] {
            let ended = row([(ENDED_AT, 5_500.into()), (ENDED_REASON, reason.into()), (CONSENTED_AT, 5_500.into())]);
            assert!(of_link(4).is_superseded(&ended, NOW));
            // Within the second nobody knows: the person is given the benefit of it.
            assert!(!of_link(5).is_superseded(&ended, NOW));
            assert!(!of_link(6).is_superseded(&ended, NOW));
        }
        let ended_otherwise = row([(ENDED_AT, 5_500.into()), (ENDED_REASON, "expired".into())]);
        assert!(!of_link(4).is_superseded(&ended_otherwise, NOW));
    }

    #[test]
    fn who_approves_after_a_revocation_with_an_older_link_is_answered() {
        let revoked = row([(ENDED_AT, 5_500.into()), (ENDED_REASON, REVOKED.into()), (CONSENTED_AT, 5_500.into())]);
        let of_link = |at| Consent { link_issued_at: Some(Timestamp::from_seconds(4)), ..consent(1, at) };
        for (at, reason) in [(5_400, Reason::Superseded), (5_500, Reason::Superseded), (5_501, Reason::OutdatedLink)] {
            assert!(of_link(at).is_superseded(&revoked, NOW), "{at}");
            assert_eq!(of_link(at).reason_lost(&revoked, NOW), reason, "{at}");
        }
        assert_eq!(consent(1, 9).reason_lost(&of(consent(2, 10)), NOW), Reason::Superseded);
        assert_eq!(consent(1, 9).reason_lost(&row([]), NOW), Reason::Superseded, "the row has changed since");
    }

    /// They approved before it, and confirmed after it.
    #[test]
    fn who_confirms_after_a_revocation_is_answered_however_soon_it_came_after_the_link() {
        for reason in [REVOKED, DISCONNECTED] {
            for revoked_at in [5_100, 5_999, 6_000, 7_000] {
                let end = [REVOKED_AT, ENDED_AT, CONSENTED_AT].map(|name| (name, revoked_at.into()));
                let mut revoked = row(end);
                revoked.extend(row([(ENDED_REASON, reason.into())]));
                let of = |at| Consent { link_issued_at: Some(Timestamp::from_seconds(5)), ..consent(1, at) };
                assert!(of(5_050).is_superseded(&revoked, NOW), "{revoked_at}");
                assert_eq!(of(5_050).reason_lost(&revoked, NOW), Reason::Superseded, "{revoked_at}");
                assert_eq!(of(9_000).reason_lost(&revoked, NOW), Reason::OutdatedLink, "{reason} {revoked_at}");
            }
        }
    }

    #[test]
    fn a_link_from_before_a_revocation_loses_after_a_later_connection_too() {
        let mut reconnected = of(consent(2, 8_000));
        reconnected.extend(row([(REVOKED_AT, 5_500.into())]));
        let of_link = |seconds| Consent { link_issued_at: Some(Timestamp::from_seconds(seconds)), ..consent(1, 9_000) };
        assert!(of_link(4).is_superseded(&reconnected, NOW));
        assert!(!of_link(6).is_superseded(&reconnected, NOW));
        let ahead = row([(REVOKED_AT, NOW.plus(CLOCK_SKEW).plus(Duration::from_millis(1)).into())]);
        assert!(!of_link(4).is_superseded(&ahead, NOW), "not written by this stack");
    }

    #[test]
    fn a_time_in_another_form_is_compared_all_the_same() {
        let at = NOW.millis();
        for (text, loses) in [
            (format!("{at}.5"), true),
            (format!("{}.5", at - 1), false),
            (format!("-{at}.5"), false),
            ("1E+40".to_owned(), false),
            (format!("{}", at + 1), true),
        ] {
            let odd = row([(CONSENTED_AT, Value::number(&text))]);
            assert_eq!(consent(1, at).is_superseded(&odd, NOW), loses, "{text}");
        }
    }

    proptest! {
        #[test]
        fn of_two_consents_exactly_one_wins_over_the_other(a in 0u64..1_000, b in 0u64..1_000) {
            prop_assume!(a != b);
            let (first, second) = (consent(1, a), consent(2, b));
            prop_assert_ne!(first.is_superseded(&of(second), NOW), second.is_superseded(&of(first), NOW));
        }
    }
}
