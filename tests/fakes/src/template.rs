//! What `template.yaml` sets for the functions, so that a function's tests can hold its constants against it.

use std::{fs, time::Duration};

/// The `Timeout` of a function, by its name in the template, such as `NotifierFunction`.
#[must_use]
pub fn timeout(function: &str) -> Duration {
    Duration::from_secs(number(function, "Timeout").try_into().expect("seconds"))
}

/// A property of a resource, or a variable of its environment, that is a whole number, such as `VisibilityTimeout` of `ExchangeQueue`.
#[must_use]
pub fn number(resource: &str, property: &str) -> usize {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
    let template = fs::read_to_string(path).expect("the template");
    let (heading, property) = (format!("  {resource}:"), format!("{property}: "));
    let mut properties = template
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        // Up to the next resource.
        .take_while(|line| line.is_empty() || line.starts_with("   "));
    let value = properties.find_map(|line| line.trim_start().strip_prefix(&property)).expect("the property");
    // A comment may follow.
    value.split(' ').next().and_then(|number| number.trim_matches('"').parse().ok()).expect("a whole number")
}
