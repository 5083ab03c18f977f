//! How many functions a new stack's queues may invoke, in an account that may run few at once. Pure.

use std::collections::BTreeMap;

use crate::aws::SMALL_ACCOUNT;

/// The least that AWS takes for an event source's maximum concurrency
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html>).
const LEAST: &str = "2";
const PARAMETERS: [&str; 2] = ["MaximumConcurrency", "UpkeepConcurrency"];

/// The parameters that leave callbacks their room, where they are not given: in a small account the template's defaults do
/// not, and AWS lets nothing be reserved there.
pub(super) fn of_a_new_stack(limit: u32, known: &BTreeMap<String, String>) -> BTreeMap<&'static str, String> {
    if limit >= SMALL_ACCOUNT {
        return BTreeMap::new();
    }
    let open = PARAMETERS.into_iter().filter(|name| !known.contains_key(*name));
    open.map(|name| (name, LEAST.to_owned())).collect()
}

/// What an operator is told of it; `None` where nothing is set.
pub(super) fn note(limit: u32, set: &BTreeMap<&'static str, String>) -> Option<String> {
    let set: Vec<_> = set.iter().map(|(name, value)| format!("{name}={value}")).collect();
    (!set.is_empty()).then(|| {
        format!(
            "This account may run {limit} functions at once, so {} leave callbacks their room. Ask AWS for more (quota \
             L-B99A9384), and take them out then.",
            set.join(" and ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), "20".to_owned())).collect()
    }

    #[test]
    fn a_new_stack_in_a_small_account_leaves_callbacks_room() {
        let set = of_a_new_stack(10, &known(&[]));
        assert_eq!(set.into_iter().collect::<Vec<_>>(), PARAMETERS.map(|name| (name, "2".to_owned())));
    }

    #[test]
    fn what_is_given_stays() {
        let set = of_a_new_stack(10, &known(&["MaximumConcurrency"]));
        assert_eq!(set.into_keys().collect::<Vec<_>>(), ["UpkeepConcurrency"]);
    }

    #[test]
    fn an_account_with_room_keeps_the_templates_defaults_and_hears_nothing() {
        let set = of_a_new_stack(1_000, &known(&[]));
        assert!(set.is_empty() && note(1_000, &set).is_none());
    }

    #[test]
    fn the_note_names_the_limit_the_parameters_and_the_way_out() {
        let note = note(10, &of_a_new_stack(10, &known(&[]))).unwrap();
        for part in ["10 functions", "MaximumConcurrency=2 and UpkeepConcurrency=2", "L-B99A9384"] {
            assert!(note.contains(part), "{note}");
        }
    }
}
