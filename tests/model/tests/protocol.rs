//! Checks the model, and prints what was checked: the protocol as it is, and then with one rule at a time broken, which
//! the properties have to detect.
//!
//! With the argument `wide` more faults happen in each run, which takes a minute or two.

#![allow(clippy::print_stdout, reason = "the report of what was checked")]

use std::process::ExitCode;

use model::{
    protocol::{Faults, Kind, Protocol},
    rules::Broken,
    table::Code,
};
use stateright::{Checker, Expectation, HasDiscoveries, Model as _};

/// The callbacks beside the first, how many faults happen at most, and how many in a wide check.
const SCENARIOS: [(&str, &[Kind], u8, u8); 4] = [
    ("one approval", &[], 3, 3),
    ("an approval and a reload", &[Kind::Granted(Code::A)], 2, 3),
    ("an approval and a denial", &[Kind::Denied], 2, 3),
    ("two approvals", &[Kind::Granted(Code::B)], 2, 3),
];

fn main() -> ExitCode {
    let is_wide = std::env::args().any(|argument| argument == "wide");
    let mut passed = true;
    for (name, callbacks, narrow, wide) in SCENARIOS {
        let faults = if is_wide { wide } else { narrow };
        let checked = check(callbacks, faults, Broken::Nothing);
        println!(
            "{name}, {faults} faults: {} states, up to {} steps",
            checked.unique_state_count(),
            checked.max_depth()
        );
        let violated = violated(&checked);
        passed &= violated.is_empty();
        for name in violated {
            println!("  VIOLATED: {name}");
            for (state, action) in checked.discovery(name).into_iter().flat_map(stateright::Path::into_vec) {
                let action = action.map_or_else(|| "end".to_owned(), |action| format!("{action:?}"));
                println!("    {}; then {action}", state.summary());
            }
        }
    }
    if passed {
        println!("properties that hold in each:");
        for property in check(&[], 0, Broken::Nothing).model().properties() {
            let sometimes = if property.expectation == Expectation::Sometimes { "reachable: " } else { "" };
            println!("  {sometimes}{}", property.name);
        }
    }
    println!("broken rules that a property detects:");
    for (broken, name) in Broken::ALL {
        let detected = SCENARIOS.iter().find_map(|(_, callbacks, ..)| {
            found(&check(callbacks, 1, broken), &Expectation::Always, true).first().copied()
        });
        passed &= detected.is_some();
        match detected {
            Some(property) => println!("  {name}: violates \"{property}\""),
            None => println!("  NOT DETECTED: {name}"),
        }
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(callbacks: &[Kind], all: u8, broken: Broken) -> impl Checker<Protocol> {
    let faults =
        Faults { all, crashes: all, refusals: all, lost: all, answers: all, duplicates: all.min(2), redrives: 1 };
    let protocol = Protocol { callbacks: callbacks.to_vec(), faults, max_tries: 2, max_receives: 5, broken };
    // On one thread, so that the trace of a violation is the shortest, and the same every time.
    protocol.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join()
}

/// The properties that do not hold. Where one is violated the check has ended early, so what it has not reached by then
/// says nothing.
fn violated(checked: &impl Checker<Protocol>) -> Vec<&'static str> {
    let violations = found(checked, &Expectation::Always, true);
    if violations.is_empty() { found(checked, &Expectation::Sometimes, false) } else { violations }
}

fn found(checked: &impl Checker<Protocol>, expectation: &Expectation, is_found: bool) -> Vec<&'static str> {
    let properties = checked.model().properties().into_iter().filter(|property| property.expectation == *expectation);
    properties.map(|property| property.name).filter(|name| checked.discovery(name).is_some() == is_found).collect()
}
