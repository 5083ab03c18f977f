//! Salesforce: whether each login host accepts the app, its callback URL and its secret.

use shared::LoginUrl;

use super::Checks;
use crate::{
    commands::doctor::{
        finding::{self, Finding},
        secrets,
    },
    error::Error,
    parties::{AppStatus, check_app, check_secret},
    secret::Kind,
};

impl Checks<'_> {
    pub(super) async fn salesforce(&self) -> Result<Vec<Finding>, Error> {
        let settings = &self.exchanger.settings;
        let client_id = match settings.get("SF_CLIENT_ID_SECRET_NAME") {
            Some(name) => self.secret(name).await?,
            None => settings.get("SF_CLIENT_ID").unwrap_or_default().to_owned(),
        };
        let callback = self.callback_of(&self.connect_link).await?;
        let name = settings.get("SF_CLIENT_SECRET_SECRET_NAME").unwrap_or_default();
        let secret = self.consumer_secret(name).await;
        let mut findings = Vec::new();
        let hosts = settings.get("LOGIN_URLS").unwrap_or_default().split(',').map(str::trim);
        for host in hosts.filter(|host| host.parse::<LoginUrl>().is_ok()) {
            let app = check_app(host, &client_id, &callback).await?;
            findings.push(finding::app(host, &app));
            // An app that the host does not know has no secret there.
            let is_known = match &app {
                AppStatus::Accepted => true,
                AppStatus::Refused(code) => code == "redirect_uri_mismatch",
                AppStatus::NoAnswer(_) | AppStatus::Unclear(_) => false,
            };
            if let Ok(secret) = &secret
                && is_known
            {
                findings.push(secrets::consumer_secret(host, name, &check_secret(host, &client_id, secret).await?));
            }
        }
        findings.extend(secret.err().map(|error| finding::unchecked("salesforce", &error)));
        Ok(findings)
    }

    /// The consumer secret, unless another check finds it missing or unusable.
    async fn consumer_secret(&self, name: &str) -> Result<String, Error> {
        let secret = self.secret(name).await?;
        match Kind::ConsumerSecret.parse(&secret) {
            Ok(_) => Ok(secret),
            Err(_) => Err(Error::NothingMatched(format!("the secret {name} cannot be used"))),
        }
    }
}
