//! What a policy allows, as far as a doctor asks: is an action on a resource allowed by some
//! statement, and denied by none? Pure.
//!
//! Of conditions, `StringEquals` is compared with what the request will say. Any other is taken to be
//! met when it allows, and not to be met when it denies. What an account adds from outside
//! (boundaries, service control policies) is not looked at.

use serde_json::Value;

/// What a request says to the conditions of a policy: keys and values.
pub(super) type Context<'a> = [(&'a str, &'a str)];

/// May whoever these statements are about do this?
pub(super) fn allows(statements: &[Value], action: &str, resource: &str, context: &Context<'_>) -> bool {
    let applies = |statement: &&Value| {
        any(&statement["Action"], |pattern| matches(&pattern.to_lowercase(), &action.to_lowercase()))
            && any(&statement["Resource"], |pattern| matches(pattern, resource))
    };
    let mut allowed = false;
    for statement in statements.iter().filter(applies) {
        match statement["Effect"].as_str() {
            Some("Deny") if statement.get("Condition").is_none() => return false,
            Some("Allow") if is_met(&statement["Condition"], context) => allowed = true,
            _ => {}
        }
    }
    allowed
}

/// Does a key's policy leave it to IAM, or to this role by name, who may do this?
pub(super) fn key_allows(statements: &[Value], action: &str, role_arn: &str) -> bool {
    let account = role_arn.split(':').nth(4).unwrap_or_default();
    let root = format!(":iam::{account}:root");
    let about_us = |statement: &&Value| {
        let principal = &statement["Principal"];
        let named = |who: &str| who == role_arn || who == account || who.ends_with(&root) || who == "*";
        any(principal, named) || any(&principal["AWS"], named)
    };
    let ours: Vec<_> = statements
        .iter()
        .filter(about_us)
        // Through a service alone: that is for others.
        .filter(|statement| statement.get("Condition").is_none())
        .cloned()
        .map(|mut statement| {
            statement["Resource"] = "*".into();
            statement
        })
        .collect();
    allows(&ours, action, "*", &[])
}

/// Does the request say what the condition asks for? A key that it does not have equals nothing.
fn is_met(condition: &Value, context: &Context<'_>) -> bool {
    condition["StringEquals"].as_object().into_iter().flatten().all(|(key, wanted)| {
        let said = context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        said.is_some_and(|(_, said)| any(wanted, |wanted| wanted == *said))
    })
}

/// A text or a list of texts.
fn any(value: &Value, condition: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => condition(text),
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(condition),
        _ => false,
    }
}

/// Does the text match a pattern with `*` and `?`?
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            matches(rest, text) || text.char_indices().any(|(at, one)| matches(rest, &text[at + one.len_utf8()..]))
        }
        Some(wanted) => match text.chars().next() {
            Some(found) if wanted == '?' || wanted == found => {
                matches(&pattern[wanted.len_utf8()..], &text[found.len_utf8()..])
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/k";
    const ROLE: &str = "arn:aws:iam::123456789012:role/r";

    fn allow(action: &Value, resource: &str) -> Value {
        json!({"Effect": "Allow", "Action": action, "Resource": resource})
    }

    #[test]
    fn a_statement_allows_what_it_names() {
        for action in [json!("kms:Decrypt"), json!("kms:*"), json!("*"), json!(["kms:Encrypt", "KMS:Decr?pt"])] {
            assert!(allows(&[allow(&action, KEY)], "kms:Decrypt", KEY, &[]), "{action}");
        }
        assert!(allows(&[allow(&json!("kms:Decrypt"), "arn:aws:kms:*:key/*")], "kms:Decrypt", KEY, &[]));
        assert!(!allows(&[allow(&json!("kms:Encrypt"), KEY)], "kms:Decrypt", KEY, &[]));
        assert!(!allows(&[allow(&json!("kms:Decrypt"), "arn:other")], "kms:Decrypt", KEY, &[]));
        assert!(!allows(&[], "kms:Decrypt", KEY, &[]));
    }

    #[test]
    fn a_denial_outweighs_whatever_allows() {
        let deny = json!({"Effect": "Deny", "Action": "kms:*", "Resource": "*"});
        assert!(!allows(&[allow(&json!("kms:Decrypt"), KEY), deny.clone()], "kms:Decrypt", KEY, &[]));
        let mut sometimes = deny;
        sometimes["Condition"] = json!({"Bool": {"aws:SecureTransport": "false"}});
        assert!(allows(&[allow(&json!("kms:Decrypt"), KEY), sometimes], "kms:Decrypt", KEY, &[]));
    }

    #[test]
    fn a_permission_for_one_use_is_none_for_another() {
        let mut through = allow(&json!("kms:Decrypt"), KEY);
        through["Condition"] =
            json!({"StringEquals": {"kms:ViaService": ["sqs.amazonaws.com", "dynamodb.amazonaws.com"]}});
        let allowed = |context: &Context<'_>| allows(std::slice::from_ref(&through), "kms:Decrypt", KEY, context);
        assert!(allowed(&[("kms:ViaService", "sqs.amazonaws.com")]));
        assert!(!allowed(&[("kms:ViaService", "s3.amazonaws.com")]));
        assert!(!allowed(&[("kms:EncryptionContext:purpose", "checkpoint")]));
    }

    #[test]
    fn a_key_may_leave_it_to_iam_or_name_the_role() {
        let by =
            |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"});
        assert!(key_allows(&[by(json!({"AWS": "arn:aws:iam::123456789012:root"}))], "kms:Decrypt", ROLE));
        assert!(key_allows(&[by(json!({"AWS": ["arn:other", ROLE]}))], "kms:Decrypt", ROLE));
        assert!(key_allows(&[by(json!("*"))], "kms:Decrypt", ROLE));
        assert!(!key_allows(&[by(json!({"AWS": "arn:aws:iam::999999999999:root"}))], "kms:Decrypt", ROLE));
        assert!(!key_allows(&[by(json!({"Service": "sns.amazonaws.com"}))], "kms:Decrypt", ROLE));
    }

    #[test]
    fn a_key_that_is_open_through_a_service_is_not_open_to_a_role() {
        let statement = json!({
            "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}},
        });
        assert!(!key_allows(&[statement], "kms:Decrypt", ROLE));
    }
}
