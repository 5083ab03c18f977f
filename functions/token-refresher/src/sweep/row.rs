//! What a sweep makes of a row: whether it is due, whether its refresh token is to be sealed, how old its tokens are. Pure.

use std::time::Duration;

use shared::{
    Timestamp, WaId,
    attempt::attr,
    conditional_write::{Attributes, Value},
    connection::{ENDED_AT, REFRESH_TOKEN, RefreshTokenText, age, has_foreign_version, is_due},
};

/// A row of this stack's form.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) wa_id: WaId,
    /// Whether its tokens are to be refreshed.
    pub(crate) is_due: bool,
    /// A refresh token that stands there as Salesforce gave it.
    pub(crate) plain: Option<RefreshTokenText>,
    /// Whether the row has a version of this stack's, or none.
    pub(crate) is_counted: bool,
    /// For how long nobody has refreshed its tokens, where they could be and that is known.
    pub(crate) age: Option<Duration>,
}

/// A row that is none of this stack's: there is nothing that could be done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign;

impl Row {
    /// Reads a row. The times of a row may be of any form, since bots write them too: such a row is due.
    pub(crate) fn read(row: &Attributes, keep_alive: Option<Duration>, now: Timestamp) -> Result<Self, Foreign> {
        let key = row.get(attr::WA_ID).and_then(Value::as_text).ok_or(Foreign)?;
        // A spelling that the stack would repair is not the key of the row that it reads.
        let wa_id = key.parse().ok().filter(|wa_id: &WaId| wa_id.as_str() == key).ok_or(Foreign)?;
        let token = match row.get(REFRESH_TOKEN) {
            None => None,
            Some(Value::Text(text)) => Some(text.as_str()).filter(|text| !text.is_empty()),
            Some(_) => return Err(Foreign),
        };
        let token = token.filter(|_| !row.contains_key(ENDED_AT)).map(RefreshTokenText::new);
        let age = token.is_some().then(|| age(row, now)).filter(|age| *age < Duration::MAX);
        let plain = token.filter(|token| matches!(token, RefreshTokenText::Plain(_)));
        Ok(Self { wa_id, is_due: is_due(row, keep_alive, now), plain, is_counted: !has_foreign_version(row), age })
    }
}

#[cfg(test)]
mod tests {
    use shared::connection::{ISSUED_AT, LEASE_UNTIL, LOST_AT, REFRESHED_AT};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const DAY: Duration = Duration::from_hours(24);
    const KEEP_ALIVE: Option<Duration> = Some(Duration::from_hours(20 * 24));

    fn row<const N: usize>(attributes: [(&str, Value); N]) -> Attributes {
        let usual = [(attr::WA_ID, "whatsapp:+15551234567".into()), (REFRESH_TOKEN, "sealed:v1:a:b:c".into())];
        usual.into_iter().chain(attributes).map(|(name, value): (&str, Value)| (name.to_owned(), value)).collect()
    }

    fn read<const N: usize>(attributes: [(&str, Value); N]) -> Row {
        Row::read(&row(attributes), KEEP_ALIVE, NOW).unwrap()
    }

    fn before(time: Duration) -> Value {
        NOW.minus(time).into()
    }

    #[test]
    fn a_row_is_due_once_nobody_has_refreshed_it_for_so_many_days() {
        assert!(!read([(REFRESHED_AT, before(Duration::from_millis(20 * 86_400_000 - 1)))]).is_due);
        assert!(read([(REFRESHED_AT, before(20 * DAY))]).is_due);
        assert!(!read([(REFRESHED_AT, before(DAY)), (ISSUED_AT, before(25 * DAY))]).is_due);
        assert!(read([(ISSUED_AT, before(25 * DAY))]).is_due, "of an earlier version");
    }

    #[test]
    fn a_row_that_a_refresh_has_left_behind_is_due_whatever_its_age() {
        let fresh = || (REFRESHED_AT, before(DAY));
        assert!(read([fresh(), (LEASE_UNTIL, before(Duration::from_secs(1)))]).is_due);
        assert!(!read([fresh(), (LEASE_UNTIL, NOW.plus(Duration::from_secs(9)).into())]).is_due, "it is under way");
        assert!(read([fresh(), (LOST_AT, before(DAY))]).is_due);
        let row = row([fresh(), (LOST_AT, before(DAY))]);
        assert!(Row::read(&row, None, NOW).unwrap().is_due, "without keep-alive too");
    }

    #[test]
    fn without_keep_alive_age_alone_makes_no_row_due() {
        assert!(!Row::read(&row([(REFRESHED_AT, before(90 * DAY))]), None, NOW).unwrap().is_due);
    }

    #[test]
    fn a_row_without_a_refresh_token_or_with_an_end_is_never_due_and_has_no_age() {
        for idle in [
            read([(REFRESH_TOKEN, "".into()), (REFRESHED_AT, before(90 * DAY))]),
            read([(ENDED_AT, before(DAY)), (REFRESHED_AT, before(90 * DAY)), (REFRESH_TOKEN, "5Aep".into())]),
        ] {
            assert!(!idle.is_due && idle.plain.is_none() && idle.age.is_none(), "{idle:?}");
        }
    }

    #[test]
    fn a_connection_without_a_refresh_token_is_looked_at_once_it_is_old_and_has_no_age() {
        for none in [(REFRESH_TOKEN, "".into()), (REFRESH_TOKEN, Value::Text(String::new()))] {
            let of = |days: u32| read([none.clone(), (ISSUED_AT, before(DAY * days))]);
            assert!(of(20).is_due && !of(19).is_due && of(20).plain.is_none() && of(20).age.is_none());
        }
    }

    #[test]
    fn a_row_whose_times_cannot_be_true_is_due_and_measures_nothing() {
        for odd in ["1790000000123".into(), u64::MAX.into(), Value::Other] {
            let row = read([(REFRESHED_AT, odd)]);
            assert!(row.is_due && row.age.is_none(), "{row:?}");
        }
        assert_eq!(read([(REFRESHED_AT, before(3 * DAY))]).age, Some(3 * DAY));
    }

    #[test]
    fn a_refresh_token_that_is_not_sealed_is_to_be_sealed() {
        assert!(read([]).plain.is_none());
        assert_eq!(read([(REFRESH_TOKEN, "5Aep861!".into())]).plain.unwrap().stored(), "5Aep861!");
    }

    #[test]
    fn a_row_of_another_form_is_foreign() {
        for odd in [
            row([(attr::WA_ID, "somebody".into())]),
            row([(attr::WA_ID, "whatsapp:%2B15551234567".into())]),
            row([(attr::WA_ID, 5.into())]),
            row([(REFRESH_TOKEN, 5.into())]),
            row([(REFRESH_TOKEN, Value::Other)]),
            Attributes::new(),
        ] {
            assert_eq!(Row::read(&odd, KEEP_ALIVE, NOW).unwrap_err(), Foreign, "{odd:?}");
        }
    }
}
