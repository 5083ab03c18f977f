//! Whether what keeps connections alive is as the stack says: the key's policy, the schedule, the functions' environment. Pure.

use serde_json::{Value, json};

use super::finding::Finding;
use crate::{aws::Schedule, commands::key_policy};

const CHECK: &str = "custody";
const UNKEPT: &str = "Connections that no bot uses are not refreshed, and end after some weeks.";

/// A role that uses the key of refresh tokens.
pub(super) struct User {
    /// As in the template's outputs: `TokenKeeper`.
    pub(super) title: &'static str,
    pub(super) role_arn: String,
    /// What it does with the key.
    pub(super) actions: &'static [&'static str],
}

/// The key of refresh tokens, as KMS has it.
pub(super) struct Opened<'a> {
    pub(super) stack: &'a str,
    pub(super) arn: &'a str,
    pub(super) statements: &'a [Value],
    /// Whether the stack was given it.
    pub(super) is_given: bool,
}

/// Whether the key's policy keeps everybody but these out, and none of these.
pub(super) fn key_policy(key: &Opened<'_>, users: &[User]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for action in ["kms:Decrypt", "kms:GenerateDataKey"] {
        let lists = key_policy::spared(key.statements, action);
        if lists.is_empty() {
            findings.push(open(key, action));
        }
        for User { title, role_arn, .. } in users.iter().filter(|user| user.actions.contains(&action)) {
            if lists.iter().any(|list| !key_policy::is_among(list, role_arn)) {
                findings.push(shut_out(key, title, role_arn, action));
            }
        }
        let others: Vec<_> = lists
            .first()
            .into_iter()
            .flatten()
            .filter(|pattern| lists.iter().all(|list| list.contains(pattern)))
            .filter(|pattern| !is_known(key.stack, pattern, users, action))
            .copied()
            .collect();
        if !others.is_empty() {
            findings.push(let_in(key, &others, action));
        }
    }
    findings
}

/// Whether a pattern is of a role that uses the key so, in this stack or the next one of its name.
fn is_known(stack: &str, pattern: &str, users: &[User], action: &str) -> bool {
    users.iter().filter(|user| user.actions.contains(&action)).any(|User { title, role_arn, .. }| {
        let role = pattern.split_once(":role/").map_or("", |(_, role)| role);
        // A deleted stack's too, which is a name of nobody by now.
        let of_stack = role.strip_prefix(stack).and_then(|rest| rest.strip_prefix(&format!("-{title}Role-")));
        pattern == role_arn || of_stack.is_some_and(|rest| rest == "*" || !rest.contains(['*', '?']))
    })
}

fn open(key: &Opened<'_>, action: &str) -> Finding {
    let title = format!("the policy of RefreshTokenKey does not keep others from {action}");
    let meaning = "Whoever has kms:* in the account, as administrators do, can use the refresh tokens in the table, or make some.";
    let remedy = format!(
        "Put the Deny statements of RefreshTokenKey in template.yaml into the policy: run aws kms put-key-policy --key-id {} \
         --policy-name default --policy file://policy.json",
        key.arn
    );
    if key.is_given {
        Finding::note(CHECK, title, meaning, remedy)
    } else {
        Finding::problem(CHECK, title, meaning, remedy)
    }
}

fn shut_out(key: &Opened<'_>, function: &str, role_arn: &str, action: &str) -> Finding {
    Finding::problem(
        CHECK,
        format!("{function} may not {action} with RefreshTokenKey: the key's policy denies it"),
        "Refreshes fail: bots get no token once the old one has ended.",
        format!(
            "Put {role_arn} into the Deny statements of {}, as docs/UPGRADE.md says (\"The key of refresh tokens\").",
            key.arn
        ),
    )
}

fn let_in(key: &Opened<'_>, others: &[&str], action: &str) -> Finding {
    let title = format!("the policy of RefreshTokenKey lets others {action}: {}", others.join(", "));
    let meaning = "Who has one of these roles can use the refresh tokens in the table, or make some.";
    let remedy = format!("If they are not meant to, take them out of the Deny statements of {}.", key.arn);
    Finding::note(CHECK, title, meaning, remedy)
}

