//! `wasf init`: prepares a deployment. Secrets go to Secrets Manager, parameters to `samconfig.toml`, and the settings of
//! the Salesforce app, which only a person can make, are printed.

mod answers;
mod kept_key;
mod names;
mod report;
mod room;
mod rules;

use std::collections::BTreeMap;

use shared::{CallbackUri, proof::ProofPolicy};

pub(super) use self::answers::ask_for;
use self::{
    answers::{Answers, REFRESH_TOKEN_KEY, SECRETS_KEY, with_secrets},
    report::{Adopted, Plan, PlannedSecret, report},
};
use crate::{
    Edge,
    args::{InitArgs, TargetArgs},
    aws::{Functions, Presence, SdkConfig, SecretsManager, Tables, account_id, find_stack, region, stack_exists},
    error::Error,
    prompt::{Missing, NONE, Prompt},
    report::{Report, print_note},
    samconfig::{FILE, SamConfig, in_or_above},
    secret::Kind,
    stack::place,
    target::{account, completed, stack_name},
};

pub(crate) async fn run(args: InitArgs, target: &TargetArgs, edge: Edge) -> Result<Report, Error> {
    let missing = || {
        let where_to = "run wasf init in the folder of the unpacked release, or in the checkout";
        Error::Usage(format!("no {FILE} in this folder or above it; {where_to}"))
    };
    let path = in_or_above(FILE).ok_or_else(missing)?;
    let target = &completed(target)?;
    let mut config = SamConfig::read(&path, target.environment())?;
    let known = config.parameters()?;
    let stack = stack_name(target)?;
    let prompt = Prompt::new(!args.no_input, edge.environment);
    // What is wrong with the flags is a usage error, whatever the credentials are.
    if !prompt.interactive {
        Answers::collect(&args, &prompt, &known, None)
            .map_err(|error| if args.confirm { with_secrets(error, &args, &prompt, &known) } else { error })?;
    }
    let aws = account(target).await?;
    print_note(&format!("{}.", place(&account_id(&aws, (edge.now)()).await?, region(&aws), &stack)));
    let exists = stack_exists(&aws, &stack).await?;
    let running = running_parameters(&aws, &stack, exists).await?;
    let answers = Answers::collect(&args, &prompt, &known, running.as_ref())?;
    config.set_parameters(answers.parameters())?;
    let adopted = if exists {
        None
    } else {
        let own = names::of_a_new_stack(&stack, &config.parameters()?);
        config.set_parameters(&own)?;
        leave_room(&aws, &mut config).await?;
        let existing = names::existing_tables(&Tables::new(&aws), &stack, &config.parameters()?, (edge.now)()).await?;
        config.set_parameters(&existing)?;
        if existing.contains_key("CreateTokenTable") && args.refresh_token_key_arn.as_deref() != Some(NONE) {
            let known = config.parameters()?;
            let [table, key] = ["TokenTableName", REFRESH_TOKEN_KEY].map(|name| known.get(name).map(String::as_str));
            let key = key.filter(|arn| !arn.is_empty());
            if let Some(arn) = kept_key::find(&aws, &stack, table.unwrap_or_default(), key).await? {
                config.set_parameters(&BTreeMap::from([(REFRESH_TOKEN_KEY, arn)]))?;
            }
        }
        Adopted::read(&existing, &config.parameters()?)
    };
    let parameters = config.parameters()?;

    let manager = SecretsManager::new(&aws);
    let mut secrets = Vec::new();
    for (kind, name) in answers.secrets(&parameters) {
        let presence = manager.presence(&name).await?;
        // The bot verifies with the webhook's secret, which nobody has typed: only `wasf secret set` replaces it.
        let keep = presence == Presence::Present && (!args.replace || kind == Kind::Webhook);
        secrets.push(PlannedSecret { kind, name, presence, keep });
    }
    if let Some(deleted) = secrets.iter().find(|secret| secret.presence == Presence::Deleted) {
        return Err(SecretsManager::deleted(&deleted.name));
    }
    if args.confirm {
        // Every value is known before the first is stored: an operator who gives up has changed nothing.
        let (mut values, mut missing) = (Vec::new(), Missing::default());
        for secret in secrets.iter().filter(|secret| !secret.keep) {
            let value = missing.or_note(answers.value(secret.kind, &prompt, edge.random))?;
            values.extend(value.map(|value| (secret, value)));
        }
        missing.end()?;
        let key = parameters.get(SECRETS_KEY).map(String::as_str);
        for (secret, value) in values {
            manager.store(&secret.name, &value, secret.presence, key).await?;
        }
        config.write(&path).map_err(|error| Error::failed(format!("write {FILE}"), error.to_string()))?;
    }
    let callback = callback(&aws, &stack, &parameters).await;
    Ok(report(&Plan {
        secrets: &secrets,
        parameters: &parameters,
        adopted: adopted.as_ref(),
        callback: callback.as_deref(),
        proof: proof_of(&parameters, running.as_ref()),
        environment: target.config_env.as_deref(),
        in_checkout: path.with_file_name("Makefile").exists(),
        confirmed: args.confirm,
    }))
}

/// Leaves callbacks their room in a small account. Whoever may not read the account's limit keeps the template's defaults, which
/// `wasf doctor` judges.
async fn leave_room(aws: &SdkConfig, config: &mut SamConfig) -> Result<(), Error> {
    let Ok(limit) = Functions::new(aws).account_limit().await else { return Ok(()) };
    let set = room::of_a_new_stack(limit, &config.parameters()?);
    config.set_parameters(&set)?;
    if let Some(note) = room::note(limit, &set) {
        print_note(&note);
    }
    Ok(())
}

/// The parameters of a stack that was created; `None` where there is none.
async fn running_parameters(
    aws: &SdkConfig,
    stack: &str,
    exists: bool,
) -> Result<Option<BTreeMap<String, String>>, Error> {
    if !exists {
        return Ok(None);
    }
    let stack = find_stack(aws, stack).await?;
    Ok(stack.is_created().then(|| stack.parameters()))
}

/// Whether chats confirm their logins once this is deployed: the SAM CLI keeps what the stack has where nothing is given.
fn proof_of(given: &BTreeMap<String, String>, running: Option<&BTreeMap<String, String>>) -> ProofPolicy {
    let policy = given.get("ChatProof").or_else(|| running?.get("ChatProof"));
    policy.and_then(|policy| policy.parse().ok()).unwrap_or(ProofPolicy::Off)
}

/// The callback URL; unknown before the first deployment, unless it is on a domain of one's own.
async fn callback(aws: &SdkConfig, stack: &str, parameters: &BTreeMap<String, String>) -> Option<String> {
    if let Some(uri) = parameters.get("CallbackUri").filter(|uri| !uri.is_empty()) {
        return uri.parse::<CallbackUri>().ok().map(|uri| uri.as_str().to_owned());
    }
    let stack = find_stack(aws, stack).await.ok()?;
    stack.output("CallbackUrl").ok().map(str::to_owned)
}
