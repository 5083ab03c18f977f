//! Whether a key's policy lets a role use the key. Pure.
//!
//! IAM evaluates roles' policies for us (`SimulatePrincipalPolicy`), but not the policy of the key for a role. So this
//! much is evaluated here: some statement allows the action to the role or its account, and none denies it. Statements
//! with a condition are skipped: they are for callers through a service, or refine what another statement says.

use serde_json::Value;

/// Whether a key's policy leaves an action to IAM, or allows it to this role by name.
pub(super) fn allows(statements: &[Value], action: &str, role_arn: &str) -> bool {
    let account = role_arn.split(':').nth(4).unwrap_or_default();
    let root = format!(":iam::{account}:root");
    let names_us = |who: &str| who == role_arn || who == account || who.ends_with(&root) || who == "*";
    let applies = |statement: &&Value| {
        let principal = &statement["Principal"];
        statement.get("Condition").is_none()
            && (any(principal, names_us) || any(&principal["AWS"], names_us))
            && any(&statement["Action"], |pattern| matches(&pattern.to_lowercase(), &action.to_lowercase()))
    };
    let effects: Vec<_> =
        statements.iter().filter(applies).filter_map(|statement| statement["Effect"].as_str()).collect();
    effects.contains(&"Allow") && !effects.contains(&"Deny")
}

/// Whether a key's policy allows an action through this service alone, to whoever its other conditions let.
pub(super) fn allows_through(statements: &[Value], action: &str, service: &str) -> bool {
    statements.iter().any(|statement| allows_action(statement, action) && is_through(statement, service))
}

/// Whether a key's policy alone lets a role use the key, through this service at least: it names the role, or everybody.
pub(super) fn grants(statements: &[Value], action: &str, role_arn: &str, service: &str) -> bool {
    let names_it = |who: &str| who == role_arn || who == "*";
    statements.iter().any(|statement| {
        let principal = &statement["Principal"];
        (any(principal, names_it) || any(&principal["AWS"], names_it))
            && allows_action(statement, action)
            && (statement.get("Condition").is_none() || is_through(statement, service))
    })
}

fn allows_action(statement: &Value, action: &str) -> bool {
    statement["Effect"] == "Allow" && covers(statement, action)
}

fn is_through(statement: &Value, service: &str) -> bool {
    let conditions = statement["Condition"].as_object();
    conditions.into_iter().flatten().any(|(_, pairs)| any(&pairs["kms:ViaService"], |via| matches(via, service)))
}

/// Whom the denials of an action to everybody else leave out, as patterns: one list for each denial.
pub(super) fn spared<'a>(statements: &'a [Value], action: &str) -> Vec<Vec<&'a str>> {
    let denies = |statement: &&Value| {
        let everybody =
            any(&statement["Principal"], |who| who == "*") || any(&statement["Principal"]["AWS"], |who| who == "*");
        statement["Effect"] == "Deny" && everybody && covers(statement, action)
    };
    statements.iter().filter(denies).filter_map(left_out).collect()
}

/// The patterns of a condition that leaves out principals, where it has no other.
fn left_out(statement: &Value) -> Option<Vec<&str>> {
    let [(operator, pairs)] = &statement["Condition"].as_object()?.iter().collect::<Vec<_>>()[..] else { return None };
    let [(key, patterns)] = &pairs.as_object()?.iter().collect::<Vec<_>>()[..] else { return None };
    let is_it = ["ArnNotLike", "ArnNotEquals", "StringNotLike", "StringNotEquals"].contains(&operator.as_str());
    let of_principal = key.eq_ignore_ascii_case("aws:PrincipalArn");
    (is_it && of_principal).then(|| match patterns {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    })
}

/// Whether a principal's ARN is among these patterns.
pub(super) fn is_among(patterns: &[&str], arn: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, arn))
}

/// Whether a statement of a role's policy is about this action on this resource.
pub(super) fn applies_to(statement: &Value, action: &str, resource: &str) -> bool {
    covers(statement, action) && any(&statement["Resource"], |pattern| matches(pattern, resource))
}

fn covers(statement: &Value, action: &str) -> bool {
    any(&statement["Action"], |pattern| matches(&pattern.to_lowercase(), &action.to_lowercase()))
}

/// Whether the condition holds for a text, or for one of a list of texts.
fn any(value: &Value, condition: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => condition(text),
        Value::Array(list) => list.iter().filter_map(Value::as_str).any(condition),
        _ => false,
    }
}

