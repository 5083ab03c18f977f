//! Settings that a deployment may have, and that leave more open than need be; and how many functions may run at once.
//! Pure.

use super::finding::Finding;
use crate::{aws::SMALL_ACCOUNT, report::count};

/// Who may do more than they need to: hints, since each has its use.
pub(super) fn settings(parameter: impl Fn(&str) -> String) -> Vec<Finding> {
    let hints = [
        (
            parameter("CreateTokenTable") != "No" && parameter("TokenReaderRoleArns").is_empty(),
            "the token table may be read by everybody in this account whom IAM lets use it",
            "Whoever may read all tables reads the tokens too.",
            "Give the bot's and the operators' roles as TokenReaderRoleArns, and deploy.",
        ),
        (
            parameter("StatePolicy") == "AcceptPlain",
            "states that nobody signed are accepted",
            "Anybody can make a link that connects a chat of their choice.",
            "When no bot makes its own links any more, set StatePolicy=Signed and deploy.",
        ),
        (
            parameter("BrowserBinding") == "Observe",
            "a callback from another browser is counted, and accepted",
            "A link that was forwarded can be approved in somebody else's browser.",
            "When Callbacks shows no wrong_browser, set BrowserBinding=Enforce and deploy.",
        ),
        (
            parameter("BrandName").is_empty(),
            "people see a page of a bare host that names nobody",
            "A page that asks for a login and does not say whose it is looks like fraud, and people give up.",
            "Set BrandName, and PrivacyUrl, and deploy.",
        ),
    ];
    let found: Vec<_> = hints
        .into_iter()
        .filter(|(applies, ..)| *applies)
        .map(|(_, title, meaning, remedy)| Finding::note("safety", title, meaning, remedy))
        .collect();
    if found.is_empty() {
        vec![Finding::ok(
            "safety",
            "states are signed, browsers bound, the token table's readers named, and the pages too",
        )]
    } else {
        found
    }
}

/// How many functions may run at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Concurrency {
    /// In the account and region.
    pub(super) account: u32,
    /// `MaximumConcurrency`: exchangers that the queue may invoke.
    pub(super) maximum: u32,
    pub(super) receiver: Option<u32>,
    pub(super) exchanger: Option<u32>,
}

pub(super) fn concurrency(found: Concurrency) -> Finding {
    let Concurrency { account, maximum, receiver, exchanger } = found;
    let check = "concurrency";
    let lost = "A callback that finds no room is refused, and its person's login is lost.";
    match (receiver, exchanger) {
        (Some(0), _) => Finding::problem(
            check,
            "the receiver may not run: 0 are reserved for it",
            "Nobody can connect.",
            "Deploy again, or run aws lambda delete-function-concurrency for the receiver.",
        ),
        (_, Some(0)) => Finding::problem(
            check,
            "the exchanger may not run: 0 are reserved for it",
            "Nobody can connect.",
            "Run aws lambda delete-function-concurrency for the exchanger.",
        ),
        (_, Some(reserved)) if reserved < maximum => Finding::problem(
            check,
            format!("{reserved} are reserved for the exchanger, and its queue may invoke {maximum}"),
            "Each refused invocation counts as a receive, so consents become dead letters untried.",
            "Run aws lambda delete-function-concurrency for the exchanger: MaximumConcurrency is its limit.",
        ),
        (None, _) if account <= maximum => Finding::note(
            check,
            format!(
                "{} of this account may run at once, and the queue may invoke {maximum}",
                count(account as usize, "function")
            ),
            lost,
            if account < SMALL_ACCOUNT {
                "Ask AWS for a higher limit (quota L-B99A9384), or set MaximumConcurrency lower and deploy."
            } else {
                "Set ReceiverReservedConcurrency, or MaximumConcurrency lower, and deploy."
            },
        ),
        (Some(reserved), _) => Finding::ok(check, format!("{} always find room", count(reserved as usize, "callback"))),
        (None, _) => Finding::ok(check, format!("{} may run at once", count(account as usize, "function"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};

    fn levels(given: &[(&str, &str)]) -> Vec<(Level, String)> {
        let defaults = [
            ("CreateTokenTable", "Yes"),
            ("StatePolicy", "Signed"),
            ("BrowserBinding", "Enforce"),
            ("BrandName", "Acme"),
        ];
        let value = |name: &str| {
            let found = given.iter().chain(&defaults).find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned()).unwrap_or_default()
        };
        settings(value).into_iter().map(|finding| (finding.level, finding.remedy)).collect()
    }

    #[test]
    fn what_leaves_more_open_than_need_be_is_a_hint() {
        for (given, remedy) in [
            (&[][..], "TokenReaderRoleArns"),
            (&[("TokenReaderRoleArns", "arn:aws:iam::1:role/bot"), ("StatePolicy", "AcceptPlain")], "StatePolicy"),
            (&[("CreateTokenTable", "No"), ("BrowserBinding", "Observe")], "BrowserBinding"),
            (&[("CreateTokenTable", "No"), ("BrandName", "")], "BrandName"),
        ] {
            let found = levels(given);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].0 == Level::Note && found[0].1.contains(remedy), "{found:?}");
        }
        assert_eq!(levels(&[("TokenReaderRoleArns", "arn:aws:iam::1:role/bot")]), [(Level::Ok, String::new())]);
    }

    #[test]
    fn callbacks_find_room_beside_the_exchangers() {
        let level = |account, maximum, receiver, exchanger| {
            concurrency(Concurrency { account, maximum, receiver, exchanger }).level
        };
        assert_eq!(level(1_000, 50, None, None), Level::Ok);
        assert_eq!(level(1_000, 50, Some(100), None), Level::Ok);
        assert_eq!(level(10, 50, None, None), Level::Note);
        assert_eq!(level(10, 2, None, None), Level::Ok);
        assert_eq!(level(1_000, 50, Some(0), None), Level::Problem);
        assert_eq!(level(1_000, 50, None, Some(0)), Level::Problem);
        assert_eq!(level(1_000, 50, None, Some(49)), Level::Problem);
        assert_eq!(level(1_000, 50, None, Some(50)), Level::Ok);
    }
}
