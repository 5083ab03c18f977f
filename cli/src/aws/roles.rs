//! IAM: what a function's role may do, as IAM itself evaluates it, and whom a policy is attached to.

use aws_sdk_iam::{
    Client,
    types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType},
};
use aws_types::SdkConfig;
use serde_json::Value;
use url::form_urlencoded;

use super::config::region;
use crate::error::Error;

/// What a request says to the conditions of policies: keys and values.
pub(crate) type Context<'a> = [(&'a str, &'a str)];

/// Somebody whom a policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// `role`, `user` or `group`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Roles {
    client: Client,
    region: String,
}

impl Roles {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config), region: region(config).to_owned() }
    }

    /// Those of the actions on a resource that a role may not do in this context, by its inline and attached policies,
    /// its permissions boundary and the organization's policies.
    ///
    /// The resource's own policy is not among them: IAM does not simulate resource policies for roles (IAM API
    /// Reference, `SimulatePrincipalPolicy`).
    pub(crate) async fn denied(
        &self,
        role_arn: &str,
        actions: &[&str],
        resource_arn: &str,
        context: &Context<'_>,
    ) -> Result<Vec<String>, Error> {
        // Without these two, a policy that denies other regions or plain HTTP would deny everything.
        let always = [("aws:RequestedRegion", self.region.as_str()), ("aws:SecureTransport", "true")];
        let entries = always.iter().chain(context).map(|(key, value)| {
            let kind = match *key {
                "aws:SecureTransport" => ContextKeyTypeEnum::Boolean,
                _ => ContextKeyTypeEnum::String,
            };
            ContextEntry::builder().context_key_name(*key).context_key_values(*value).context_key_type(kind).build()
        });
        let answer = self
            .client
            .simulate_principal_policy()
            .policy_source_arn(role_arn)
            .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
            .resource_arns(resource_arn)
            .set_context_entries(Some(entries.collect()))
            .send()
            .await
            .map_err(Error::aws("simulate a role's policies", "SimulatePrincipalPolicy"))?;
        let results = answer.evaluation_results.unwrap_or_default().into_iter();
        let denied = results.filter(|result| result.eval_decision != PolicyEvaluationDecisionType::Allowed);
        Ok(denied.map(|result| result.eval_action_name).collect())
    }

    /// The statements of a managed policy, in the version that counts.
    pub(crate) async fn statements(&self, policy_arn: &str) -> Result<Vec<Value>, Error> {
        const ACTION: &str = "read the bot's policy";
        let answer = self.client.get_policy().policy_arn(policy_arn).send().await;
        let policy = answer.map_err(Error::aws(ACTION, "GetPolicy"))?.policy;
        let version = policy.and_then(|policy| policy.default_version_id);
        let version = version.ok_or_else(|| Error::failed(ACTION, "unexpected response"))?;
        let answer = self.client.get_policy_version().policy_arn(policy_arn).version_id(version).send().await;
        let version = answer.map_err(Error::aws(ACTION, "GetPolicyVersion"))?.policy_version;
        let document = version.and_then(|version| version.document).unwrap_or_default();
        statements(&document).ok_or_else(|| Error::failed(ACTION, "it is not JSON"))
    }

    /// Whom a managed policy is attached to.
    pub(crate) async fn holders(&self, policy_arn: &str) -> Result<Vec<Holder>, Error> {
        let mut pages = self.client.list_entities_for_policy().policy_arn(policy_arn).into_paginator().send();
        let (mut holders, holder) = (Vec::new(), |kind, name: Option<String>| name.map(|name| Holder { kind, name }));
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(Error::aws("find out whom the bot's policy is attached to", "ListEntitiesForPolicy"))?;
            holders.extend(page.policy_roles.into_iter().flatten().filter_map(|role| holder("role", role.role_name)));
            holders.extend(page.policy_users.into_iter().flatten().filter_map(|user| holder("user", user.user_name)));
            holders
                .extend(page.policy_groups.into_iter().flatten().filter_map(|group| holder("group", group.group_name)));
        }
        Ok(holders)
    }
}

/// The statements of a policy's document, which IAM encodes as in a URL (RFC 3986).
fn statements(document: &str) -> Option<Vec<Value>> {
    let text = form_urlencoded::parse(document.as_bytes()).next()?.0.into_owned();
    match serde_json::from_str::<Value>(&text).ok()?.get_mut("Statement")?.take() {
        Value::Array(statements) => Some(statements),
        one => Some(vec![one]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policys_document_is_read_as_iam_encodes_it() {
        let one = json!({"Effect": "Allow", "Action": "a:B", "Resource": "arn:x/$default/POST/c+d&e=f g"});
        for document in [json!({"Statement": [one]}), json!({"Statement": one})] {
            let encoded: String = form_urlencoded::byte_serialize(document.to_string().as_bytes()).collect();
            assert_eq!(statements(&encoded.replace('+', "%20")), Some(vec![one.clone()]));
        }
        assert_eq!(statements(""), None);
        assert_eq!(statements("not%20json"), None);
    }
}
