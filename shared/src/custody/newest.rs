//! The tokens of a refresh on their way through the upkeep queue: as JSON, to be sealed.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::seal::BrokenSeal;
use crate::{
    Timestamp,
    connection::{NewestTokens, Origin, RefreshTokenText},
};

#[derive(Serialize, Deserialize)]
struct Wire {
    /// As it stands in the row.
    used: String,
    replaces: Option<String>,
    #[serde(serialize_with = "exposed", deserialize_with = "secret")]
    access_token: SecretString,
    /// As it is to stand in the row.
    refresh_token: Option<String>,
    origin: Origin,
    instance_url: Option<String>,
    issued_at: Timestamp,
    scope: Option<String>,
    refreshed_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// `None` in a message of an earlier version.
    #[serde(default)]
    app_hash: Option<String>,
    /// Where they can be revoked: the row may be of another consent, at another host, by then.
    hosts: Vec<String>,
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(Into::into)
}

pub(super) fn to_json(tokens: &NewestTokens, hosts: &[String]) -> Result<SecretString, BrokenSeal> {
    let NewestTokens {
        used,
        replaces,
        access_token,
        refresh_token,
        origin,
        instance_url,
        issued_at,
        scope,
        refreshed_at,
        expires_at,
        app_hash,
    } = tokens.clone();
    let wire = Wire {
        used: used.stored().to_owned(),
        replaces: replaces.map(|token| token.expose_secret().to_owned()),
        access_token,
        refresh_token: refresh_token.map(|token| token.stored().to_owned()),
        origin,
        instance_url,
        issued_at,
        scope,
        refreshed_at,
        expires_at,
        app_hash,
        hosts: hosts.to_vec(),
    };
    serde_json::to_string(&wire).map(Into::into).map_err(|_| BrokenSeal)
}

pub(super) fn from_json(text: &SecretString) -> Result<(NewestTokens, Vec<String>), BrokenSeal> {
    let Wire {
        used,
        replaces,
        access_token,
        refresh_token,
        origin,
        instance_url,
        issued_at,
        scope,
        refreshed_at,
        expires_at,
        app_hash,
        hosts,
    } = serde_json::from_str(text.expose_secret()).map_err(|_| BrokenSeal)?;
    let tokens = NewestTokens {
        used: RefreshTokenText::new(&used),
        replaces: replaces.map(Into::into),
        access_token,
        refresh_token: refresh_token.as_deref().map(RefreshTokenText::new),
        origin,
        instance_url,
        issued_at,
        scope,
        refreshed_at,
        expires_at,
        app_hash,
    };
    Ok((tokens, hosts))
}
