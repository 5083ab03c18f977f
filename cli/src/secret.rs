//! The secrets that a deployment reads, and what their values have to look like. Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use shared::{
    CallbackUri,
    process::Random,
    secret_text::{self, single_value},
    whatsapp::{Meta, Twilio},
};

use crate::{args::ProviderArg, aws::Settings, error::Error};

/// What a secret holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ConsumerKey,
    ConsumerSecret,
    CallbackUri,
    WhatsApp(ProviderArg),
    Webhook,
}

/// A secret of a deployed stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StackSecret {
    pub(crate) kind: Kind,
    /// Its name in Secrets Manager.
    pub(crate) name: String,
}

impl Kind {
    /// The value as it is stored: without what an editor or the console puts around it.
    pub(crate) fn parse(self, text: &str) -> Result<SecretString, &'static str> {
        let text = secret_text::plain(text);
        if text.is_empty() {
            return Err("it is empty");
        }
        match self {
            Self::ConsumerKey | Self::ConsumerSecret => single_value(&text)?,
            Self::CallbackUri => {
                CallbackUri::parse(&text).map_err(|_| "it is not https://<host>/callback")?;
            }
            Self::WhatsApp(ProviderArg::Meta) => {
                Meta::parse(&text).map_err(|_| "it is not JSON with access_token and phone_number_id")?;
            }
            Self::WhatsApp(ProviderArg::Twilio | ProviderArg::None) => {
                Twilio::parse(&text).map_err(|_| "it is not JSON with account_sid and auth_token")?;
            }
            Self::Webhook if text.split_whitespace().all(is_signing_secret) => {}
            Self::Webhook => return Err("it is not whsec_<base64> (Standard Webhooks)"),
        }
        Ok(text.into())
    }
}

fn is_signing_secret(text: &str) -> bool {
    let key = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text));
    key.is_ok_and(|key| !key.is_empty())
}

/// The secrets that the functions of a stack read, by the exchanger's and the notifier's settings.
pub(crate) fn of_stack(exchanger: &Settings, notifier: &Settings) -> Vec<StackSecret> {
    let provider =
        if notifier.get("WHATSAPP_PROVIDER") == Some("Meta") { ProviderArg::Meta } else { ProviderArg::Twilio };
    [
        (Kind::ConsumerKey, exchanger.get("SF_CLIENT_ID_SECRET_NAME")),
        (Kind::ConsumerSecret, exchanger.get("SF_CLIENT_SECRET_SECRET_NAME")),
        (Kind::CallbackUri, exchanger.get("SF_CALLBACK_URI_SECRET_NAME")),
        (Kind::WhatsApp(provider), notifier.get("WHATSAPP_SECRET_NAME")),
        (Kind::Webhook, notifier.get("BOT_WEBHOOK_SECRET_NAME")),
    ]
    .into_iter()
    .filter_map(|(kind, name)| Some(StackSecret { kind, name: name?.to_owned() }))
    .collect()
}

/// The provider's credentials, in the format that the notifier reads.
pub(crate) fn credentials(provider: ProviderArg, account: &str, token: &SecretString) -> SecretString {
    let token = token.expose_secret();
    let credentials = match provider {
        ProviderArg::Meta => json!({"access_token": token, "phone_number_id": account}),
        ProviderArg::Twilio | ProviderArg::None => json!({"account_sid": account, "auth_token": token}),
    };
    credentials.to_string().into()
}

/// A new signing secret, in the format of Standard Webhooks.
pub(crate) fn signing_secret(random: Random) -> Result<SecretString, Error> {
    let mut bytes = [0; 32];
    random(&mut bytes).map_err(|error| Error::failed("generate a signing secret", error.to_string()))?;
    Ok(format!("whsec_{}", STANDARD.encode(bytes)).into())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn stored(kind: Kind, text: &str) -> Result<String, &'static str> {
        kind.parse(text).map(|secret| secret.expose_secret().to_owned())
    }

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
        let made = made.unwrap();
        assert_eq!(made.expose_secret(), "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
        assert_eq!(stored(Kind::Webhook, made.expose_secret()).unwrap(), made.expose_secret());
    }

    #[test]
    fn a_value_is_stored_without_what_was_pasted_with_it() {
        for text in ["3MVG9", " \u{feff}3MVG9\n", "\"3MVG9\"", "{\"sf_client_id\": \"3MVG9\"}", "3MVG9\u{200b}"] {
            assert_eq!(stored(Kind::ConsumerKey, text).unwrap(), "3MVG9", "{text:?}");
        }
        let credentials = "\u{feff}{\"account_sid\":\"AC1\",\"auth_token\":\"t\"}\n";
        let twilio = Kind::WhatsApp(ProviderArg::Twilio);
        assert_eq!(stored(twilio, credentials).unwrap(), "{\"account_sid\":\"AC1\",\"auth_token\":\"t\"}");
    }

    #[test]
    fn a_value_that_no_function_could_use_is_refused() {
        for (kind, text) in [
            (Kind::ConsumerSecret, ""),
            (Kind::ConsumerSecret, "two words"),
            (Kind::ConsumerSecret, r#"{"key": "a", "secret": "b"}"#),
            (Kind::WhatsApp(ProviderArg::Twilio), "a-bare-token"),
            (Kind::WhatsApp(ProviderArg::Meta), r#"{"account_sid":"AC1","auth_token":"t"}"#),
            (Kind::Webhook, "whsec_not base64!"),
            (Kind::CallbackUri, "https://example.com/"),
        ] {
            assert!(stored(kind, text).is_err(), "{kind:?} {text:?}");
        }
    }
}
