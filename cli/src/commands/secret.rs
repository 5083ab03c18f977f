//! `wasf secret set`: replaces one secret of the stack.

use std::io::{self, Read as _};

use secrecy::SecretString;
use serde_json::json;

use super::init::ask_for;
use crate::{
    args::SecretCommand,
    aws::{Functions, Presence, SecretsManager},
    error::{Error, Exit},
    prompt::Prompt,
    report::Report,
    secret::{Kind, StackSecret, of_stack},
    target::Target,
};

/// Secrets Manager's own limit is 64 KiB.
const MAX_BYTES: u64 = 64 * 1024;

pub(crate) async fn run(command: SecretCommand, target: &Target) -> Result<Report, Error> {
    let SecretCommand::Set { name, confirm } = command;
    let functions = Functions::new(&target.aws);
    let exchanger = functions.settings(target.stack.output("TokenExchangerFunctionName")?).await?;
    let notifier = functions.settings(target.stack.output("NotifierFunctionName")?).await?;
    let kind = kind_of(&name, &of_stack(&exchanger, &notifier))?;
    let manager = SecretsManager::new(&target.aws);
    let presence = manager.presence(&name).await?;
    if presence == Presence::Deleted {
        return Err(SecretsManager::deleted(&name));
    }
    if confirm {
        let value = asked_for(kind)?;
        manager.store(&name, &value, presence, Some(target.stack.parameter("SecretsKeyArn"))).await?;
    }
    Ok(report(&name, presence, confirm))
}

/// The value, typed on the terminal or read from standard input. Not from the environment: a variable that was set for
/// `wasf init` would be stored unasked.
fn asked_for(kind: Kind) -> Result<SecretString, Error> {
    let prompt = Prompt::new(true, |_| None);
    if prompt.interactive { ask_for(kind, None, &prompt) } else { from_input(kind, io::stdin()) }
}

/// What the secret of this name holds. Only secrets that the stack's functions read are replaced.
fn kind_of(name: &str, secrets: &[StackSecret]) -> Result<Kind, Error> {
    let unknown = || {
        let names: Vec<_> = secrets.iter().map(|secret| secret.name.as_str()).collect();
        Error::NothingMatched(format!("the stack has no secret of this name; its secrets are {}", names.join(", ")))
    };
    secrets.iter().find(|secret| secret.name == name).map(|secret| secret.kind).ok_or_else(unknown)
}

fn from_input(kind: Kind, input: impl io::Read) -> Result<SecretString, Error> {
    let mut bytes = Vec::new();
    let read = input.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::failed("read the value", error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| Error::Usage("the value is not text".to_owned()))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::Usage("the value is longer than 64 KiB".to_owned()));
    }
    kind.parse(&text).map_err(|why| Error::Usage(format!("the value on standard input cannot be used: {why}")))
}

fn report(name: &str, presence: Presence, confirm: bool) -> Report {
    let done = match presence {
        Presence::Present => "replaced",
        Presence::Absent | Presence::Deleted => "created",
    };
    let text = if confirm {
        format!(
            "The secret {name} was {done}. Functions that are refused read it at once, all others within five minutes.\n"
        )
    } else {
        format!("Dry run: the secret {name}, and no other, would be {done}. Run it again with --confirm.\n")
    };
    Report::new(
        text,
        json!({"dry_run": !confirm, "secret": name, "was_there": presence == Presence::Present}),
        Exit::Done,
    )
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn only_a_secret_of_the_stack_is_replaced() {
        let secrets = [StackSecret { kind: Kind::ConsumerSecret, name: "sf_client_secret".to_owned() }];
        assert_eq!(kind_of("sf_client_secret", &secrets).unwrap(), Kind::ConsumerSecret);
        let error = kind_of("bot_webhook", &secrets).unwrap_err();
        assert_eq!(error.exit(), Exit::NothingMatched);
        assert!(error.to_string().ends_with("its secrets are sf_client_secret"), "{error}");
    }

    #[test]
    fn a_value_on_standard_input_is_understood_or_refused() {
        let read = |text: &str| from_input(Kind::ConsumerSecret, text.as_bytes());
        assert_eq!(read("\"A1B2\"\n").unwrap().expose_secret(), "A1B2");
        assert_eq!(read("\u{feff}A1B2\r\n").unwrap().expose_secret(), "A1B2");
        for wrong in ["", "\n", "two words\n", r#"{"a":"1","b":"2"}"#] {
            let error = read(wrong).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert!(wrong.trim().is_empty() || !error.to_string().contains(wrong.trim()), "{error}");
        }
        assert!(read(&"A".repeat(70_000)).is_err());
    }
}
