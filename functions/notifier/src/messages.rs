//! What people are told in the chat: which texts, in their language. Pure.
//!
//! The texts are in `shared/texts`. The link stands on a line of its own where a link helps.

mod connected;

use shared::{
    Language, Reason,
    attempt::{End, EndReason, Outcome},
    proof::ProofPolicy,
    texts::{self, Text},
};

/// What a text says.
struct Words {
    /// What happened.
    what: &'static Text,
    /// What to do, where a link helps.
    ask: Option<Ask>,
}

/// What to do where a link helps.
struct Ask {
    /// The link follows.
    with_link: &'static Text,
    /// No link could be made: the bot makes one when it is asked.
    without_link: &'static Text,
}

const fn words(what: &'static Text) -> Words {
    Words { what, ask: None }
}

const fn asking(what: &'static Text, with_link: &'static Text, without_link: &'static Text) -> Words {
    Words { what, ask: Some(Ask { with_link, without_link }) }
}

/// The text for an outcome; `relink_url` is there where [`Outcome::wants_link`] and a link could be made.
pub(crate) fn text(outcome: &Outcome, proof: ProofPolicy, language: Language, relink_url: Option<&str>) -> String {
    let Words { what, ask } = match outcome {
        Outcome::Connected { account, .. } => return connected::text(account, proof, language),
        Outcome::Failed { reason, .. } => failure(*reason),
        Outcome::Delayed { .. } => asking(&texts::DELAYED, &texts::DELAYED_WITH_LINK, &texts::DELAYED_WITHOUT_LINK),
        Outcome::Ended(end) => ended(end),
    };
    let what = what.text(language);
    match (ask, relink_url) {
        (Some(Ask { with_link, .. }), Some(url)) => format!("{what} {}\n{url}", with_link.text(language)),
        (Some(Ask { without_link, .. }), None) => format!("{what} {}", without_link.text(language)),
        (None, _) => what.to_owned(),
    }
}

fn failure(reason: Reason) -> Words {
    match reason {
        Reason::Superseded => words(&texts::FAILED_SUPERSEDED),
        Reason::WrongBrowser => asking(
            &texts::FAILED_WRONG_BROWSER,
            &texts::FAILED_WRONG_BROWSER_WITH_LINK,
            &texts::FAILED_WRONG_BROWSER_WITHOUT_LINK,
        ),
        Reason::WrongChat => words(&texts::FAILED_WRONG_CHAT),
        Reason::Unconfirmed => asking(
            &texts::FAILED_UNCONFIRMED,
            &texts::FAILED_UNCONFIRMED_WITH_LINK,
            &texts::FAILED_UNCONFIRMED_WITHOUT_LINK,
        ),
        Reason::InvalidCallback => asking(
            &texts::FAILED_INVALID_CALLBACK,
            &texts::FAILED_INVALID_CALLBACK_WITH_LINK,
            &texts::FAILED_INVALID_CALLBACK_WITHOUT_LINK,
        ),
        Reason::Denied => {
            asking(&texts::FAILED_DENIED, &texts::FAILED_DENIED_WITH_LINK, &texts::FAILED_DENIED_WITHOUT_LINK)
        }
        Reason::CodeExpired | Reason::ExpiredState => {
            asking(&texts::FAILED_EXPIRED, &texts::FAILED_EXPIRED_WITH_LINK, &texts::FAILED_EXPIRED_WITHOUT_LINK)
        }
        Reason::WrongLoginHost => asking(
            &texts::FAILED_WRONG_LOGIN_HOST,
            &texts::FAILED_WRONG_LOGIN_HOST_WITH_LINK,
            &texts::FAILED_WRONG_LOGIN_HOST_WITHOUT_LINK,
        ),
        Reason::OutdatedLink => asking(
            &texts::FAILED_OUTDATED_LINK,
            &texts::FAILED_OUTDATED_LINK_WITH_LINK,
            &texts::FAILED_OUTDATED_LINK_WITHOUT_LINK,
        ),
        Reason::UsedLogin => asking(
            &texts::FAILED_USED_LOGIN,
            &texts::FAILED_USED_LOGIN_WITH_LINK,
            &texts::FAILED_USED_LOGIN_WITHOUT_LINK,
        ),
        Reason::Unknown => {
            asking(&texts::FAILED_UNKNOWN, &texts::FAILED_UNKNOWN_WITH_LINK, &texts::FAILED_UNKNOWN_WITHOUT_LINK)
        }
        Reason::AppBlocked => words(&texts::FAILED_APP_BLOCKED),
        Reason::UserInactive => words(&texts::FAILED_USER_INACTIVE),
        Reason::OrgInactive => words(&texts::FAILED_ORG_INACTIVE),
        Reason::LoginRate => asking(
            &texts::FAILED_LOGIN_RATE,
            &texts::FAILED_LOGIN_RATE_WITH_LINK,
            &texts::FAILED_LOGIN_RATE_WITHOUT_LINK,
        ),
        Reason::Misconfigured => asking(
            &texts::FAILED_MISCONFIGURED,
            &texts::FAILED_MISCONFIGURED_WITH_LINK,
            &texts::FAILED_MISCONFIGURED_WITHOUT_LINK,
        ),
        Reason::SalesforceUnavailable => asking(
            &texts::FAILED_SALESFORCE_UNAVAILABLE,
            &texts::FAILED_SALESFORCE_UNAVAILABLE_WITH_LINK,
            &texts::FAILED_SALESFORCE_UNAVAILABLE_WITHOUT_LINK,
        ),
    }
}

