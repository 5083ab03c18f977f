//! The end of a chat's connection: what is written to its row and to the outbox, in one transaction. Pure.

use super::{
    ACCESS_TOKEN, APP_HASH, CONNECTED_AT, CONSENTED_AT, DEAD_AT, DISCONNECTED, END_ID, ENDED_AT, ENDED_REASON,
    EXPIRES_AT, ISSUED_AT, LEASE_HOLDER, LEASE_UNTIL, LOST_AT, REFRESH_TOKEN, REFRESHED_AT, RETRY_AT, REVOKED,
    REVOKED_AT, StoredTokens, refresh,
};
use crate::{
    AttemptId, Language, LinkId, LoginUrl, Reference, Status, Timestamp, WaId,
    attempt::{End, EndReason, attr, index, ledger::RETENTION},
    conditional_write::{Attributes, Condition, ConditionalWrite, Value, text},
};

/// The end of a connection, whose tokens were revoked, or died by themselves, or were none.
///
/// [`Self::tombstone`] and [`Self::record`] are written in one transaction: whoever was connected hears of it, and by a
/// repetition nobody hears of it again.
#[derive(Clone, Copy)]
pub struct ConnectionEnd<'a> {
    /// The chat.
    pub wa_id: &'a WaId,
    /// Its row in the token table, as it was read.
    pub row: &'a Attributes,
    /// Why.
    pub reason: EndReason,
    /// The link that the connection's attempt began with, where it is known.
    pub link_id: Option<LinkId>,
    /// When it ended.
    pub at: Timestamp,
}

/// Whether the row is or was a connection, and not just something that a bot keeps there.
#[must_use]
pub fn was_connected(row: &Attributes) -> bool {
    [ACCESS_TOKEN, REFRESH_TOKEN, ISSUED_AT, CONNECTED_AT, ENDED_AT, attr::ATTEMPT_ID]
        .into_iter()
        .any(|name| row.contains_key(name))
}

/// The record of the connection's end, where it has ended and was recorded.
#[must_use]
pub fn recorded_end(row: &Attributes) -> Option<AttemptId> {
    let id = text(row, END_ID)?.parse().ok()?;
    StoredTokens::read(row).is_none().then_some(id)
}

/// The time of a revocation, where the row's end alone tells it, which a new connection removes: it is kept as
/// [`REVOKED_AT`]. Ends of earlier versions are such.
#[must_use]
pub fn kept_revocation(row: &Attributes) -> Option<Timestamp> {
    let is_revoked = matches!(text(row, ENDED_REASON), Some(REVOKED | DISCONNECTED));
    if row.contains_key(REVOKED_AT) || !is_revoked { None } else { row.get(ENDED_AT).and_then(Value::as_time) }
}

/// Marks the record of an end, because the chat has connected again: nobody there is told by it that they are not
/// connected. It is written with the new connection, in one transaction.
#[must_use]
pub fn replaced(now: Timestamp) -> ConditionalWrite {
    ConditionalWrite::only_if(Condition::Is(attr::STATUS, Status::Ended.as_str().into())).set(attr::REPLACED_AT, now)
}

