//! Checks the models, and prints what was checked: the protocol as it is, and then with one rule at a time broken, which
//! the properties have to detect.
//!
//! With the argument `wide` more faults happen in each run, which takes minutes. The name of a model, as in [`MODELS`], checks that
//! one alone.

#![allow(clippy::print_stdout, reason = "the report of what was checked")]

use std::{fmt::Debug, hash::Hash, process::ExitCode};

use model::{
    consents::{self, Consents, scenario},
    proof::{self, Proving},
    protocol::{Faults, Kind, Protocol},
    refreshing::{self, Refreshing},
    rules,
    table::Code,
    telling::{self, Telling},
};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

/// How many faults and redrives happen at most.
type Bounds = (u8, u8);

/// The callbacks beside the first, and what else happens, and what in a wide check.
const SCENARIOS: [(&str, &[Kind], [Bounds; 2]); 5] = [
    ("one approval", &[], [(3, 1), (3, 1)]),
    ("an approval and a reload", &[Kind::Granted(Code::A)], [(2, 1), (3, 1)]),
    ("an approval and a denial", &[Kind::Denied], [(2, 1), (3, 1)]),
    ("two approvals", &[Kind::Granted(Code::B)], [(2, 0), (3, 1)]),
    ("two approvals, and a redrive", &[Kind::Granted(Code::B)], [(1, 1), (1, 2)]),
];

/// The outcome that is told.
const TELLING: [(&str, [Bounds; 2]); 1] = [("an outcome and a redrive", [(2, 1), (3, 1)])];

/// A model that can be checked and printed.
trait Checkable: Model<State: Clone + Debug + Hash + PartialEq, Action: Clone + Debug + PartialEq> {}

impl<M: Model<State: Clone + Debug + Hash + PartialEq, Action: Clone + Debug + PartialEq>> Checkable for M {}

/// Checks one model; `false` where something does not hold. The number says which bounds are checked.
type Check = fn(usize) -> bool;

/// Each model, by the name that an argument gives it.
const MODELS: [(&str, &str, Check); 5] = [
    ("attempt", "one attempt, to the notification", check_attempt),
    ("consents", "one chat, several consents", check_consents),
    ("telling", "one outcome, told", check_telling),
    ("refreshing", "one connection, refreshed", check_refreshing),
    ("proof", "the proof of the chat", check_proof),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_given = |name: &str| arguments.iter().any(|argument| argument == name);
    let bound = usize::from(is_given("wide"));
    let are_all = MODELS.iter().all(|(name, ..)| !is_given(name));
    let mut passed = true;
    for (_, title, check) in MODELS.iter().filter(|(name, ..)| are_all || is_given(name)) {
        println!("{title}:");
        passed &= check(bound);
    }
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check_attempt(bound: usize) -> bool {
    let mut passed = true;
    for (name, callbacks, bounds) in SCENARIOS {
        let checked = check(attempt(callbacks, bounds[bound], rules::Broken::Nothing));
        passed &= report(name, bounds[bound].0, &checked, model::protocol::State::summary);
    }
    print_properties(passed, &attempt(&[], (0, 0), rules::Broken::Nothing));
    println!("broken rules that a property detects:");
    for (broken, name) in rules::Broken::ALL {
        let detected =
            SCENARIOS.iter().find_map(|(_, callbacks, _)| violation(&check(attempt(callbacks, (1, 1), broken))));
        passed &= report_broken(name, detected);
    }
    passed
}

fn check_consents(bound: usize) -> bool {
    let mut passed = true;
    for scenario in scenario::ALL {
        let bounds = scenario.bounds[bound];
        let checked = check(Consents::new(scenario, bounds, consents::rules::Broken::Nothing));
        passed &= report(scenario.name, bounds.faults, &checked, consents::state::State::summary);
    }
    let first = scenario::ALL[0];
    print_properties(passed, &Consents::new(first, first.bounds[bound], consents::rules::Broken::Nothing));
    println!("broken rules that a property detects:");
    for (broken, name, scenario) in consents::rules::Broken::ALL {
        passed &= report_broken(name, violation(&check(Consents::new(scenario, scenario.bounds[0], broken))));
    }
    passed
}

fn check_telling(bound: usize) -> bool {
    let mut passed = true;
    for (name, bounds) in TELLING {
        let (faults, redrives) = bounds[bound];
        let checked = check(Telling::new(faults, redrives, telling::rules::Broken::Nothing));
        passed &= report(name, faults, &checked, telling::state::State::summary);
    }
    print_properties(passed, &Telling::new(0, 0, telling::rules::Broken::Nothing));
    println!("broken rules that a property detects:");
    for (broken, name, faults) in telling::rules::Broken::ALL {
        passed &= report_broken(name, violation(&check(Telling::new(faults, 0, broken))));
    }
    passed
}

fn check_refreshing(bound: usize) -> bool {
    let mut passed = true;
    for scenario in refreshing::scenario::ALL {
        let faults = scenario.faults[bound];
        let checked = check(Refreshing::new(scenario, faults, refreshing::rules::Broken::Nothing));
        passed &= report(scenario.name, faults, &checked, refreshing::state::State::summary);
    }
    let scenario = &refreshing::scenario::CONSENT;
    print_properties(passed, &Refreshing::new(scenario, 1, refreshing::rules::Broken::Nothing));
    println!("broken rules that a property detects:");
    for (broken, name, scenario) in refreshing::rules::Broken::ALL {
        let detected = (1..=2).find_map(|faults| violation(&check(Refreshing::new(scenario, faults, broken))));
        passed &= report_broken(name, detected);
    }
    passed
}

fn check_proof(bound: usize) -> bool {
    let mut passed = true;
    for scenario in proof::scenario::ALL {
        let faults = scenario.faults[bound];
        let checked = check(Proving::new(scenario, faults, proof::rules::Broken::Nothing));
        passed &= report(scenario.name, faults, &checked, proof::state::State::summary);
    }
    print_properties(passed, &Proving::new(&proof::scenario::TOLD, 1, proof::rules::Broken::Nothing));
    println!("broken rules that a property detects:");
    for (broken, name, scenario) in proof::rules::Broken::ALL {
        let detected = (0..=2).find_map(|faults| violation(&check(Proving::new(scenario, faults, broken))));
        passed &= report_broken(name, detected);
    }
    passed
}

fn attempt(callbacks: &[Kind], (all, redrives): Bounds, broken: rules::Broken) -> Protocol {
    let faults = Faults { all, crashes: all, refusals: all, lost: all, answers: all, duplicates: all.min(2), redrives };
    Protocol { callbacks: callbacks.to_vec(), faults, max_tries: 2, max_receives: 5, broken }
}

fn check<M: Checkable<State: Send + Sync> + Send + Sync + 'static>(model: M) -> impl Checker<M> {
    // On one thread, so that the trace of a violation is the shortest, and the same every time.
    model.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join()
}

