//! A point in time, as it is typed: so long ago, or by the clock.

use std::{
    str::FromStr,
    time::{Duration, UNIX_EPOCH},
};

use humantime::{parse_duration, parse_rfc3339};
use shared::Timestamp;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So long ago: `90s`, `15m`, `2h`, `7d`.
    Ago(Duration),
    /// RFC 3339, with its offset: `2026-11-26T10:00:00Z`, `2026-11-26T12:00:00+02:00`.
    At(Timestamp),
}

/// The text is no point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTime {
    #[error("neither a duration (90s, 15m, 2h, 7d) nor a time (2026-11-26T10:00:00Z, 2026-11-26T12:00:00+02:00)")]
    Unknown,
    /// A duration that cannot be taken.
    #[error(transparent)]
    Duration(InvalidDuration),
}

/// The text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidDuration {
    #[error("not a duration (90s, 15m, 2h, 7d)")]
    Unknown,
    /// `humantime` takes an `M` for months, and whoever types it mostly means minutes.
    #[error("M may mean minutes or months: give minutes as 5m, and months in days, as 150d")]
    MinutesOrMonths,
    #[error("it counts back from now, without a sign: give 1h for the last hour")]
    Signed,
    #[error("units are lower case: 90s, 15m, 2h, 7d")]
    UpperCase,
    #[error("no time at all: give 1s or more")]
    Zero,
}

/// A duration, as it is typed.
pub(super) fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    let is_duration = |text: &str| parse_duration(text).is_ok();
    let duration = match parse_duration(text) {
        Ok(duration) => duration,
        Err(_) if text.trim().strip_prefix(['-', '+']).is_some_and(is_duration) => return Err(InvalidDuration::Signed),
        Err(_) if is_duration(&text.to_ascii_lowercase()) => return Err(InvalidDuration::UpperCase),
        Err(_) => return Err(InvalidDuration::Unknown),
    };
    let has_months = text.split(|one: char| !one.is_ascii_alphabetic()).any(|unit| unit == "M");
    match duration {
        _ if has_months => Err(InvalidDuration::MinutesOrMonths),
        Duration::ZERO => Err(InvalidDuration::Zero),
        duration => Ok(duration),
    }
}

impl When {
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(duration) => now.minus(duration),
            Self::At(time) => time,
        }
    }
}

impl FromStr for When {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        match duration(text) {
            Ok(duration) => Ok(Self::Ago(duration)),
            Err(InvalidDuration::Unknown) => time(text).map(Self::At).ok_or(InvalidTime::Unknown),
            Err(why) => Err(InvalidTime::Duration(why)),
        }
    }
}

/// RFC 3339 (section 5.6), which `humantime` reads in UTC alone.
fn time(text: &str) -> Option<Timestamp> {
    let (utc, is_ahead, offset) = match text.len().checked_sub("+00:00".len()).and_then(|at| text.split_at_checked(at))
    {
        Some((local, offset)) if offset.starts_with(['+', '-']) => {
            (format!("{local}Z"), offset.starts_with('+'), of_offset(&offset[1..])?)
        }
        _ => (text.to_owned(), false, Duration::ZERO),
    };
    let since_epoch = parse_rfc3339(&utc).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let local = Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).ok()?);
    Some(if is_ahead { local.minus(offset) } else { local.plus(offset) })
}

/// `02:30`, of an offset.
fn of_offset(offset: &str) -> Option<Duration> {
    let (hours, minutes) = offset.split_once(':')?;
    let number = |text: &str, end: u64| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|number| is_number && *number < end)
    };
    Some(Duration::from_secs(60 * (60 * number(hours, 24)? + number(minutes, 60)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn before(text: &str) -> Result<String, InvalidTime> {
        text.parse::<When>().map(|when| when.before(NOW).rfc3339())
    }

    #[test]
    fn a_duration_is_so_long_ago() {
        assert_eq!(before("90s").unwrap(), "2026-09-21T14:11:50Z");
        assert_eq!(before("1h 30m").unwrap(), "2026-09-21T12:43:20Z");
    }

    #[test]
    fn months_that_may_be_minutes_are_refused_with_what_to_give() {
        for text in ["5M", "1h 30M", "5 M", "1M2d"] {
            assert_eq!(duration(text), Err(InvalidDuration::MinutesOrMonths), "{text}");
            let why = before(text).unwrap_err().to_string();
            assert!(why.contains("minutes as 5m") && why.contains("150d"), "{why}");
        }
        assert_eq!(duration("2months").unwrap(), parse_duration("2months").unwrap(), "it says what it means");
        assert_eq!(duration("M"), Err(InvalidDuration::Unknown));
    }

    #[test]
    fn a_sign_a_large_letter_and_no_time_at_all_are_named() {
        for (text, why) in [
            ("-1h", InvalidDuration::Signed),
            (" -1h 30m", InvalidDuration::Signed),
            ("+2d", InvalidDuration::Signed),
            ("2H", InvalidDuration::UpperCase),
            ("1d 90S", InvalidDuration::UpperCase),
            ("0s", InvalidDuration::Zero),
            ("0d 0h", InvalidDuration::Zero),
            ("0", InvalidDuration::Zero),
        ] {
            assert_eq!(duration(text), Err(why), "{text}");
            assert_eq!(text.parse::<When>(), Err(InvalidTime::Duration(why)), "{text}");
        }
    }

    #[test]
    fn a_time_is_taken_with_its_offset() {
        for time in ["2026-09-21T10:00:00Z", "2026-09-21T12:00:00+02:00", "2026-09-21T04:30:00-05:30"] {
            assert_eq!(before(time).unwrap(), "2026-09-21T10:00:00Z", "{time}");
        }
        assert_eq!(before("2026-09-21T10:00:00.250Z").unwrap(), "2026-09-21T10:00:00.25Z");
    }

    #[test]
    fn anything_else_is_no_time() {
        for text in [
            "",
            "yesterday",
            "5",
            "2026-09-21",
            "2026-09-21T10:00:00",
            "2026-09-21T25:00:00Z",
            "2026-09-21T10:00:00+2:00",
            "2026-09-21T10:00:00+24:00",
            "2026-09-21T10:00:00é02:00",
        ] {
            assert_eq!(before(text), Err(InvalidTime::Unknown), "{text}");
        }
    }
}
