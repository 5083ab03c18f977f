//! The secrets: whether they exist, look like what they should be, and whether the functions may read them.

use shared::aws::{
    partition,
    secrets::{SecretStore, Source},
};

use super::{Checks, Function};
use crate::{
    aws::{Keys, Presence, Roles, SecretsManager, region},
    commands::{
        doctor::{
            finding::{self, Finding},
            secrets::{self, Barrier},
        },
        key_policy,
    },
    error::Error,
    secret::{Kind, StackSecret, of_stack},
};

/// The settings that name secrets. A function has those of the secrets that it reads.
const SETTINGS: [&str; 5] = [
    "SF_CLIENT_ID_SECRET_NAME",
    "SF_CLIENT_SECRET_SECRET_NAME",
    "SF_CALLBACK_URI_SECRET_NAME",
    "WHATSAPP_SECRET_NAME",
    "BOT_WEBHOOK_SECRET_NAME",
];

impl Checks<'_> {
    pub(super) async fn secrets(&self) -> Result<Vec<Finding>, Error> {
        let manager = SecretsManager::new(&self.target.aws);
        let mut findings = Vec::new();
        let all = of_stack(&self.exchanger.settings, &self.notifier.settings);
        for secret @ StackSecret { kind, name } in &all {
            let presence = manager.presence(name).await?;
            // Others judge what is in the secrets of WhatsApp and of the callback URL.
            let has_form = matches!(kind, Kind::ConsumerKey | Kind::ConsumerSecret | Kind::Webhook);
            findings.push(match presence {
                Presence::Present if has_form => match self.secret(name).await {
                    Ok(value) => secrets::value(secret, kind.parse(&value).err()),
                    Err(error) => finding::unchecked("secrets", &error),
                },
                presence => secrets::presence(secret, presence),
            });
        }
        for function in [&self.connect_link, &self.exchanger, &self.notifier] {
            let names: Vec<_> = SETTINGS.iter().filter_map(|setting| function.settings.get(setting)).collect();
            for secret in all.iter().filter(|secret| names.contains(&secret.name.as_str())) {
                let access = self.secret_access(&manager, function, secret).await;
                findings.extend(access.unwrap_or_else(|error| Some(finding::unchecked("secrets", &error))));
            }
        }
        Ok(findings)
    }

    /// A secret's value, as the functions read it.
    pub(super) async fn secret(&self, name: &str) -> Result<String, Error> {
        if SecretsManager::new(&self.target.aws).presence(name).await? != Presence::Present {
            return Err(Error::NothingMatched(format!("the secret {name} is missing")));
        }
        let source = Source::Secret(name.to_owned());
        let failed = |error: &dyn std::error::Error| Error::failed("read a secret", error.to_string());
        let secrets =
            SecretStore::new(&self.target.aws, [&source]).current((self.clock)()).await.map_err(|e| failed(&e))?;
        secrets.get(&source).map(str::to_owned).map_err(|e| failed(&e))
    }

    /// What a function may not do with a secret that it reads, by its role: this command's own credentials prove nothing of
    /// the functions'. A secret that does not exist is another finding.
    async fn secret_access(
        &self,
        manager: &SecretsManager,
        function: &Function,
        secret: &StackSecret,
    ) -> Result<Option<Finding>, Error> {
        let Some(described) = manager.describe(&secret.name).await? else { return Ok(None) };
        let (roles, action) = (Roles::new(&self.target.aws), "secretsmanager:GetSecretValue");
        if !roles.denied(&function.settings.role_arn, &[action], &described.arn, &[]).await?.is_empty() {
            return Ok(Some(secrets::denied(function.title(), secret)));
        }
        let Some(key) = &described.key else { return Ok(None) };
        let barrier = self.cannot_decrypt(&roles, function, key).await?;
        Ok(barrier.map(|barrier| secrets::key_denied(function.title(), secret, key, barrier)))
    }

    /// What keeps a function from decrypting a secret with this key of the account's; `None` where it can.
    async fn cannot_decrypt(&self, roles: &Roles, function: &Function, key: &str) -> Result<Option<Barrier>, Error> {
        let region = region(&self.target.aws);
        let service = format!("secretsmanager.{region}.{}", partition::domain(region));
        let key = Keys::new(&self.target.aws).read(key).await?;
        let (action, role_arn) = ("kms:Decrypt", &function.settings.role_arn);
        if key.state != "Enabled" {
            return Ok(Some(Barrier::State));
        }
        if key_policy::grants(&key.statements, action, role_arn, &service) {
            return Ok(None);
        }
        if !roles.denied(role_arn, &[action], &key.arn, &[("kms:ViaService", &service)]).await?.is_empty() {
            return Ok(Some(Barrier::Role));
        }
        let is_allowed = key_policy::allows(&key.statements, action, role_arn)
            || key_policy::allows_through(&key.statements, action, &service);
        Ok((!is_allowed).then_some(Barrier::KeyPolicy))
    }
}
