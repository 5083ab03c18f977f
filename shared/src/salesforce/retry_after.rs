//! How long another party asks to be left alone. Pure.

use std::time::{Duration, SystemTime};

use hyper::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The longest pause that is honoured: any code has expired by then.
const MAX: Duration = Duration::from_hours(1);

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date, which counts from the answer's own `Date`. `None` where it is absent
/// or cannot be read.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?;
    let pause = match httpdate::parse_http_date(text) {
        Ok(date) => date.duration_since(now(headers)?).unwrap_or_default(),
        Err(_) => seconds(text)?,
    };
    Some(pause.min(MAX))
}

/// Seconds, be they too many or with a fraction; of several the first.
fn seconds(text: &str) -> Option<Duration> {
    let first = text.split(',').next()?.trim();
    let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = first.parse().ok().filter(|_| is_number)?;
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(MAX))
}

fn now(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, DATE)?).ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "Wed, 21 Oct 2026 07:28:00 GMT";

    fn pause(value: &str) -> Option<Duration> {
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap()), (DATE, NOW.parse().unwrap())]))
    }

    #[test]
    fn seconds_are_read_as_they_come() {
        for (value, seconds) in [
            ("7", 7),
            (" 7 ", 7),
            ("0", 0),
            ("3600.0", 3600),
            ("2, 3", 2),
            ("3601", 3600),
            ("99999999999999999999", 3600),
            ("Wed, 21 Oct 2026 07:29:30 GMT", 90),
            ("Wednesday, 21-Oct-26 07:29:30 GMT", 90),
            ("Wed Oct 21 07:29:30 2026", 90),
            ("Thu, 22 Oct 2026 07:28:00 GMT", 3600),
            ("Wed, 21 Oct 2026 07:00:00 GMT", 0),
        ] {
            assert_eq!(pause(value), Some(Duration::from_secs(seconds)), "{value}");
        }
    }

    #[test]
    fn what_is_no_pause_is_none() {
        for value in ["", "soon", "-5", "NaN", "inf", "1e9", ".", "7 s"] {
            assert_eq!(pause(value), None, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
        let without_date = HeaderMap::from_iter([(RETRY_AFTER, NOW.parse().unwrap())]);
        assert_eq!(retry_after(&without_date), None);
    }
}
