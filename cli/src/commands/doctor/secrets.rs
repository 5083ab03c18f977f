//! What is found of the secrets: whether they exist, hold what they should, and may be read. Each finding says what stops for
//! people, which differs by secret: the functions read them apart, and do without those that they do not need. Pure.

use super::finding::Finding;
use crate::{
    aws::Presence,
    parties::AppStatus,
    secret::{Kind, StackSecret},
};

const CHECK: &str = "secrets";

/// What people and bots notice where nobody can use this secret.
const fn meaning(kind: Kind) -> &'static str {
    match kind {
        Kind::ConsumerKey => "The button of each link fails, and codes are not exchanged, so nobody can connect.",
        Kind::ConsumerSecret => {
            "Codes are not exchanged, so nobody can connect; tokens that the stack refreshes are not refreshed."
        }
        Kind::CallbackUri => "Links and their button fail, and codes are not exchanged, so nobody can connect.",
        Kind::WhatsApp(_) => "People connect, but nobody gets a message. The bot's events are sent.",
        Kind::Webhook => "The bot's webhook gets no events. People connect, and get their messages.",
    }
}

/// Whether a secret is there.
pub(super) fn presence(StackSecret { kind, name }: &StackSecret, presence: Presence) -> Finding {
    match presence {
        Presence::Present => Finding::ok(CHECK, format!("the secret {name} exists")),
        Presence::Absent => Finding::problem(
            CHECK,
            format!("the secret {name} is missing"),
            meaning(*kind),
            format!("Create it: run wasf init --confirm, or aws secretsmanager create-secret --name {name} …"),
        ),
        Presence::Deleted => Finding::problem(
            CHECK,
            format!("the secret {name} is deleted"),
            meaning(*kind),
            format!("Restore it: run aws secretsmanager restore-secret --secret-id {name}"),
        ),
    }
}

/// A secret that exists, and why its value cannot be what it should be.
pub(super) fn value(secret: &StackSecret, wrong: Option<&str>) -> Finding {
    let StackSecret { kind, name } = secret;
    let Some(why) = wrong else { return presence(secret, Presence::Present) };
    Finding::problem(
        CHECK,
        format!("the secret {name} cannot be used: {why}"),
        meaning(*kind),
        format!("Replace it: run wasf secret set {name} --confirm"),
    )
}

/// What stops where one function cannot read a secret: the notifier makes links of the callback URL, and needs no other.
fn meaning_for(function: &str, kind: Kind) -> &'static str {
    match (function, kind) {
        ("Notifier", Kind::WhatsApp(_) | Kind::Webhook) => meaning(kind),
        ("Notifier", _) => "Messages and events go without a new link, where they should have one.",
        ("ConnectLink", _) => "Links or their button fail, so nobody can begin to connect.",
        _ => meaning(kind),
    }
}

/// A function that may not read a secret.
pub(super) fn denied(function: &str, StackSecret { kind, name }: &StackSecret) -> Finding {
    Finding::problem(
        CHECK,
        format!("{function} may not read the secret {name}"),
        meaning_for(function, *kind),
        "Deploy again: the template lets each function read its secrets.",
    )
}

/// What keeps a function from decrypting with a key of the account's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Barrier {
    State,
    Role,
    KeyPolicy,
}

/// A function that may read a secret, but not decrypt it.
pub(super) fn key_denied(
    function: &str,
    StackSecret { kind, name }: &StackSecret,
    key: &str,
    barrier: Barrier,
) -> Finding {
    let (why, remedy) = match barrier {
        Barrier::State => {
            ("the key is disabled, or scheduled for deletion", format!("Run aws kms enable-key --key-id {key}"))
        }
        Barrier::Role => (
            "its role's policies do not allow it",
            "Set SecretsKeyArn to the ARN of that key, one for all secrets, and deploy.".to_owned(),
        ),
        Barrier::KeyPolicy => (
            "the key's policy does not allow it",
            "Let the key's policy leave its use to IAM (kms:* for the account's root), as AWS's default policy does."
                .to_owned(),
        ),
    };
    let title = format!("{function} may not decrypt the secret {name} with the key {key}: {why}");
    Finding::problem(CHECK, title, meaning_for(function, *kind), remedy)
}