impl ConnectionEnd<'_> {
    /// The id of the record. A connection has one end: it is derived from the connection, as the row has it.
    #[must_use]
    pub fn id(&self) -> AttemptId {
        let number = |name| self.row.get(name).and_then(Value::as_number).unwrap_or_default();
        AttemptId::of_end(self.wa_id, self.connected_by(), number(CONSENTED_AT), number(ISSUED_AT))
    }

    /// The tokens leave the row. Where it was not Salesforce that ended the connection, links that were made before lose. It is
    /// not made where the row holds other tokens by now, or the end is recorded.
    #[must_use]
    pub fn tombstone(&self) -> ConditionalWrite {
        let tokens = StoredTokens::read(self.row);
        let unchanged = StoredTokens::unchanged(tokens.as_ref());
        let condition = match tokens {
            Some(_) => unchanged,
            None => Condition::All(vec![unchanged, Condition::NoText(END_ID)]),
        };
        // What Salesforce has said is of the row as it was read: a refresh or a consent in between knows better.
        let condition = if self.reason.is_by_salesforce() {
            Condition::All(vec![condition, refresh::version_stands(self.row)])
        } else {
            condition
        };
        let write = ConditionalWrite::only_if(condition);
        // A consent that is under way is newer than what Salesforce has ended, and not what a person or an operator wants no more.
        let write = if self.reason.is_by_salesforce() {
            write
        } else {
            write.set(REVOKED_AT, self.at).set(CONSENTED_AT, self.at)
        };
        refresh::count(write, self.row)
            .set(ENDED_AT, self.at)
            .set(ENDED_REASON, self.reason.as_str())
            .set(END_ID, self.id().to_string())
            .remove([ACCESS_TOKEN, REFRESH_TOKEN, ISSUED_AT, CONNECTED_AT, attr::SCOPE])
            .remove([REFRESHED_AT, EXPIRES_AT, APP_HASH, LEASE_UNTIL, LEASE_HOLDER, LOST_AT, DEAD_AT, RETRY_AT])
    }

    /// The outcome, untold. It replaces no attempt's.
    #[must_use]
    pub fn record(&self) -> ConditionalWrite {
        let (status, text) = (Status::Ended.as_str(), |name| text(self.row, name));
        let end = End {
            reason: self.reason,
            connected_by: self.connected_by(),
            username: text(attr::USERNAME),
            org_id: text(attr::ORG_ID),
            instance_url: text(attr::INSTANCE_URL),
            is_replaced: false,
        };
        // A bot may have written it: another form is not worth an outcome that cannot be read.
        let login_url = text(attr::LOGIN_URL).filter(|url| url.parse::<LoginUrl>().is_ok());
        let is_free =
            Condition::Any(vec![Condition::Absent(attr::ATTEMPT_ID), Condition::Is(attr::STATUS, status.into())]);
        end.written_by(ConditionalWrite::only_if(is_free))
            .set(attr::STATUS, status)
            .set(attr::WA_ID, self.wa_id.as_str())
            .set(attr::UPDATED_AT, self.at)
            .set(attr::STATUS_DAY, index::status_day(self.id(), Status::Ended, self.at))
            .set(attr::EXPIRES_AT, self.at.plus(RETENTION).seconds())
            .set_or_remove(attr::LOGIN_URL, login_url)
            .set_or_remove(attr::LINK_ID, self.link_id.map(|id| id.to_string()))
            .set_or_remove(attr::REFERENCE, Reference::of(self.row).as_ref().map(Reference::as_str))
            .set_or_remove(attr::LANGUAGE, Language::of(self.row).map(Language::tag))
            .remove(attr::MARKS)
            .remove([attr::REPLACED_AT])
    }

    fn connected_by(&self) -> Option<AttemptId> {
        text(self.row, attr::ATTEMPT_ID)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Consent, VERSION, is_connected},
        *,
    };
    use crate::attempt::{Item, Outcome};

    const ATTEMPT: &str = "07070707070707070707070707070707";

    fn chat() -> WaId {
        "whatsapp:+15551234567".parse().unwrap()
    }

    fn row<const N: usize>(attributes: [(&str, Value); N]) -> Attributes {
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn connected() -> Attributes {
        row([
            (ACCESS_TOKEN, "access".into()),
            (REFRESH_TOKEN, "refresh".into()),
            (ISSUED_AT, 1.into()),
            (CONSENTED_AT, 2.into()),
            (attr::ATTEMPT_ID, ATTEMPT.into()),
            (attr::USERNAME, "ada@example.com".into()),
            (attr::LOGIN_URL, "https://test.salesforce.com".into()),
            (attr::REFERENCE, "crm/42".into()),
            (attr::LANGUAGE, "hi".into()),
            ("of_the_bot", "note".into()),
        ])
    }

    fn end<'a>(wa_id: &'a WaId, row: &'a Attributes, at: u64) -> ConnectionEnd<'a> {
        ConnectionEnd { wa_id, row, reason: EndReason::Revoked, link_id: None, at: Timestamp::from_millis(at) }
    }

    /// The two writes in one transaction; `false` where neither is made.
    fn transact(end: &ConnectionEnd<'_>, row: &mut Attributes, record: &mut Attributes) -> bool {
        let is_allowed = end.tombstone().is_allowed(row) && end.record().is_allowed(record);
        is_allowed && end.tombstone().apply(row) && end.record().apply(record)
    }

    /// The record as DynamoDB has it, with its key.
    fn stored(record: &Attributes, id: AttemptId) -> Attributes {
        let mut record = record.clone();
        record.insert(attr::ATTEMPT_ID.to_owned(), id.to_string().into());
        record
    }

    #[test]
    fn a_connection_that_ended_has_no_token_and_says_when_and_by_which_record() {
        let (chat, mut row) = (chat(), connected());
        assert!(is_connected(&row));
        let before = row.clone();
        let end = end(&chat, &before, 7);
        assert!(end.tombstone().apply(&mut row));
        assert!(!is_connected(&row) && StoredTokens::read(&row).is_none());
        assert_eq!((row.get(ENDED_AT), row.get(CONSENTED_AT)), (Some(&7.into()), Some(&7.into())));
        assert_eq!(recorded_end(&row), Some(end.id()));
        assert_eq!(row.get("of_the_bot"), Some(&"note".into()));
    }

    #[test]
    fn the_time_of_a_revocation_stays_when_the_chat_connects_again() {
        let (chat, before) = (chat(), connected());
        for reason in EndReason::ALL {
            let revoked_at = (!reason.is_by_salesforce()).then_some(7);
            let mut row = before.clone();
            assert!(ConnectionEnd { reason, ..end(&chat, &before, 7) }.tombstone().apply(&mut row));
            assert_eq!((row.get(REVOKED_AT), kept_revocation(&row)), (revoked_at.map(Value::from).as_ref(), None));

            let without_it = self::row([(ENDED_AT, 7.into()), (ENDED_REASON, reason.as_str().into())]);
            assert_eq!(kept_revocation(&without_it), revoked_at.map(Timestamp::from_millis), "{reason:?}");
        }
    }

    #[test]
    fn a_link_from_before_a_connection_was_ended_connects_the_chat_no_more() {
        let (chat, before) = (chat(), connected());
        let now = Timestamp::from_millis(20_000);
        let consent = |link: u64| Consent {
            attempt_id: AttemptId::from_bytes([9; 16]),
            at: Timestamp::from_millis(9_000),
            link_issued_at: Some(Timestamp::from_seconds(link)),
        };
        for reason in EndReason::ALL {
            let mut row = before.clone();
            assert!(ConnectionEnd { reason, ..end(&chat, &before, 7_500) }.tombstone().apply(&mut row));
            assert_eq!(consent(5).wins(now).holds(&row), reason.is_by_salesforce(), "{reason:?}");
            assert!(consent(8).wins(now).holds(&row), "{reason:?}");
        }
    }

    #[test]
    fn the_record_is_an_outcome_that_says_which_connection_ended() {
        let (chat, row) = (chat(), connected());
        let link_id = Some(LinkId::from_bytes([3; 16]));
        let end = ConnectionEnd { link_id, ..end(&chat, &row, 7) };
        let mut record = Attributes::new();
        assert!(end.record().apply(&mut record));
        let item = Item::read(&stored(&record, end.id()), &[]).unwrap();
        let Outcome::Ended(told) = item.outcome().unwrap() else { panic!("another outcome") };
        assert_eq!((item.wa_id, item.link_id, item.updated_at), (Some(chat.clone()), link_id, Some(end.at)));
        assert_eq!(told.reason, EndReason::Revoked);
        assert_eq!(told.connected_by, ATTEMPT.parse().ok());
        assert_eq!((told.username.as_deref(), told.is_replaced), (Some("ada@example.com"), false));
        assert_eq!(item.reference.as_ref().map(Reference::as_str), Some("crm/42"));
        assert_eq!(item.language, Some(Language::Hindi));
    }

    #[test]
    fn a_row_keeps_its_reference_and_its_language_when_its_connection_ends() {
        let (chat, mut row) = (chat(), connected());
        let before = row.clone();
        assert!(end(&chat, &before, 7).tombstone().apply(&mut row));
        assert_eq!((Reference::of(&row), Language::of(&row)), ("crm/42".parse().ok(), Some(Language::Hindi)));
    }

    #[test]
    fn a_row_whose_tokens_changed_meanwhile_is_not_ended() {
        let (chat, before) = (chat(), row([(REFRESH_TOKEN, "old".into())]));
        let mut newer = row([(REFRESH_TOKEN, "new".into())]);
        assert!(!end(&chat, &before, 7).tombstone().apply(&mut newer));
        let without = row([(CONNECTED_AT, 1.into())]);
        assert!(!end(&chat, &without, 7).tombstone().apply(&mut newer), "it has tokens by now");
    }

    #[test]
    fn of_two_that_end_one_connection_one_records_it() {
        for before in [connected(), row([(attr::ATTEMPT_ID, ATTEMPT.into())])] {
            let (chat, mut current, mut record) = (chat(), before.clone(), Attributes::new());
            let (first, second) = (end(&chat, &before, 7), end(&chat, &before, 8));
            assert_eq!(first.id(), second.id());
            assert!(transact(&first, &mut current, &mut record));
            record = stored(&record, first.id());
            let told = record.clone();
            assert!(!transact(&second, &mut current, &mut record));
            assert_eq!(record, told);
        }
    }

    #[test]
    fn an_end_that_an_earlier_version_did_not_record_is_recorded() {
        let (chat, mut current) = (chat(), row([(ENDED_AT, 5.into()), (CONSENTED_AT, 5.into())]));
        let before = current.clone();
        assert_eq!(recorded_end(&before), None);
        assert!(transact(&end(&chat, &before, 7), &mut current, &mut Attributes::new()));
        assert!(recorded_end(&current).is_some());
    }

    #[test]
    fn each_connection_of_a_chat_has_an_end_of_its_own() {
        let (chat, other): (WaId, WaId) = (chat(), "whatsapp:+15557654321".parse().unwrap());
        let first = connected();
        let with = |name: &str, value: Value| {
            let mut row = first.clone();
            row.insert(name.to_owned(), value);
            row
        };
        let ids = [
            end(&chat, &first, 7).id(),
            end(&other, &first, 7).id(),
            end(&chat, &with(CONSENTED_AT, 3.into()), 7).id(),
            end(&chat, &with(ISSUED_AT, 3.into()), 7).id(),
            end(&chat, &with(attr::ATTEMPT_ID, "08".repeat(16).into()), 7).id(),
            end(&chat, &with(attr::ATTEMPT_ID, "another system's".into()), 7).id(),
        ];
        for (place, id) in ids.iter().enumerate() {
            assert!(!ids[..place].contains(id), "{place}");
        }
    }

    #[test]
    fn a_row_restored_from_a_backup_ends_again_and_is_told_again() {
        let (chat, before) = (chat(), connected());
        let (mut current, mut record) = (before.clone(), Attributes::new());
        assert!(transact(&end(&chat, &before, 7), &mut current, &mut record));
        record = stored(&record, end(&chat, &before, 7).id());
        record.insert(attr::NOTIFIED_AT.to_owned(), 8.into());
        current = before.clone();
        assert!(transact(&end(&chat, &before, 9), &mut current, &mut record));
        assert_eq!((record.get(attr::UPDATED_AT), record.get(attr::NOTIFIED_AT)), (Some(&9.into()), None));
    }

    #[test]
    fn an_attempt_is_never_overwritten_by_an_end() {
        let (chat, row) = (chat(), connected());
        for status in [Status::Exchanging, Status::Connected, Status::Failed, Status::Delayed] {
            let mut attempt = self::row([(attr::ATTEMPT_ID, ATTEMPT.into()), (attr::STATUS, status.as_str().into())]);
            assert!(!end(&chat, &row, 7).record().apply(&mut attempt));
        }
    }

    #[test]
    fn an_end_is_replaced_where_there_is_one() {
        let (chat, row) = (chat(), connected());
        let end = end(&chat, &row, 7);
        let mut record = Attributes::new();
        assert!(!replaced(Timestamp::from_millis(9)).apply(&mut record));
        assert!(end.record().apply(&mut record) && replaced(Timestamp::from_millis(9)).apply(&mut record));
        let outcome = Item::read(&stored(&record, end.id()), &[]).unwrap().outcome().unwrap();
        assert!(outcome.is_silent() && outcome.next().is_none() && !outcome.wants_link());
    }

    #[test]
    fn what_a_bot_wrote_in_a_form_of_its_own_is_left_out() {
        let chat = chat();
        let odd = row([
            (ACCESS_TOKEN, "a".into()),
            (attr::USERNAME, 7.into()),
            (attr::LOGIN_URL, "nonsense".into()),
            (attr::LANGUAGE, "Klingon".into()),
        ]);
        let end = end(&chat, &odd, 7);
        let mut record = Attributes::new();
        assert!(end.record().apply(&mut record));
        let item = Item::read(&stored(&record, end.id()), &[]).unwrap();
        assert_eq!((item.username, item.login_url, item.language), (None, None, None));
    }

    #[test]
    fn a_row_that_a_bot_keeps_notes_in_was_no_connection() {
        assert!(!was_connected(&row([(attr::WA_ID, "x".into()), ("of_the_bot", "note".into())])));
        assert!(was_connected(&connected()) && was_connected(&row([(ENDED_AT, 1.into())])));
    }

    #[test]
    fn a_consent_that_is_under_way_while_salesforce_ends_the_old_connection_wins() {
        let (chat, mut current) = (chat(), connected());
        let before = current.clone();
        assert!(ConnectionEnd { reason: EndReason::Expired, ..end(&chat, &before, 7) }.tombstone().apply(&mut current));
        let of = |at| Consent {
            attempt_id: AttemptId::from_bytes([9; 16]),
            at: Timestamp::from_millis(at),
            link_issued_at: None,
        };
        let now = Timestamp::from_millis(9);
        assert!(!of(5).is_superseded(&current, now), "it was given before the end was found");
        assert!(of(1).is_superseded(&current, now), "it is older than the connection that ended");
        let mut disconnected = before.clone();
        let by_the_person = ConnectionEnd { reason: EndReason::Disconnected, ..end(&chat, &before, 7) };
        assert!(by_the_person.tombstone().apply(&mut disconnected) && of(5).is_superseded(&disconnected, now));
    }

    #[test]
    fn what_salesforce_has_ended_is_not_written_over_a_row_that_was_refreshed_meanwhile() {
        let (chat, before) = (chat(), connected());
        let mut refreshed = before.clone();
        refreshed.insert(VERSION.to_owned(), 5.into());
        let expired = ConnectionEnd { reason: EndReason::Expired, ..end(&chat, &before, 7) };
        assert!(!expired.tombstone().apply(&mut refreshed));
        assert!(
            end(&chat, &before, 7).tombstone().apply(&mut refreshed),
            "whoever disconnects means whatever is there"
        );
    }

    #[test]
    fn a_row_in_which_a_bot_keeps_a_version_of_its_own_is_ended_too() {
        let (chat, mut current) = (chat(), connected());
        current.insert(VERSION.to_owned(), "v2".into());
        let before = current.clone();
        for reason in [EndReason::Disconnected, EndReason::Expired] {
            let mut row = before.clone();
            assert!(ConnectionEnd { reason, ..end(&chat, &before, 7) }.tombstone().apply(&mut row));
            assert_eq!(row.get(VERSION), Some(&1.into()), "DynamoDB adds to no text");
        }
    }
}
