//! How often each operation of AWS was called, and with which key of KMS; and whose tokens it was given in clear. Nothing else of
//! the calls is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use serde::{Deserialize, Serialize};

use crate::{
    lock,
    salesforce::{Salesforce, TokenKind, tokens_in},
};

/// The operation and, with a call of KMS that names one, the key.
type Called = (String, Option<String>);

/// How often something was called.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Calls {
    operation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    count: u64,
}

/// A token that an operation was given in clear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Shown {
    operation: String,
    kind: TokenKind,
}

/// The numbers of calls since the start.
#[derive(Default)]
pub(crate) struct AwsCalls {
    numbers: Mutex<BTreeMap<Called, u64>>,
    /// By chat.
    shown: Mutex<BTreeMap<String, BTreeSet<Shown>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfKey {
    key_id: String,
}

impl AwsCalls {
    /// Counts a call, whether or not a fault keeps it from AWS.
    pub(crate) fn count(&self, operation: &str, body: &[u8]) {
        let is_kms = operation.starts_with("kms.");
        let key_id = is_kms.then(|| serde_json::from_slice(body).ok()).flatten().map(|OfKey { key_id }| key_id);
        *lock(&self.numbers).entry((operation.to_owned(), key_id)).or_default() += 1;
    }

    /// Notes whose tokens a call has in clear.
    pub(crate) fn note_tokens(&self, operation: &str, body: &[u8], salesforce: &Salesforce) {
        for (kind, token) in tokens_in(&String::from_utf8_lossy(body)) {
            if let Some(wa_id) = salesforce.wa_id_of_token(token) {
                let shown = Shown { operation: operation.to_owned(), kind };
                lock(&self.shown).entry(wa_id).or_default().insert(shown);
            }
        }
    }

    /// The tokens of a chat that were given in clear.
    pub(crate) fn tokens_of(&self, wa_id: &str) -> BTreeSet<Shown> {
        lock(&self.shown).get(wa_id).cloned().unwrap_or_default()
    }

    /// All numbers, in the order of the operations' names.
    pub(crate) fn counts(&self) -> Vec<Calls> {
        let calls = lock(&self.numbers);
        let count = |((operation, key_id), count): (&Called, &u64)| Calls {
            operation: operation.clone(),
            key_id: key_id.clone(),
            count: *count,
        };
        calls.iter().map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_kms_are_counted_by_key() {
        let calls = AwsCalls::default();
        calls.count("kms.Sign", br#"{"KeyId":"a","Message":"secret"}"#);
        calls.count("kms.Sign", br#"{"KeyId":"b"}"#);
        calls.count("kms.Sign", br#"{"KeyId":"b"}"#);
        calls.count("dynamodb.GetItem", br#"{"KeyId":"b"}"#);
        let count = |operation: &str, key_id: Option<&str>, count| Calls {
            operation: operation.to_owned(),
            key_id: key_id.map(str::to_owned),
            count,
        };
        assert_eq!(
            calls.counts(),
            [count("dynamodb.GetItem", None, 1), count("kms.Sign", Some("a"), 1), count("kms.Sign", Some("b"), 2)]
        );
    }
}
