//! The texts that people receive in the chat. Pure.
//!
//! Plain words, what to do, and the link on a line of its own where a link helps.

mod connected;

use shared::{
    Reason,
    attempt::{End, EndReason, Outcome},
    proof::ProofPolicy,
};

/// What a text says.
struct Words {
    /// What happened.
    what: &'static str,
    /// What to do, where a link helps.
    ask: Option<Ask>,
}

/// What to do where a link helps.
struct Ask {
    /// The link follows.
    with_link: &'static str,
    /// No link could be made: the bot makes one when it is asked.
    without_link: &'static str,
}

const fn words(what: &'static str) -> Words {
    Words { what, ask: None }
}

const fn asking(what: &'static str, with_link: &'static str, without_link: &'static str) -> Words {
    Words { what, ask: Some(Ask { with_link, without_link }) }
}

/// The text for an outcome; `relink_url` is there where [`Outcome::wants_link`] and a link could be made.
pub(crate) fn text(outcome: &Outcome, proof: ProofPolicy, relink_url: Option<&str>) -> String {
    let Words { what, ask } = match outcome {
        Outcome::Connected { account, .. } => return connected::text(account, proof),
        Outcome::Failed { reason, .. } => failure(*reason),
        Outcome::Delayed { .. } => asking(
            "Connecting your Salesforce account takes longer than usual. We are looking into it.",
            "You can also try again with this link:",
            "You can also ask here for a new link.",
        ),
        Outcome::Ended(end) => ended(end),
    };
    match (ask, relink_url) {
        (Some(Ask { with_link, .. }), Some(url)) => format!("{what} {with_link}\n{url}"),
        (Some(Ask { without_link, .. }), None) => format!("{what} {without_link}"),
        (None, _) => what.to_owned(),
    }
}

fn failure(reason: Reason) -> Words {
    match reason {
        Reason::Superseded => words("You have logged in again since, and the later login is the one that counts."),
        Reason::WrongBrowser => asking(
            "Your Salesforce account is not connected yet: the login came back in another browser than the one that \
             opened the link.",
            "Please open this link and log in within the same browser:",
            "Please ask here for a new link, and log in within the browser that opens it.",
        ),
        // To whoever passed their link on, to whose link was taken, and to who has two numbers.
        Reason::WrongChat => words(
            "No Salesforce account was connected: somebody logged in with this chat's link, and sent the code from another \
             chat. A link is only for the chat that asked for it. If you want to connect your account, ask here for a new \
             link, and send the code from this chat.",
        ),
        Reason::Unconfirmed => asking(
            "Your Salesforce account is not connected yet: the code that is shown after the login was not sent from this \
             chat in time.",
            "Please log in again with this link, and then send the code here:",
            "Please ask here for a new link, log in again, and then send the code here.",
        ),
        Reason::InvalidCallback => asking(
            "Your Salesforce account is not connected yet: Salesforce sent you back without what we need.",
            "Please log in again with this link:",
            "Please ask here for a new link, and log in again.",
        ),
        Reason::Denied => asking(
            "Your Salesforce account was not connected, because access was not allowed.",
            "If you want to connect it, open this link and choose Allow:",
            "If you want to connect it, ask here for a new link, and then choose Allow.",
        ),
        Reason::CodeExpired | Reason::ExpiredState => asking(
            "Your Salesforce account is not connected yet: the login took too long.",
            "Please log in again with this link:",
            "Please ask here for a new link, and log in again.",
        ),
        Reason::WrongLoginHost => asking(
            "Your Salesforce account is not connected yet: the login was at another Salesforce address than the link's.",
            "Please open this link, and choose the address where you log in:",
            "Please ask here for a new link, and log in at the address that it names.",
        ),
        Reason::OutdatedLink => asking(
            "That link is from before your Salesforce account was disconnected, so it connects nothing any more.",
            "To connect an account, please open this link:",
            "To connect an account, please ask here for a new link.",
        ),
        Reason::UsedLogin => asking(
            "You allowed access more than once with one login, and a login connects one account.",
            "If this chat says that you are connected, and you meant the same account each time, there is nothing to do. \
             Otherwise please open this link:",
            "If this chat says that you are connected, and you meant the same account each time, there is nothing to do. \
             Otherwise please ask here for a new link.",
        ),
        Reason::Unknown => asking(
            "We could not find out whether your login worked.",
            "To be sure, please log in again with this link:",
            "To be sure, please ask here for a new link, and log in again.",
        ),
        Reason::AppBlocked => words(
            "Your company's Salesforce does not allow this app yet. Please ask your Salesforce administrator to allow \
             it, and then ask here for a new link.",
        ),
        Reason::UserInactive => words(
            "Your Salesforce user is not active. Please ask your Salesforce administrator to activate it, and then \
             ask here for a new link.",
        ),
        Reason::OrgInactive => words(
            "Your company's Salesforce is locked or closed. Please ask your Salesforce administrator about it, and \
             then ask here for a new link.",
        ),
        Reason::LoginRate => asking(
            "Salesforce has had too many logins of yours for now.",
            "Please wait an hour, and then try again with this link:",
            "Please wait an hour, and then ask here for a new link.",
        ),
        Reason::Misconfigured => asking(
            "Your Salesforce account could not be connected, because something on our side is not set up right. You \
             did nothing wrong.",
            "Please try again later with this link:",
            "Please try again later: ask here for a new link.",
        ),
        Reason::SalesforceUnavailable => asking(
            "Salesforce does not answer at the moment.",
            "Please try again later with this link:",
            "Please try again later: ask here for a new link.",
        ),
    }
}

