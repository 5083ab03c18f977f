//! The deployment itself: whether the stack came to be, and whether its functions start with what their environment asks.
//! Pure.

use shared::{SettingError, Settings, aws::unsupported, page::Brand};

use super::finding::Finding;
use crate::{aws::FailedResource, stack::Stack};

/// Why a stack's creation failed: what each resource says, but for those that were given up with it.
pub(super) fn not_created(stack: &Stack, failed: &[FailedResource]) -> Vec<Finding> {
    let first = Finding::problem(
        "stack",
        format!("the stack was not created: it is {}", stack.status()),
        "Nothing works until it is.",
        "Fix what is named here, run wasf destroy --confirm, and deploy again (docs/DEPLOYING.md, \"What may stop a \
         deployment\").",
    );
    let resources = failed.iter().map(|FailedResource { logical, reason }| {
        let title = format!("{logical} was not created: {reason}");
        Finding::problem("stack", title, "CloudFormation gave up the deployment for it.", remedy(logical, reason))
    });
    std::iter::once(first).chain(resources).collect()
}

fn remedy(logical: &str, reason: &str) -> &'static str {
    let says = |word: &str| reason.to_ascii_lowercase().contains(word);
    match logical {
        "StateKey" if says("spec") || says("ecc_nist_edwards25519") || says("unsupported") || says("not supported") => {
            "KMS has no Ed25519 keys in this region, and states cannot be signed otherwise: deploy into another region \
             (AWS_REGION, or region in samconfig.toml)."
        }
        "TokenTable" | "AttemptTable" if says("exist") => {
            "Run wasf init --confirm: it has the stack use the tables that exist (docs/UPGRADE.md)."
        }
        _ if says("60 seconds") => {
            "Wait a minute, or set another QueueNameSuffix, as wasf init does: SQS blocks the name of a deleted queue for so long."
        }
        _ if says("reservedconcurrentexecutions") => {
            "Set ReceiverReservedConcurrency=0, or ask AWS for a higher limit (quota L-B99A9384)."
        }
        _ => "Act on what CloudFormation says of it.",
    }
}

/// A function whose environment asks for endpoints or proxies that it does not know.
pub(super) fn environment(function: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Finding> {
    let name = unsupported(variable)?;
    Some(Finding::problem(
        "environment",
        format!("{function} does not start: its environment has {name}, which functions do not support"),
        "Nobody can connect or be notified without it.",
        format!(
            "Remove {name} from the function's environment; deploying again does that too, unless a layer sets it."
        ),
    ))
}

/// What a function's settings say of whose pages they are, and the pages go without because it is invalid.
pub(super) fn brand(function: &str, variable: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let left_out = |error: SettingError| {
        let parameter = match &error {
            SettingError::Missing(name) | SettingError::Invalid { name, .. } => match *name {
                "BRAND_NAME" => "BrandName",
                "PRIVACY_URL" => "PrivacyUrl",
                "BRAND_COLOR" => "BrandColor",
                _ => "BrandLogo",
            },
        };
        Finding::problem(
            "pages",
            format!("{function}'s pages go without {parameter}: {error}"),
            "The function logs it and leaves it out; people log in all the same.",
            format!("Correct {parameter} and deploy (docs/DEPLOYING.md)."),
        )
    };
    Brand::left_out(&Settings::new(variable)).into_iter().map(left_out).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn remedy_for(logical: &str, reason: &str) -> String {
        let stack = Stack::new("s".to_owned(), String::new(), HashMap::new(), HashMap::new(), Vec::new());
        let stack = stack.with_status("ROLLBACK_COMPLETE");
        let failed = FailedResource { logical: logical.to_owned(), reason: reason.to_owned() };
        let found = not_created(&stack, &[failed]);
        assert!(found[0].title.contains("ROLLBACK_COMPLETE"), "{found:?}");
        assert!(found[1].title.contains(logical) && found[1].title.contains(reason), "{found:?}");
        found[1].remedy.clone()
    }

    #[test]
    fn a_region_without_ed25519_keys_says_what_to_do() {
        for reason in [
            "Resource handler returned message: \"KeySpec ECC_NIST_EDWARDS25519 is not supported in this region (Service: Kms)\"",
            "Invalid request provided: CustomerMasterKeySpec ECC_NIST_EDWARDS25519 is unsupported",
            "1 validation error detected: Value 'ECC_NIST_EDWARDS25519' at 'keySpec' failed to satisfy constraint",
        ] {
            assert!(remedy_for("StateKey", reason).contains("another region"), "{reason}");
        }
        assert!(!remedy_for("StateKey", "AccessDenied: kms:CreateKey").contains("another region"));
    }

    #[test]
    fn what_else_stops_a_deployment_comes_with_what_to_do() {
        for (logical, reason, remedy) in [
            ("TokenTable", "salesforce_tokens already exists in stack arn:…", "wasf init --confirm"),
            ("ExchangeQueue", "You must wait 60 seconds after deleting a queue", "Wait a minute"),
            ("CallbackReceiverFunction", "Specified ReservedConcurrentExecutions … below its minimum", "L-B99A9384"),
            ("Api", "AccessDenied", "CloudFormation says"),
        ] {
            assert!(remedy_for(logical, reason).contains(remedy), "{logical}: {reason}");
        }
    }

    #[test]
    fn what_the_pages_go_without_is_named_by_its_parameter() {
        let of = |name: &'static str, value: &'static str| {
            let found = brand("ConnectLink", move |asked| (asked == name).then(|| value.to_owned()));
            found.into_iter().map(|finding| (finding.title, finding.remedy)).collect::<Vec<_>>()
        };
        for (name, value, parameter) in [
            (
                "BRAND_NAME",
                "A name of very many characters, sixty of which are all that a page has room for",
                "BrandName",
            ),
            ("PRIVACY_URL", "https://", "PrivacyUrl"),
            ("BRAND_COLOR", "red", "BrandColor"),
            ("BRAND_LOGO", "data:image/png;base64,A", "BrandLogo"),
        ] {
            let found = of(name, value);
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert!(
                found[0].0.contains(&format!("go without {parameter}")) && !found[0].0.contains(value),
                "{found:?}"
            );
            assert!(found[0].1.contains(parameter), "{found:?}");
        }
        assert_eq!(of("BRAND_NAME", "Acme"), []);
        assert_eq!(of("LOG_LEVEL", "info"), []);
    }

    #[test]
    fn a_variable_with_which_a_function_does_not_start_is_named() {
        let of = |name: &'static str, value: &'static str| {
            environment("Notifier", move |asked| (asked == name).then(|| value.to_owned())).map(|found| found.title)
        };
        assert!(of("HTTPS_PROXY", "http://proxy:3128").unwrap().contains("HTTPS_PROXY"));
        assert!(of("AWS_USE_FIPS_ENDPOINT", "True").unwrap().contains("AWS_USE_FIPS_ENDPOINT"));
        assert_eq!(of("AWS_USE_FIPS_ENDPOINT", "false"), None);
        assert_eq!(of("LOG_LEVEL", "info"), None);
    }
}
