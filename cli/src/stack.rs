//! A deployed stack, as CloudFormation describes it. Pure.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::error::Error;

/// A stack made from `template.yaml`.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    name: String,
    arn: String,
    /// As CloudFormation calls it: `CREATE_COMPLETE`.
    status: String,
    parameters: HashMap<String, String>,
    outputs: HashMap<String, String>,
    resources: Vec<Resource>,
}

/// The longest name that CloudFormation takes.
const LONGEST_NAME: usize = 128;

/// CloudFormation's rule for a stack's name
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>).
pub(crate) fn check_name(text: &str) -> Result<(), &'static str> {
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match text.len() {
        0 => Err("it is empty"),
        1..=LONGEST_NAME if is_name => Ok(()),
        _ => Err("not a stack's name (a letter, then letters, digits and hyphens, 128 in all at most)"),
    }
}

/// An account, a region and a stack in one line.
pub(crate) fn place(account: &str, region: &str, stack: &str) -> String {
    format!("Account {account}, region {region}, stack {stack}")
}

/// A resource: its name in the template, its name in the account, and its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) logical: String,
    pub(crate) physical: String,
    pub(crate) kind: String,
}

impl Stack {
    pub(crate) fn new(
        name: String,
        arn: String,
        parameters: HashMap<String, String>,
        outputs: HashMap<String, String>,
        resources: Vec<Resource>,
    ) -> Self {
        Self { name, arn, status: String::new(), parameters, outputs, resources }
    }

    pub(crate) fn with_status(self, status: &str) -> Self {
        Self { status: status.to_owned(), ..self }
    }

    pub(crate) fn status(&self) -> &str {
        &self.status
    }

    /// Whether it was ever created as a whole: one whose first deployment failed is rolled back, and only to be deleted.
    pub(crate) fn is_created(&self) -> bool {
        !["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "ROLLBACK_IN_PROGRESS", "REVIEW_IN_PROGRESS"]
            .contains(&self.status.as_str())
    }

    /// All parameters, those with masked values too.
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        self.parameters.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// A parameter's value; empty where the stack has none. CloudFormation masks those that may hold a secret.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Where it is, for an operator who is about to change something of it.
    pub(crate) fn place(&self) -> String {
        let mut parts = self.arn.split(':').skip(3);
        let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        place(account, region, &self.name)
    }

    /// Its ARN, which no other stack ever has.
    pub(crate) fn id(&self) -> &str {
        &self.arn
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An output. A stack without it is not made from our template.
    pub(crate) fn output(&self, name: &str) -> Result<&str, Error> {
        self.outputs.get(name).map(String::as_str).ok_or_else(|| {
            let why =
                format!("it has no output {name}; check --stack-name, or deploy wasf's own version of the template");
            Error::failed(format!("use the stack {}", self.name), why)
        })
    }

    /// A resource's name in the account.
    pub(crate) fn resource(&self, logical: &str) -> Option<&str> {
        self.resources.iter().find(|resource| resource.logical == logical).map(|resource| resource.physical.as_str())
    }

    /// The names of its resources in the account, and its own.
    pub(crate) fn names(&self) -> Vec<&str> {
        let resources = self.resources.iter().map(|resource| resource.physical.as_str());
        resources.chain([self.name.as_str()]).filter(|name| !name.is_empty()).collect()
    }

    /// The resources that stay when the stack is deleted, by the template as it is deployed.
    pub(crate) fn retained_by(&self, template: &Value) -> Vec<Resource> {
        let policy = |resource: &&Resource| template["Resources"][&resource.logical]["DeletionPolicy"].as_str();
        let stays = |resource: &&Resource| matches!(policy(resource), Some("Retain" | "RetainExceptOnCreate"));
        self.resources.iter().filter(stays).cloned().collect()
    }

    /// The resources of a type, by their names in the template.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let of_kind = self.resources.iter().filter(move |resource| resource.kind == kind);
        of_kind.map(|resource| (resource.logical.as_str(), resource.physical.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_whose_first_deployment_failed_was_never_created() {
        let is_created = |status: &str| {
            let stack = Stack::new("s".to_owned(), String::new(), HashMap::new(), HashMap::new(), Vec::new());
            stack.with_status(status).is_created()
        };
        for status in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS"] {
            assert!(is_created(status), "{status}");
        }
        for status in ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"] {
            assert!(!is_created(status), "{status}");
        }
    }

    #[test]
    fn a_stacks_name_is_one_that_cloudformation_takes() {
        for name in ["a", "connect", "A-1", "whatsapp-salesforce-connect", &"a".repeat(LONGEST_NAME)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let long = "a".repeat(LONGEST_NAME + 1);
        for name in
            ["", " ", "bad name", "9_x!", "9", "-a", "a_b", "a.b", "é", "arn:aws:cloudformation:x", "a\n", &long]
        {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_stack_says_where_it_is() {
        let arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/connect/6a1b".to_owned();
        let stack = Stack::new("connect".to_owned(), arn, HashMap::new(), HashMap::new(), Vec::new());
        assert_eq!(stack.place(), "Account 123456789012, region eu-west-1, stack connect");
    }

    #[test]
    fn what_stays_is_what_the_deployed_template_retains() {
        let resource = |logical: &str| Resource {
            logical: logical.to_owned(),
            physical: format!("{logical}-1"),
            kind: "AWS::KMS::Key".to_owned(),
        };
        let resources = ["Kept", "KeptButOnCreate", "Deleted", "Silent"].map(resource).to_vec();
        let stack = Stack::new(String::new(), String::new(), HashMap::new(), HashMap::new(), resources);
        let template = serde_json::json!({"Resources": {
            "Kept": {"DeletionPolicy": "Retain"},
            "KeptButOnCreate": {"DeletionPolicy": "RetainExceptOnCreate"},
            "Deleted": {"DeletionPolicy": "Delete"},
            "Silent": {},
            "OfACondition": {"DeletionPolicy": "Retain"},
        }});
        assert_eq!(stack.retained_by(&template), ["Kept", "KeptButOnCreate"].map(resource));
    }
}