fn ended(end: &End) -> Words {
    if end.is_replaced {
        return words(&texts::ENDED_REPLACED);
    }
    match end.reason {
        EndReason::Revoked | EndReason::Disconnected => {
            asking(&texts::ENDED, &texts::ENDED_WITH_LINK, &texts::ENDED_WITHOUT_LINK)
        }
        EndReason::Expired => {
            asking(&texts::ENDED_EXPIRED, &texts::ENDED_EXPIRED_WITH_LINK, &texts::ENDED_EXPIRED_WITHOUT_LINK)
        }
        EndReason::UserInactive => words(&texts::ENDED_USER_INACTIVE),
        EndReason::OrgInactive => words(&texts::ENDED_ORG_INACTIVE),
        EndReason::AppBlocked => words(&texts::ENDED_APP_BLOCKED),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::{
        Language, Reason,
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
        super::text(outcome, ProofPolicy::Off, Language::English, relink_url)
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
            "Nothing was connected: the login took too long. Please log in again with this link:"
        );
        assert_eq!(
            of("failed", "unconfirmed"),
            "Nothing was connected: the code that is shown after the login was not sent from this \
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
            let without = super::text(&outcome, ProofPolicy::Required, Language::English, None);
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

    /// Every outcome, with a link and without.
    fn in_every_language() -> impl Iterator<Item = (Language, Outcome, String)> {
        let ends = ["failed", "delayed"].into_iter().flat_map(|status| Reason::ALL.map(|it| (status, it.as_str())));
        let ends = ends.chain(EndReason::ALL.map(|reason| ("ended", reason.as_str()))).chain([("connected", "")]);
        ends.flat_map(|(status, reason)| Language::ALL.map(|language| (status, reason, language))).flat_map(
            |(status, reason, language)| {
                [Some(URL), None].map(|url| {
                    let outcome = ended_with(status, reason);
                    let url = url.filter(|_| outcome.wants_link());
                    let text = super::text(&outcome, ProofPolicy::Required, language, url);
                    (language, outcome, text)
                })
            },
        )
    }

    #[test]
    fn in_every_language_a_link_is_the_last_line_and_a_text_without_one_is_a_line() {
        for (language, outcome, text) in in_every_language() {
            match text.split_once('\n') {
                Some((sentence, link)) => assert!(link == URL && sentence.ends_with(':'), "{language}: {text}"),
                None => assert!(text.ends_with(['.', '।']), "{language}: {outcome:?}: {text}"),
            }
        }
    }

    #[test]
    fn in_every_language_a_text_fits_into_a_template() {
        for (language, _, text) in in_every_language() {
            assert!(text.chars().count() < 1_024 / 2, "{language}: {text}");
        }
    }

    #[test]
    fn in_every_language_a_success_names_the_account_and_the_word_that_bots_understand() {
        for language in Language::ALL {
            let text = super::text(&ended_with("connected", ""), ProofPolicy::Required, language, None);
            let has_all =
                ["✅", "Salesforce", "ada@example.com (acme)", "*disconnect*"].iter().all(|it| text.contains(it));
            assert!(has_all, "{language}: {text}");
        }
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