fn ended(end: &End) -> Words {
    if end.is_replaced {
        return words(
            "An earlier connection to Salesforce has ended. The one that you have made since is not concerned.",
        );
    }
    match end.reason {
        EndReason::Revoked | EndReason::Disconnected => asking(
            "Your Salesforce account is no longer connected.",
            "If you want to connect it again, open this link:",
            "If you want to connect it again, ask here for a new link.",
        ),
        EndReason::Expired => asking(
            "Your Salesforce account is no longer connected: Salesforce has ended the connection.",
            "To connect it again, please log in with this link:",
            "To connect it again, please ask here for a new link.",
        ),
        EndReason::UserInactive => words(
            "Your Salesforce account is no longer connected, because your Salesforce user is not active. Please ask your \
             Salesforce administrator to activate it, and then ask here for a new link.",
        ),
        EndReason::OrgInactive => words(
            "Your Salesforce account is no longer connected, because your company's Salesforce is locked or closed. Please \
             ask your Salesforce administrator about it, and then ask here for a new link.",
        ),
        EndReason::AppBlocked => words(
            "Your Salesforce account is no longer connected, because your company's Salesforce does not allow this app any \
             more. Please ask your Salesforce administrator about it, and then ask here for a new link.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::{
        Reason,
        attempt::{EndReason, Outcome},
        proof::ProofPolicy,
    };

    use crate::outcome::tests::ended;

    const URL: &str = "https://example.com/connect/abc";

    fn ended_with(status: &str, reason: &str) -> Outcome {
        ended(json!({"status": status, "reason": reason})).outcome
    }

    fn text_for(status: &str, reason: &str) -> String {
        let outcome = ended_with(status, reason);
        text(&outcome, outcome.wants_link().then_some(URL))
    }

    fn text(outcome: &Outcome, relink_url: Option<&str>) -> String {
        super::text(outcome, ProofPolicy::Off, relink_url)
    }

    #[test]
    fn success_begins_with_the_exact_text_of_the_older_system() {
        let text = text_for("connected", "");
        let sentence = "✅ Your Salesforce account is now connected!";
        assert_eq!(text.strip_prefix(sentence), Some(" Connected as ada@example.com (acme)."));
    }

    #[test]
    fn who_is_told_that_the_code_came_from_another_chat_gets_no_link() {
        let outcome = ended_with("failed", "wrong_chat");
        assert!(!outcome.wants_link() && !outcome.is_silent());
        assert_eq!(
            text(&outcome, None),
            "No Salesforce account was connected: somebody logged in with this chat's link, and sent the code from another \
             chat. A link is only for the chat that asked for it. If you want to connect your account, ask here for a new \
             link, and send the code from this chat."
        );
    }

    #[test]
    fn a_text_with_a_link_ends_in_it_on_a_line_of_its_own() {
        let of = |status, reason| {
            let text = text_for(status, reason);
            let (sentence, link) = text.split_once('\n').unwrap();
            assert_eq!(link, URL);
            sentence.to_owned()
        };
        assert_eq!(
            of("failed", "denied"),
            "Your Salesforce account was not connected, because access was not allowed. If you want to connect it, open \
             this link and choose Allow:"
        );
        assert_eq!(
            of("failed", "code_expired"),
            "Your Salesforce account is not connected yet: the login took too long. Please log in again with this link:"
        );
        assert_eq!(
            of("failed", "unconfirmed"),
            "Your Salesforce account is not connected yet: the code that is shown after the login was not sent from this \
             chat in time. Please log in again with this link, and then send the code here:"
        );
        assert_eq!(
            of("failed", "unknown"),
            "We could not find out whether your login worked. To be sure, please log in again with this link:"
        );
        assert_eq!(
            of("failed", "login_rate"),
            "Salesforce has had too many logins of yours for now. Please wait an hour, and then try again with this link:"
        );
        assert_eq!(
            of("failed", "misconfigured"),
            "Your Salesforce account could not be connected, because something on our side is not set up right. You did \
             nothing wrong. Please try again later with this link:"
        );
        assert_eq!(
            of("failed", "salesforce_unavailable"),
            "Salesforce does not answer at the moment. Please try again later with this link:"
        );
        for reason in ["misconfigured", "salesforce_unavailable"] {
            assert_eq!(
                of("delayed", reason),
                "Connecting your Salesforce account takes longer than usual. We are looking into it. You can also try \
                 again with this link:"
            );
        }
    }

    #[test]
    fn where_no_link_could_be_made_the_text_says_where_to_get_one() {
        let link_helps = |(status, reason): &(&str, Reason)| ended_with(status, reason.as_str()).wants_link();
        let ends = ["failed", "delayed"].into_iter().flat_map(|status| Reason::ALL.map(|reason| (status, reason)));
        for (status, reason) in ends.filter(link_helps) {
            let text = text(&ended_with(status, reason.as_str()), None);
            assert!(text.contains("ask here for a new link") && text.ends_with('.'), "{text}");
            assert!(!text.contains("this link"), "{text}");
        }
    }

    #[test]
    fn an_end_says_that_nobody_is_connected_and_how_to_get_there_again() {
        assert_eq!(
            text_for("ended", "revoked"),
            format!(
                "Your Salesforce account is no longer connected. If you want to connect it again, open this link:\n{URL}"
            )
        );
        for reason in EndReason::ALL {
            let text = text_for("ended", reason.as_str());
            assert!(text.starts_with("Your Salesforce account is no longer connected"), "{text}");
            let outcome = ended_with("ended", reason.as_str());
            let without = super::text(&outcome, ProofPolicy::Required, None);
            assert!(without.ends_with("ask here for a new link."), "{without}");
            assert_eq!(outcome.wants_link(), text.ends_with(URL), "{text}");
        }
    }

    #[test]
    fn who_is_connected_again_does_not_read_that_they_are_not() {
        let replaced = ended(json!({"status": "ended", "reason": "revoked", "replaced_at": 1_790_000_000_456_u64}));
        let text = text(&replaced.outcome, None);
        assert!(text.contains("since") && !text.contains("no longer connected"), "{text}");
    }

    #[test]
    fn a_text_about_what_only_an_administrator_can_fix_has_no_link() {
        assert_eq!(
            text_for("failed", "app_blocked"),
            "Your company's Salesforce does not allow this app yet. Please ask your Salesforce administrator to allow \
             it, and then ask here for a new link."
        );
        assert_eq!(
            text_for("failed", "user_inactive"),
            "Your Salesforce user is not active. Please ask your Salesforce administrator to activate it, and then ask \
             here for a new link."
        );
        assert_eq!(
            text_for("failed", "org_inactive"),
            "Your company's Salesforce is locked or closed. Please ask your Salesforce administrator about it, and then \
             ask here for a new link."
        );
    }
}