/// Whether a text matches a pattern with `*` and `?`.
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

    const ROLE: &str = "arn:aws:iam::123456789012:role/r";

    fn to(principal: &Value, action: &Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"})
    }

    fn allows_decrypt(statements: &[Value]) -> bool {
        allows(statements, "kms:Decrypt", ROLE)
    }

    #[test]
    fn a_statement_allows_the_actions_that_match_it() {
        for action in [json!("kms:Decrypt"), json!("kms:*"), json!("*"), json!(["kms:Encrypt", "KMS:Decr?pt"])] {
            assert!(allows_decrypt(&[to(&json!("*"), &action)]), "{action}");
        }
        assert!(!allows_decrypt(&[to(&json!("*"), &json!("kms:Encrypt"))]));
        assert!(!allows_decrypt(&[]));
    }

    #[test]
    fn a_key_may_leave_it_to_iam_or_name_the_role() {
        let to = |principal: Value| to(&principal, &json!("kms:*"));
        assert!(allows_decrypt(&[to(json!({"AWS": "arn:aws:iam::123456789012:root"}))]));
        assert!(allows_decrypt(&[to(json!({"AWS": ["arn:other", ROLE]}))]));
        assert!(allows_decrypt(&[to(json!("*"))]));
        assert!(!allows_decrypt(&[to(json!({"AWS": "arn:aws:iam::999999999999:root"}))]));
        assert!(!allows_decrypt(&[to(json!({"Service": "sns.amazonaws.com"}))]));
    }

    #[test]
    fn a_key_may_let_a_role_use_it_without_iam() {
        let service = "secretsmanager.us-east-1.amazonaws.com";
        let granted = |principal: Value, condition: Option<Value>| {
            let mut statement = to(&principal, &json!("kms:Decrypt"));
            if let Some(condition) = condition {
                statement["Condition"] = condition;
            }
            grants(&[statement], "kms:Decrypt", ROLE, service)
        };
        let via = |service: &str| Some(json!({"StringLike": {"kms:ViaService": [service]}}));
        assert!(granted(json!({"AWS": [ROLE]}), None));
        assert!(granted(json!({"AWS": "*"}), via("secretsmanager.*.amazonaws.com")));
        assert!(!granted(json!({"AWS": "*"}), via("dynamodb.us-east-1.amazonaws.com")));
        assert!(!granted(json!({"AWS": ROLE}), Some(json!({"Bool": {"aws:SecureTransport": "true"}}))));
        assert!(!granted(json!({"AWS": "arn:aws:iam::123456789012:root"}), None), "that leaves it to IAM");
    }

    #[test]
    fn a_denial_outweighs_what_allows() {
        let allow = to(&json!("*"), &json!("kms:*"));
        let mut deny = allow.clone();
        deny["Effect"] = "Deny".into();
        assert!(!allows_decrypt(&[allow, deny]));
    }

    #[test]
    fn a_denial_under_a_condition_is_skipped() {
        let allow = to(&json!("*"), &json!("kms:*"));
        let mut deny = allow.clone();
        deny["Effect"] = "Deny".into();
        deny["Condition"] = json!({"Bool": {"aws:SecureTransport": "false"}});
        assert!(allows_decrypt(&[allow, deny]));
    }

    #[test]
    fn a_denial_to_everybody_else_leaves_out_whom_it_names() {
        let deny = |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": ["kms:Decrypt", "kms:ReEncryptFrom"], "Condition": condition});
        let but = deny(json!({"ArnNotLike": {"aws:PrincipalArn": [ROLE, "arn:aws:iam::1:role/next-*"]}}));
        let found = spared(std::slice::from_ref(&but), "kms:Decrypt");
        assert_eq!(found.len(), 1);
        assert!(is_among(&found[0], ROLE) && is_among(&found[0], "arn:aws:iam::1:role/next-1"));
        assert!(!is_among(&found[0], "arn:aws:iam::1:role/other"));
        assert!(spared(&[but], "kms:GenerateDataKey").is_empty());
        let weaker = deny(json!({"ArnNotLike": {"aws:PrincipalArn": ROLE}, "Bool": {"aws:ViaAWSService": "true"}}));
        assert!(spared(&[weaker], "kms:Decrypt").is_empty(), "it does not deny everybody else");
    }

    #[test]
    fn a_key_that_is_open_through_a_service_is_not_open_to_a_role() {
        let mut statement = to(&json!({"AWS": "*"}), &json!("kms:Decrypt"));
        statement["Condition"] = json!({"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}});
        assert!(!allows_decrypt(&[statement.clone()]));
        assert!(allows_through(&[statement.clone()], "kms:Decrypt", "dynamodb.us-east-1.amazonaws.com"));
        assert!(!allows_through(&[statement], "kms:Decrypt", "secretsmanager.us-east-1.amazonaws.com"));
    }
}