/// Prints how much was checked, and what does not hold; `false` if there is anything.
fn report<M: Checkable>(name: &str, faults: u8, checked: &impl Checker<M>, summary: fn(&M::State) -> String) -> bool {
    let (states, steps) = (checked.unique_state_count(), checked.max_depth());
    println!("  {name}, {faults} faults: {states} states, up to {steps} steps");
    let violated = violated(checked);
    for name in &violated {
        println!("    VIOLATED: {name}");
        for (state, action) in checked.discovery(name).into_iter().flat_map(stateright::Path::into_vec) {
            let action = action.map_or_else(|| "end".to_owned(), |action| format!("{action:?}"));
            println!("      {}; then {action}", summary(&state));
        }
    }
    violated.is_empty()
}

fn print_properties(passed: bool, model: &impl Model) {
    if !passed {
        return;
    }
    println!("properties that hold in each:");
    for property in model.properties() {
        let sometimes = if property.expectation == Expectation::Sometimes { "reachable: " } else { "" };
        println!("  {sometimes}{}", property.name);
    }
}

fn report_broken(name: &str, detected: Option<&'static str>) -> bool {
    match detected {
        Some(property) => println!("  {name}: violates \"{property}\""),
        None => println!("  NOT DETECTED: {name}"),
    }
    detected.is_some()
}

/// The first property that is violated.
fn violation<M: Checkable>(checked: &impl Checker<M>) -> Option<&'static str> {
    found(checked, &Expectation::Always, true).first().copied()
}

/// The properties that do not hold. Where one is violated the check has ended early, so what it has not reached by then
/// says nothing.
fn violated<M: Checkable>(checked: &impl Checker<M>) -> Vec<&'static str> {
    let violations = found(checked, &Expectation::Always, true);
    if violations.is_empty() { found(checked, &Expectation::Sometimes, false) } else { violations }
}

fn found<M: Checkable>(checked: &impl Checker<M>, expectation: &Expectation, is_found: bool) -> Vec<&'static str> {
    let properties = checked.model().properties().into_iter().filter(|property| property.expectation == *expectation);
    properties.map(|property| property.name).filter(|name| checked.discovery(name).is_some() == is_found).collect()
}
