//! `wasf init`: from nothing to what `make deploy` needs. Secrets go to Secrets Manager, parameters to
//! `samconfig.toml`, and what only a person can do in Salesforce is printed.

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

pub(crate) async fn run(order: InitArgs, target: &TargetArgs, random: Random) -> Result<Report, Error> {
    let nowhere = || Error::Usage(format!("there is no {FILE} here or above: run wasf init in the checkout"));
    let path = in_or_above(FILE).ok_or_else(nowhere)?;
    let mut config = SamConfig::read(&path)?;
    let prompt = Prompt::new(&order);
    let answers = Answers::collect(&order, &prompt, &config.parameters())?;
    config.set_parameters(&answers.parameters());
    let parameters = config.parameters();

    let aws = account(target).await?;
    let manager = SecretsManager::new(&aws);
    let mut secrets = Vec::new();
    for (kind, name) in answers.secrets(&parameters) {
        let presence = manager.presence(&name).await?;
        secrets.push(PlannedSecret { kind, name, presence, keep: presence == Presence::There && !order.replace });
    }
    if let Some(deleted) = secrets.iter().find(|secret| secret.presence == Presence::Deleted) {
        let name = &deleted.name;
        let why = format!("it is deleted; aws secretsmanager restore-secret --secret-id {name}");
        return Err(Error::failed(format!("store the secret {name}"), why));
    }
    if order.confirm {
        // All are asked for before the first is stored: who gives up half-way has changed nothing.
        let mut values = Vec::new();
        for secret in secrets.iter().filter(|secret| !secret.keep) {
            values.push((secret, answers.value(secret.kind, &order, &prompt, random)?));
        }
        for (secret, value) in values {
            match secret.presence {
                Presence::There => manager.replace(&secret.name, &value).await?,
                Presence::Absent | Presence::Deleted => manager.create(&secret.name, &value).await?,
            }
        }
        config.write(&path).map_err(|error| Error::failed(format!("write {FILE}"), error.to_string()))?;
    }
    let callback = callback(&aws, target, &parameters).await;
    Ok(report(&secrets, &parameters, callback.as_deref(), order.confirm))
}

/// Where Salesforce is to send people back to, as far as that is known before the first deployment.
async fn callback(aws: &SdkConfig, target: &TargetArgs, parameters: &BTreeMap<String, String>) -> Option<String> {
    if let Some(uri) = parameters.get("CallbackUri") {
        return uri.parse::<CallbackUri>().ok().map(|uri| uri.as_str().to_owned());
    }
    let stack = find_stack(aws, &stack_name(target).ok()?).await.ok()?;
    stack.output("CallbackUrl").ok().map(str::to_owned)
}
