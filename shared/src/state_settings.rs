//! The settings that states are verified with, for both functions that verify them.

use std::str::FromStr;

use crate::{SettingError, Settings, state::StateKey};

/// The setting that holds public keys, so that a start need not fetch them.
pub const STATE_PUBLIC_KEYS: &str = "STATE_PUBLIC_KEYS";

/// The settings that states are verified with.
#[derive(Clone, Debug)]
pub struct StateSettings {
    /// Which states are accepted.
    pub policy: StatePolicy,
    /// The KMS keys that may have signed a state.
    pub key_ids: Vec<String>,
    /// Their public keys, as far as the settings hold them; the others are fetched.
    pub keys: Vec<StateKey>,
}

/// Which states are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatePolicy {
    /// Signed ones only.
    Signed,
    /// Plain ones too, which anyone can make: for bots of the older system.
    AcceptPlain,
}

impl FromStr for StatePolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "Signed" => Ok(Self::Signed),
            "AcceptPlain" => Ok(Self::AcceptPlain),
            _ => Err("neither Signed nor AcceptPlain"),
        }
    }
}

impl StateSettings {
    /// Reads `STATE_POLICY`, `STATE_KEY_IDS` and `STATE_PUBLIC_KEYS`.
    ///
    /// # Errors
    /// [`SettingError`] with the name of a setting that is missing or invalid.
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Result<Self, SettingError> {
        Ok(Self {
            policy: settings.parsed("STATE_POLICY")?,
            key_ids: settings.required("STATE_KEY_IDS")?.split(',').map(|id| id.trim().to_owned()).collect(),
            keys: state_keys(&settings.optional(STATE_PUBLIC_KEYS).unwrap_or_default())?,
        })
    }
}

fn state_keys(text: &str) -> Result<Vec<StateKey>, SettingError> {
    let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
    keys.map(StateKey::from_base64)
        .collect::<Result<_, _>>()
        .map_err(|error| SettingError::Invalid { name: STATE_PUBLIC_KEYS, why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(changed: &'static str, value: &'static str) -> Result<StateSettings, SettingError> {
        StateSettings::read(&Settings::new(|name| {
            let usual = match name {
                "STATE_POLICY" => "Signed",
                "STATE_KEY_IDS" => "arn:one, arn:two",
                _ => "",
            };
            Some(if name == changed { value } else { usual }.to_owned())
        }))
    }

    #[test]
    fn reads_every_setting() {
        let settings = read_with("", "").unwrap();
        assert_eq!(settings.policy, StatePolicy::Signed);
        assert_eq!(settings.key_ids, ["arn:one", "arn:two"]);
        assert!(settings.keys.is_empty());
        let key = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        assert_eq!(state_keys(&format!("{key}, {key}")).unwrap().len(), 2);
        assert_eq!(read_with("STATE_POLICY", "AcceptPlain").unwrap().policy, StatePolicy::AcceptPlain);
    }

    #[test]
    fn names_the_setting_that_is_missing_or_invalid() {
        assert_eq!(read_with("STATE_KEY_IDS", "").unwrap_err(), SettingError::Missing("STATE_KEY_IDS"));
        for (name, value) in [("STATE_POLICY", "plain"), (STATE_PUBLIC_KEYS, "MCow")] {
            let error = read_with(name, value).unwrap_err();
            assert!(matches!(error, SettingError::Invalid { name: invalid, .. } if invalid == name), "{error}");
        }
    }
}