/// The schedule that begins sweeps; `None` where it is gone. `queue_url` is the upkeep queue's.
pub(super) fn schedule(name: &str, found: Option<&Schedule>, queue_url: &str) -> Finding {
    let again = "Create it again under this name, as template.yaml has it (SweepSchedule).";
    let Some(Schedule { state, target_arn, input }) = found else {
        return Finding::problem(CHECK, format!("the schedule {name} does not exist"), UNKEPT, again);
    };
    let change = |what: &str| format!("{what} the schedule {name} in EventBridge Scheduler's console.");
    let queue = queue_url.rsplit('/').next().unwrap_or(queue_url);
    let is_begin = serde_json::from_str::<Value>(input).is_ok_and(|input| input == json!({"v": 1, "sweep": {}}));
    if state != "ENABLED" {
        Finding::problem(CHECK, format!("the schedule of the sweep is {state}"), UNKEPT, change("Enable"))
    } else if target_arn.rsplit(':').next() != Some(queue) {
        let title = format!("the schedule of the sweep points to {target_arn}, and not to the upkeep queue");
        Finding::problem(CHECK, title, UNKEPT, change(&format!("Set the queue {queue} as the target of")))
    } else if !is_begin {
        let title = "the schedule of the sweep sends another message than the one that begins a sweep";
        Finding::problem(CHECK, title, UNKEPT, change("Set {\"v\":1,\"sweep\":{}} as the input of"))
    } else {
        Finding::ok(CHECK, "the sweep is scheduled")
    }
}

/// A variable of a function's environment: its name, what the stack says, and where.
pub(super) type Setting<'a> = (&'static str, String, &'a str);

/// Which check looks at a function's variables, and what it means for people where one differs, by the variable's name.
pub(super) type Concern = (&'static str, fn(&str) -> &'static str);

/// What a changed variable means for whoever holds tokens.
pub(super) const CUSTODY: Concern =
    (CHECK, |_| "It does not do what the stack's parameters say, and bots may get no tokens.");