/// Whether a login host takes the consumer key together with the secret of this name.
pub(super) fn consumer_secret(host: &str, name: &str, status: &AppStatus) -> Finding {
    let check = "salesforce";
    let unknown = |why: &str| {
        Finding::note(
            check,
            format!("not known: {host} did not say whether the consumer secret is right ({why})"),
            "A wrong secret is noticed when the first person connects.",
            "Connect once yourself, then run wasf doctor again.",
        )
    };
    match status {
        AppStatus::Accepted => Finding::ok(check, format!("{host} accepts the consumer key and secret")),
        AppStatus::Refused(code) if code == "invalid_client_id" => Finding::problem(
            check,
            format!("{host} refuses the consumer key: {code}"),
            meaning(Kind::ConsumerSecret),
            "Put the app's consumer key into its secret. A new app is accepted after some minutes.",
        ),
        AppStatus::Refused(code) => Finding::problem(
            check,
            format!("{host} refuses the consumer key and secret: {code}"),
            meaning(Kind::ConsumerSecret),
            format!("Put the app's current consumer secret into {name}: run wasf secret set {name} --confirm"),
        ),
        AppStatus::NoAnswer(why) => unknown(why),
        AppStatus::Unclear(seen) => unknown(seen),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Level, *};
    use crate::args::ProviderArg;

    fn secret(kind: Kind) -> StackSecret {
        StackSecret { kind, name: "s".to_owned() }
    }

    #[test]
    fn a_secret_must_exist_and_not_be_deleted() {
        let level = |found| presence(&secret(Kind::Webhook), found).level;
        assert_eq!(level(Presence::Present), Level::Ok);
        assert_eq!(level(Presence::Absent), Level::Problem);
        assert_eq!(level(Presence::Deleted), Level::Problem);
    }

    #[test]
    fn a_secret_whose_value_no_function_could_use_is_named() {
        assert_eq!(value(&secret(Kind::ConsumerSecret), None).level, Level::Ok);
        let wrong = value(&secret(Kind::ConsumerSecret), Some("it is JSON with more than one value"));
        assert!(wrong.is_problem() && wrong.remedy.contains("wasf secret set s"), "{wrong:?}");
    }

    #[test]
    fn a_finding_says_what_stops_without_this_secret_and_no_more() {
        for kind in [Kind::Webhook, Kind::WhatsApp(ProviderArg::Twilio)] {
            let secret = secret(kind);
            for found in [
                value(&secret, Some("it is empty")),
                presence(&secret, Presence::Absent),
                presence(&secret, Presence::Deleted),
                denied("Notifier", &secret),
                key_denied("Notifier", &secret, "arn:k", Barrier::Role),
            ] {
                assert!(found.meaning.contains("People connect") && !found.meaning.contains("nobody can"), "{found:?}");
            }
        }
        for kind in [Kind::ConsumerKey, Kind::ConsumerSecret, Kind::CallbackUri] {
            assert!(presence(&secret(kind), Presence::Absent).meaning.contains("nobody can connect"), "{kind:?}");
        }
        let callback = denied("Notifier", &secret(Kind::CallbackUri));
        assert!(!callback.meaning.contains("nobody"), "{callback:?}");
    }

    #[test]
    fn a_key_that_a_function_may_not_use_comes_with_what_to_change() {
        for (barrier, remedy) in [
            (Barrier::State, "aws kms enable-key --key-id arn:k"),
            (Barrier::Role, "SecretsKeyArn"),
            (Barrier::KeyPolicy, "the account's root"),
        ] {
            let found = key_denied("Notifier", &secret(Kind::WhatsApp(ProviderArg::Meta)), "arn:k", barrier);
            assert!(found.is_problem() && found.remedy.contains(remedy), "{found:?}");
        }
    }

    #[test]
    fn a_consumer_secret_that_salesforce_refuses_is_a_problem_and_silence_is_none() {
        let level = |status| consumer_secret("h", "s", &status).level;
        assert_eq!(level(AppStatus::Accepted), Level::Ok);
        assert_eq!(level(AppStatus::NoAnswer("timed out")), Level::Note);
        assert_eq!(level(AppStatus::Unclear("status 200 with a page".to_owned())), Level::Note);
        let wrong = consumer_secret("h", "s", &AppStatus::Refused("invalid_client".to_owned()));
        assert!(wrong.is_problem() && wrong.remedy.contains("wasf secret set s --confirm"), "{wrong:?}");
    }

    #[test]
    fn a_consumer_key_that_introspection_does_not_know_is_not_called_a_wrong_secret() {
        let wrong = consumer_secret("h", "s", &AppStatus::Refused("invalid_client_id".to_owned()));
        assert!(wrong.is_problem() && wrong.remedy.contains("consumer key"), "{wrong:?}");
        assert!(!format!("{}{}", wrong.title, wrong.remedy).contains("wasf secret set s"), "{wrong:?}");
        assert_eq!(wrong.title, "h refuses the consumer key: invalid_client_id");
    }
}
