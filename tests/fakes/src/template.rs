//! What `template.yaml` sets for the functions, so that a function's tests can hold its constants against it.

use std::{fs, time::Duration};

/// The `Timeout` of a function, by its name in the template, such as `NotifierFunction`.
#[must_use]
pub fn timeout(function: &str) -> Duration {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../template.yaml");
    let template = fs::read_to_string(path).expect("the template");
    let heading = format!("  {function}:");
    let mut properties = template
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        // Up to the next resource.
        .take_while(|line| line.is_empty() || line.starts_with("   "));
    let seconds = properties.find_map(|line| line.strip_prefix("      Timeout: ")).expect("a time-out");
    Duration::from_secs(seconds.parse().expect("whole seconds"))
}
