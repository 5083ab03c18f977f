//! When to retry: the visibility timeout of a message that goes back. It decides how long, never whether.

use std::time::Duration;

pub(crate) use shared::pauses::Pauses;

/// The visibility timeout after a message's first receive, its second, and so on.
const VISIBILITY_SECONDS: [u64; 6] = [2, 5, 15, 40, 90, 180];
/// The same for tokens that are to be revoked: the eleven receives of a message span a day.
const REVOCATION_SECONDS: [u64; 8] = [10, 60, 300, 900, 1_800, 3_600, 7_200, 14_400];

/// How often a code is sent in its first try, and in each later one. With all tries these are the token requests of one
/// consent: a short outage is bridged at once, and a long one is not made longer.
const REQUESTS: (u32, u32) = (6, 2);

/// How often the code is sent at most in this try, counted from 1.
pub(crate) const fn max_requests(tries: u32) -> u32 {
    if tries <= 1 { REQUESTS.0 } else { REQUESTS.1 }
}

/// The visibility timeout of a message that was received so many times.
pub(crate) fn visibility_timeout(receives: u32) -> Duration {
    after(receives, &VISIBILITY_SECONDS)
}

/// The visibility timeout of a message with tokens to revoke that was received so many times.
pub(crate) fn revocation_timeout(receives: u32) -> Duration {
    after(receives, &REVOCATION_SECONDS)
}

fn after(receives: u32, schedule: &[u64]) -> Duration {
    let index = usize::try_from(receives.saturating_sub(1)).unwrap_or(usize::MAX);
    Duration::from_secs(schedule[index.min(schedule.len() - 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The brief of a consent at a Salesforce that never answers.
    #[test]
    fn one_consent_makes_twenty_token_requests_at_most() {
        let max_tries = fakes::template::number("TokenExchangerFunction", "MAX_TRIES");
        assert_eq!((1..=u32::try_from(max_tries).unwrap()).map(max_requests).sum::<u32>(), 20);
    }

    #[test]
    fn the_visibility_timeout_grows_with_each_receive() {
        let seconds: Vec<_> = (1..=8).map(|receives| visibility_timeout(receives).as_secs()).collect();
        assert_eq!(seconds, [2, 5, 15, 40, 90, 180, 180, 180]);
        assert_eq!(visibility_timeout(0).as_secs(), 2);
    }
}
