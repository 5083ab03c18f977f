//! IAM: what a function's role may do.

use aws_sdk_iam::Client;
use serde_json::Value;

use super::policy;
use crate::error::Error;
use aws_types::SdkConfig;

/// IAM.
#[derive(Clone, Debug)]
pub(crate) struct Roles(Client);

impl Roles {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// The statements of a role's own policies. What an account adds from outside (boundaries,
    /// service control policies) is not among them.
    pub(crate) async fn statements(&self, role: &str) -> Result<Vec<Value>, Error> {
        let names = self.0.list_role_policies().role_name(role).send().await;
        let names = names.map_err(Error::aws("list a role's policies"))?.policy_names;
        let mut statements = Vec::new();
        for name in names {
            let answer = self.0.get_role_policy().role_name(role).policy_name(name).send().await;
            let document = answer.map_err(Error::aws("read a role's policy"))?.policy_document;
            // IAM hands documents out as they stand in an address.
            statements.extend(policy::statements(&percent_decoded(&document))?);
        }
        Ok(statements)
    }
}

/// Percent-encoding alone: what has a meaning in a form besides has none here.
fn percent_decoded(text: &str) -> String {
    let protected = text.replace('+', "%2B").replace('&', "%26");
    url::form_urlencoded::parse(format!("d={protected}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_may_come_encoded_or_plain() {
        for text in ["%7B%22Sid%22%3A%22a%2Bb%26c%3Dd%22%7D", r#"{"Sid":"a+b&c=d"}"#] {
            assert_eq!(percent_decoded(text), r#"{"Sid":"a+b&c=d"}"#);
        }
    }
}
