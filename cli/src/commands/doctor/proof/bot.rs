//! Whether the bot's policy allows it `POST /confirmations`. Pure.

use serde_json::Value;

use super::CHECK;
use crate::commands::{doctor::finding::Finding, key_policy};

const ACTION: &str = "execute-api:Invoke";

/// The ARN of the call, in the stack with this ARN and API.
pub(super) fn call(stack_arn: &str, api: &str) -> String {
    let part = |place| stack_arn.split(':').nth(place).unwrap_or_default();
    format!("arn:{}:execute-api:{}:{}:{api}/$default/POST/confirmations", part(1), part(3), part(4))
}

/// What a policy with these statements lets its holders do.
pub(super) fn policy(statements: &[Value], call: &str) -> Finding {
    let effects: Vec<_> = statements
        .iter()
        .filter(|statement| key_policy::applies_to(statement, ACTION, call))
        .filter_map(|statement| statement["Effect"].as_str())
        .collect();
    if effects.contains(&"Allow") && !effects.contains(&"Deny") {
        return Finding::ok(CHECK, "the bot's policy allows POST /confirmations");
    }
    Finding::problem(
        CHECK,
        "the bot's policy (output BotPolicyArn) does not allow POST /confirmations",
        "A bot that has no other permission is refused with 403, and nobody gets connected.",
        "Deploy again: the template's BotPolicy allows it.",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STACK: &str = "arn:aws-cn:cloudformation:cn-north-1:123456789012:stack/connect/6a1b";

    fn allowed(resources: &Value) -> Finding {
        let statement = json!({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resources});
        policy(&[statement], &call(STACK, "a1b2"))
    }

    #[test]
    fn a_policy_with_the_call_is_well() {
        let own = "arn:aws-cn:execute-api:cn-north-1:123456789012:a1b2/$default/POST/confirmations";
        for resources in
            [json!([own]), json!(["x", own]), json!(own), json!("arn:aws-cn:execute-api:*:*:a1b2/*"), json!("*")]
        {
            assert!(!allowed(&resources).is_problem(), "{resources}");
        }
    }

    #[test]
    fn a_policy_of_before_the_call_is_a_problem() {
        let other = "arn:aws-cn:execute-api:cn-north-1:123456789012:a1b2/$default/POST/links";
        let found = allowed(&json!([other]));
        assert!(found.is_problem() && found.title.contains("BotPolicyArn"), "{found:?}");
        assert!(policy(&[], &call(STACK, "a1b2")).is_problem());
    }

    #[test]
    fn what_a_policy_denies_it_does_not_allow() {
        let all = json!({"Effect": "Allow", "Action": ["execute-api:*"], "Resource": "*"});
        let denied = json!({"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": "*/POST/confirmations"});
        assert!(!policy(std::slice::from_ref(&all), &call(STACK, "a1b2")).is_problem());
        assert!(policy(&[all, denied], &call(STACK, "a1b2")).is_problem());
    }
}
