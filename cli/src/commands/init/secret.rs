//! The secrets that a deployment reads, and the format of their values.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use shared::process::Random;

use crate::{args::ProviderArg, aws::Presence, error::Error};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ConsumerKey,
    ConsumerSecret,
    WhatsApp,
    Webhook,
}

pub(super) struct PlannedSecret {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) presence: Presence,
    pub(super) keep: bool,
}

/// The provider's credentials, in the format that the notifier reads.
pub(super) fn credentials(provider: ProviderArg, account: &str, token: &SecretString) -> SecretString {
    let token = token.expose_secret();
    let credentials = match provider {
        ProviderArg::Meta => json!({"access_token": token, "phone_number_id": account}),
        ProviderArg::Twilio | ProviderArg::None => json!({"account_sid": account, "auth_token": token}),
    };
    credentials.to_string().into()
}

/// A new signing secret, in the format of Standard Webhooks.
pub(super) fn signing_secret(random: Random) -> Result<SecretString, Error> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    let mut bytes = [0; 32];
    random(&mut bytes).map_err(|error| Error::failed("generate a signing secret", error.to_string()))?;
    Ok(format!("whsec_{}", STANDARD.encode(bytes)).into())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn credentials_have_the_providers_form() {
        let made = |provider| -> Value {
            serde_json::from_str(credentials(provider, "id", &"t".into()).expose_secret()).unwrap()
        };
        assert_eq!(made(ProviderArg::Twilio), json!({"account_sid": "id", "auth_token": "t"}));
        assert_eq!(made(ProviderArg::Meta), json!({"access_token": "t", "phone_number_id": "id"}));
    }

    #[test]
    fn a_signing_secret_is_one_of_standard_webhooks() {
        let made = signing_secret(|bytes| {
            bytes.fill(1);
            Ok(())
        });
        assert_eq!(made.unwrap().expose_secret(), "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
    }
}
