//! The texts that people receive in the chat. Pure.
//!
//! Plain words, what to do, and the link on a line of its own where a link helps.

use shared::{Reason, attempt::Outcome};

/// The text for an outcome; `relink_url` is there where [`Outcome::wants_link`].
pub(crate) fn text(outcome: &Outcome, relink_url: Option<&str>) -> String {
    let sentence = match outcome {
        Outcome::Connected { .. } => "✅ Your Salesforce account is now connected!",
        Outcome::Failed { reason, .. } => failure(*reason),
        Outcome::Delayed { .. } => {
            "Connecting your Salesforce account takes longer than usual. We are looking into it. You can also try \
             again with this link:"
        }
    };
    match relink_url {
        Some(url) => format!("{sentence}\n{url}"),
        None => sentence.to_owned(),
    }
}

fn failure(reason: Reason) -> &'static str {
    match reason {
        Reason::Denied => {
            "Your Salesforce account was not connected, because access was not allowed. If you want to connect it, \
             open this link and choose Allow:"
        }
        Reason::CodeExpired => {
            "Your Salesforce account is not connected yet: the login took too long. Please log in again with this link:"
        }
        Reason::Unknown => {
            "Salesforce did not tell us whether your login worked. To be sure, please log in again with this link:"
        }
        Reason::AppBlocked => {
            "Your company's Salesforce does not allow this app yet. Please ask your Salesforce administrator to allow \
             it, and then ask here for a new link."
        }
        Reason::UserInactive => {
            "Your Salesforce user is not active. Please ask your Salesforce administrator to activate it, and then \
             ask here for a new link."
        }
        Reason::OrgInactive => {
            "Your company's Salesforce is locked or closed. Please ask your Salesforce administrator about it, and \
             then ask here for a new link."
        }
        Reason::LoginRate => {
            "Salesforce has had too many logins of yours for now. Please wait an hour, and then try again with this \
             link:"
        }
        Reason::Misconfigured => {
            "Your Salesforce account could not be connected, because something on our side is not set up right. You \
             did nothing wrong. Please try again later with this link:"
        }
        Reason::SalesforceUnavailable => {
            "Salesforce does not answer at the moment. Please try again in a few minutes with this link:"
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::outcome::tests::ended;
    use serde_json::json;

    const URL: &str = "https://example.com/connect/abc";

    fn text_for(status: &str, reason: &str) -> String {
        let outcome = ended(json!({"status": status, "reason": reason})).outcome;
        super::text(&outcome, outcome.wants_link().then_some(URL))
    }

    #[test]
    fn success_has_the_exact_text() {
        assert_eq!(text_for("connected", ""), "✅ Your Salesforce account is now connected!");
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
            of("failed", "unknown"),
            "Salesforce did not tell us whether your login worked. To be sure, please log in again with this link:"
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
            "Salesforce does not answer at the moment. Please try again in a few minutes with this link:"
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
