//! `wasf init`: prepares a deployment. Secrets go to Secrets Manager, parameters to `samconfig.toml`, and the settings of
//! the Salesforce app, which only a person can make, are printed.

mod answers;
mod prompt;
mod report;
mod secret;

use std::collections::BTreeMap;

use shared::{CallbackUri, process::Random};

use self::{answers::Answers, prompt::Prompt, report::report, secret::PlannedSecret};
use crate::{
    args::{InitArgs, TargetArgs},
    aws::{Presence, SdkConfig, SecretsManager, find_stack},
    error::Error,
    report::Report,
    samconfig::{FILE, SamConfig, in_or_above},
    target::{account, stack_name},
};

pub(crate) async fn run(args: InitArgs, target: &TargetArgs, random: Random) -> Result<Report, Error> {
    let missing = || Error::Usage(format!("no {FILE} in this folder or above it; run wasf init in the checkout"));
    let path = in_or_above(FILE).ok_or_else(missing)?;
    let mut config = SamConfig::read(&path)?;
    let prompt = Prompt::new(&args);
    let answers = Answers::collect(&args, &prompt, &config.parameters()?)?;
    config.set_parameters(&answers.parameters())?;
    let parameters = config.parameters()?;

    let aws = account(target).await?;
    let manager = SecretsManager::new(&aws);
    let mut secrets = Vec::new();
    for (kind, name) in answers.secrets(&parameters) {
        let presence = manager.presence(&name).await?;
        secrets.push(PlannedSecret { kind, name, presence, keep: presence == Presence::Present && !args.replace });
    }
    if let Some(deleted) = secrets.iter().find(|secret| secret.presence == Presence::Deleted) {
        let name = &deleted.name;
        let why = format!("it is deleted; restore it with aws secretsmanager restore-secret --secret-id {name}");
        return Err(Error::failed(format!("store the secret {name}"), why));
    }
    if args.confirm {
        // Every value is known before the first is stored: an operator who gives up has changed nothing.
        let mut values = Vec::new();
        for secret in secrets.iter().filter(|secret| !secret.keep) {
            values.push((secret, answers.value(secret.kind, &args, &prompt, random)?));
        }
        for (secret, value) in values {
            match secret.presence {
                Presence::Present => manager.replace(&secret.name, &value).await?,
                Presence::Absent | Presence::Deleted => manager.create(&secret.name, &value).await?,
            }
        }
        config.write(&path).map_err(|error| Error::failed(format!("write {FILE}"), error.to_string()))?;
    }
    let callback = callback(&aws, target, &parameters).await;
    Ok(report(&secrets, &parameters, callback.as_deref(), args.confirm))
}

/// The callback URL; unknown before the first deployment, unless it is on a domain of one's own.
async fn callback(aws: &SdkConfig, target: &TargetArgs, parameters: &BTreeMap<String, String>) -> Option<String> {
    if let Some(uri) = parameters.get("CallbackUri") {
        return uri.parse::<CallbackUri>().ok().map(|uri| uri.as_str().to_owned());
    }
    let stack = find_stack(aws, &stack_name(target).ok()?).await.ok()?;
    stack.output("CallbackUrl").ok().map(str::to_owned)
}