/// Those variables of a function that differ from what the stack says.
pub(super) fn environment<'a>(
    (check, meaning): Concern,
    function: &str,
    settings: &[Setting<'_>],
    variable: impl Fn(&str) -> Option<&'a str>,
) -> Vec<Finding> {
    let differs = |(name, wanted, origin): &Setting<'_>| {
        let found = variable(name).unwrap_or_default();
        (found != wanted).then(|| {
            let shown = |text: &str| if text.is_empty() { "empty".to_owned() } else { text.to_owned() };
            Finding::problem(
                check,
                format!("{function}'s {name} is {}, and {origin} is {}", shown(found), shown(wanted)),
                meaning(name),
                format!("Somebody has changed it by hand. Set {name} back, or deploy with another LogLevel: that sets them all."),
            )
        })
    };
    settings.iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENS: &[&str] = &["kms:Decrypt", "kms:GenerateDataKey"];
    const BEGIN: &str = r#"{"v":1, "sweep":{}}"#;
    const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/1/connect-upkeep";

    fn role(name: &str) -> String {
        format!("arn:aws:iam::1:role/{name}")
    }

    fn users() -> [User; 2] {
        let user = |title, actions| User { title, role_arn: role(&format!("connect-{title}Role-1")), actions };
        [user("TokenKeeper", OPENS), user("TokenExchanger", &OPENS[1..])]
    }

    fn policy(openers: &[&str], sealers: &[&str]) -> Vec<Value> {
        let deny = |action: Value, roles: &[&str]| {
            let roles: Vec<_> = roles.iter().map(|name| role(name)).collect();
            let condition = json!({"ArnNotLike": {"aws:PrincipalArn": roles}});
            json!({"Effect": "Deny", "Principal": "*", "Action": action, "Condition": condition})
        };
        vec![deny(json!(["kms:Decrypt"]), openers), deny(json!(["kms:GenerateDataKey*"]), sealers)]
    }

    fn judged(statements: &[Value], is_given: bool) -> Vec<(bool, String)> {
        let key = Opened { stack: "connect", arn: "arn:k", statements, is_given };
        key_policy(&key, &users()).into_iter().map(|found| (found.is_problem(), found.title)).collect()
    }

    const KEEPER: [&str; 3] = ["connect-TokenKeeperRole-1", "connect-TokenKeeperRole-*", "connect-TokenKeeperRole-0"];
    const BOTH: [&str; 4] = [
        "connect-TokenKeeperRole-1",
        "connect-TokenKeeperRole-*",
        "connect-TokenExchangerRole-1",
        "connect-TokenExchangerRole-*",
    ];

    #[test]
    fn a_key_that_its_users_alone_can_use_is_well() {
        assert!(judged(&policy(&KEEPER, &BOTH), false).is_empty());
    }

    #[test]
    fn a_key_without_its_denial_is_open_to_administrators() {
        let found = judged(&policy(&KEEPER, &BOTH)[1..], false);
        assert!(matches!(&found[..], [(true, title)] if title.contains("keep others from kms:Decrypt")), "{found:?}");
        assert!(!judged(&[], true).iter().any(|(is_problem, _)| *is_problem), "a key of the customer's own");
    }

    #[test]
    fn a_function_that_the_key_denies_is_named_with_its_role() {
        let found = judged(&policy(&["connect-TokenRefresherRole-1"], &BOTH), false);
        assert!(found[0].0 && found[0].1.starts_with("TokenKeeper may not kms:Decrypt"), "{found:?}");
    }

    #[test]
    fn whom_else_the_key_lets_in_is_named() {
        for other in ["admin", "*", "connect-TokenKeeper*", "connect-TokenExchangerRole-1", "other-TokenKeeperRole-*"] {
            let found = judged(&policy(&[&KEEPER[..], &[other]].concat(), &BOTH), false);
            assert!(matches!(&found[..], [(false, title)] if title.ends_with(other)), "{other}: {found:?}");
        }
    }

    #[test]
    fn a_schedule_that_begins_no_sweep_is_a_problem_that_says_what_to_do() {
        let schedule = |state: &str, queue: &str, input: &str| {
            let (state, target_arn, input) =
                (state.to_owned(), format!("arn:aws:sqs:eu-west-1:1:{queue}"), input.to_owned());
            super::schedule("sweep", Some(&Schedule { state, target_arn, input }), QUEUE)
        };
        assert!(!schedule("ENABLED", "connect-upkeep", BEGIN).is_problem());
        for (found, remedy) in [
            (schedule("DISABLED", "connect-upkeep", BEGIN), "Enable the schedule sweep"),
            (schedule("ENABLED", "old-upkeep", BEGIN), "Set the queue connect-upkeep"),
            (schedule("ENABLED", "connect-upkeep", "{}"), r#"Set {"v":1,"sweep":{}}"#),
            (super::schedule("sweep", None, QUEUE), "Create it again"),
        ] {
            assert!(found.is_problem() && found.remedy.contains(remedy), "{found:?}");
        }
    }

    #[test]
    fn a_variable_that_somebody_has_changed_is_named() {
        let settings =
            [("TOKEN_CUSTODY", "Stack".to_owned(), "TokenCustody"), ("SF_REDIRECT_URI", String::new(), "CallbackUri")];
        let found = |custody: &'static str| {
            environment(CUSTODY, "TokenKeeper", &settings, |name| (name == "TOKEN_CUSTODY").then_some(custody))
        };
        assert!(found("Stack").is_empty());
        let [changed] = &found("Bot")[..] else { panic!("one variable") };
        assert_eq!(changed.title, "TokenKeeper's TOKEN_CUSTODY is Bot, and TokenCustody is Stack");
        assert_eq!(changed.check, "custody");
    }
}
