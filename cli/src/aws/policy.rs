//! A policy document, as AWS hands it out.

use serde_json::Value;

use crate::error::Error;

/// The statements of a policy.
pub(super) fn statements(policy: &str) -> Result<Vec<Value>, Error> {
    let mut document: Value =
        serde_json::from_str(policy).map_err(|_| Error::failed("read a policy", "it is not JSON"))?;
    Ok(match document["Statement"].take() {
        Value::Array(several) => several,
        Value::Null => Vec::new(),
        one => vec![one],
    })
}
