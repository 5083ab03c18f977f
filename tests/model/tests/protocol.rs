//! Checks the model, and prints what was checked: the protocol as it is, and then with one rule at a
//! time broken, which has to be noticed.
//!
//! With the argument `wide` more goes wrong in each run, which takes a minute or two.

#![allow(clippy::print_stdout, reason = "what was checked is to be seen")]

use std::process::ExitCode;

use model::{
    protocol::{Faults, Kind, Protocol},
    rules::Broken,
    table::Code,
};
use stateright::{Checker, Expectation, HasDiscoveries, Model as _};

/// Who comes beside the first callback, how much goes wrong at most, and how much in a wide check.
const SCENARIOS: [(&str, &[Kind], u8, u8); 4] = [
    ("one approval", &[], 3, 3),
    ("an approval and a reload", &[Kind::Granted(Code::A)], 2, 3),
    ("an approval and a denial", &[Kind::Denied], 2, 3),
    ("two approvals", &[Kind::Granted(Code::B)], 2, 3),
];

fn main() -> ExitCode {
    let is_wide = std::env::args().any(|argument| argument == "wide");
    let mut all_is_well = true;
    for (name, callbacks, narrow, wide) in SCENARIOS {
        let faults = if is_wide { wide } else { narrow };
        let checked = check(callbacks, faults, Broken::Nothing);
        println!(
            "{name}, {faults} faults: {} states, up to {} steps",
            checked.unique_state_count(),
            checked.max_depth()
        );
        let untrue = untrue(&checked);
        all_is_well &= untrue.is_empty();
        for name in untrue {
            println!("  NOT TRUE: {name}");
            for (state, action) in checked.discovery(name).into_iter().flat_map(stateright::Path::into_vec) {
                let action = action.map_or_else(|| "nothing more".to_owned(), |action| format!("{action:?}"));
                println!("    {}; then {action}", state.summary());
            }
        }
    }
    if all_is_well {
        println!("true of each:");
        for property in check(&[], 0, Broken::Nothing).model().properties() {
            let sometimes = if property.expectation == Expectation::Sometimes { "it happens: " } else { "" };
            println!("  {sometimes}{}", property.name);
        }
    }
    println!("noticed, were it so:");
    for (broken, name) in Broken::ALL {
        let noticed = SCENARIOS.iter().find_map(|(_, callbacks, ..)| {
            found(&check(callbacks, 1, broken), &Expectation::Always, true).first().copied()
        });
        all_is_well &= noticed.is_some();
        match noticed {
            Some(property) => println!("  {name}: not \"{property}\""),
            None => println!("  NOT NOTICED: {name}"),
        }
    }
    if all_is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(callbacks: &[Kind], all: u8, broken: Broken) -> impl Checker<Protocol> {
    let faults =
        Faults { all, crashes: all, refusals: all, lost: all, answers: all, duplicates: all.min(2), redrives: 1 };
    let protocol = Protocol { callbacks: callbacks.to_vec(), faults, max_tries: 2, max_receives: 5, broken };
    // By one thread, so that the way to a broken promise is the shortest, and the same every time.
    protocol.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join()
}

/// What should be true and is not. Where a promise is broken the check has ended early, and what it
/// has not come across says nothing.
fn untrue(checked: &impl Checker<Protocol>) -> Vec<&'static str> {
    let broken = found(checked, &Expectation::Always, true);
    if broken.is_empty() { found(checked, &Expectation::Sometimes, false) } else { broken }
}

fn found(checked: &impl Checker<Protocol>, expectation: &Expectation, is_found: bool) -> Vec<&'static str> {
    let properties = checked.model().properties().into_iter().filter(|property| property.expectation == *expectation);
    properties.map(|property| property.name).filter(|name| checked.discovery(name).is_some() == is_found).collect()
}
