//! The command line, as it is typed.

use super::*;

fn since(text: &str) -> Result<Duration, clap::Error> {
    match Args::try_parse_from(["wasf", "events", "redeliver", &format!("--since={text}")])?.command {
        Command::Events(EventsCommand::Redeliver { since, .. }) => Ok(since),
        other => panic!("{other:?}"),
    }
}

#[test]
fn flags_lead_another_command_to_the_same_stack() {
    let flags = |line: &[&str]| Args::try_parse_from(line).unwrap().target.flags();
    assert_eq!(flags(&["wasf", "doctor"]), "");
    assert_eq!(flags(&["wasf", "--local", "doctor", "--json"]), "--local");
    let named = ["wasf", "--profile", "on call", "doctor", "--region=eu-west-1", "--config-env", "prod"];
    assert_eq!(flags(&named), "--config-env prod --region eu-west-1 --profile 'on call'");
}

#[test]
fn every_command_with_confirm_changes_something() {
    let changes = |line: &str| Args::try_parse_from(line.split(' ')).unwrap().command.changes_something();
    for line in [
        "wasf init --confirm",
        "wasf connection revoke whatsapp:+15551234567 --confirm",
        "wasf connection refresh whatsapp:+15551234567 --confirm",
        "wasf person erase whatsapp:+15551234567 --confirm",
        "wasf dlq redrive --confirm",
        "wasf dlq drop --confirm",
        "wasf events redeliver --confirm",
        "wasf events test",
        "wasf secret set sf_client_secret --confirm",
        "wasf destroy --confirm",
    ] {
        assert!(changes(line), "{line}");
    }
    for line in [
        "wasf doctor",
        "wasf alarms",
        "wasf stats",
        "wasf logs",
        "wasf dlq list",
        "wasf attempt list",
        "wasf connection show whatsapp:+15551234567",
        "wasf connection list",
        "wasf connection check whatsapp:+15551234567",
        "wasf person show whatsapp:+15551234567",
    ] {
        assert!(!changes(line), "{line}");
    }
}

/// `POST /links` returns a link's id: its attempts begin later.
#[test]
fn an_attempts_id_is_not_looked_for_in_a_response_that_lacks_it() {
    let mut wasf = <Args as clap::CommandFactory>::command();
    let show = wasf.find_subcommand_mut("attempt").unwrap().find_subcommand_mut("show").unwrap();
    let help = show.render_long_help().to_string();
    assert!(help.contains("as in logs, events and wasf attempt list") && !help.contains("/links"), "{help}");
}

/// Other users of a machine see its processes' arguments.
#[test]
fn no_argument_takes_a_secret() {
    fn visit(command: &clap::Command, seen: &mut usize) {
        for argument in command.get_arguments() {
            // An ARN says where something is.
            let name = argument.get_id().as_str();
            let name = name.strip_suffix("_key_arn").map_or(name, |_| "arn");
            let is_secret = ["secret", "token", "password", "key"].iter().any(|word| name.contains(word));
            assert!(!is_secret, "{} takes {name}", command.get_name());
            *seen += 1;
        }
        command.get_subcommands().for_each(|command| visit(command, seen));
    }
    let mut seen = 0;
    visit(&<Args as clap::CommandFactory>::command(), &mut seen);
    assert!(seen > 30, "{seen}");
}

#[test]
fn a_number_and_a_unit_are_a_duration() {
    for (text, seconds) in [("90s", 90), ("15m", 900), ("2h", 7_200), ("7d", 604_800)] {
        assert_eq!(since(text).unwrap(), Duration::from_secs(seconds));
    }
}

/// What is said of an invalid command line, in its first line.
fn refused(line: &[&str]) -> String {
    let said = Args::try_parse_from(["wasf"].iter().chain(line)).unwrap_err().to_string();
    said.lines().next().unwrap().to_owned()
}

#[test]
fn an_empty_name_is_no_stack_region_or_profile() {
    for flag in ["--stack-name", "--region", "--profile", "--config-env"] {
        assert!(refused(&[flag, "", "doctor"]).contains(flag), "{flag}");
        assert!(refused(&[flag, "", "doctor"]).ends_with(": it is empty"), "{flag}");
    }
}

#[test]
fn a_list_of_nothing_is_not_asked_for() {
    for line in [
        &["attempt", "list", "--limit"][..],
        &["connection", "list", "--limit"],
        &["logs", "--limit"],
        &["dlq", "list", "--max"],
    ] {
        for number in ["0", "x", "99999999999999999999999"] {
            let said = refused(&[line, &[number]].concat());
            assert!(said.ends_with(": not a number from 1"), "{line:?} {number}: {said}");
        }
    }
}

#[test]
fn what_is_no_duration_is_refused_with_examples() {
    for line in [["stats", "--since", "yesterday"], ["logs", "--since", "5"]] {
        assert!(refused(&line).ends_with("not a duration (90s, 15m, 2h, 7d)"), "{line:?}");
    }
}

#[test]
fn anything_else_is_not_a_duration() {
    for text in ["", "2", "h", "-2h", "2é", "yesterday", "99999999999999999999s"] {
        assert!(since(text).is_err(), "{text}");
    }
}

/// All that is said of an invalid command line.
fn said_of(line: &[&str]) -> String {
    unquoted(Args::try_parse_from(["wasf"].iter().chain(line)).unwrap_err()).to_string()
}

#[test]
fn a_name_that_no_stack_can_have_is_refused_with_the_rule() {
    for name in ["bad name", "9_x!", "-a"] {
        let said = refused(&[&format!("--stack-name={name}"), "init"]);
        assert!(said.contains("not a stack's name (a letter, then letters, digits and hyphens"), "{said}");
    }
}

#[test]
fn what_is_wrong_with_a_duration_or_a_number_is_said_however_it_is_given() {
    for command in [&["attempt", "list"][..], &["events", "redeliver"], &["stats"], &["logs"]] {
        for (text, why) in [("-1h", "without a sign"), ("2H", "units are lower case"), ("0s", "no time at all")] {
            let said = refused(&[command, &["--since", text]].concat());
            assert!(said.starts_with("error: invalid value") && said.contains(why), "{command:?} {text}: {said}");
        }
    }
    for line in [["logs", "--limit", "-1"], ["stats", "--since", "--json"]] {
        assert!(refused(&line).starts_with("error: invalid value"), "{line:?}");
    }
}

#[test]
fn no_chat_is_quoted_wherever_it_was_typed() {
    for line in [
        &["connection", "show", "+15551234567", "+15557654321"][..],
        &["connection", "show", "+1", "555", "765", "4321"],
        &["connection", "show", "+1555765432x"],
        &["connection", "show", "-15557654321"],
        &["connection", "show", "nobody@US.ABC4321"],
        &["connection", "show", "--chat=+15557654321"],
        &["connection", "+15557654321"],
        &["+15557654321"],
        &["whatsapp:US.ABC4321"],
        &["doctor", "US.ABC4321"],
        &["attempt", "list", "--chat", "+1555765432x"],
        &["attempt", "list", "--chat", "ada-US.ABC4321"],
        &["attempt", "list", "--limit", "15557654321x"],
        &["attempt", "list", "--status", "+1 555 765 4321"],
        &["attempt", "show", "15557654321"],
        &["doctor", "--json=15557654321"],
        &["logs", "--since", "+1 (555) 765-4321"],
        &["--stack-name", "+15557654321", "doctor"],
    ] {
        let said = said_of(line);
        let quoted = ["4321", "5432", "555", "US.ABC", "ada"].iter().any(|part| said.contains(part));
        assert!(said.starts_with("error: ") && !quoted, "{line:?}: {said}");
    }
}

#[test]
fn what_is_no_chat_is_quoted_with_a_tip() {
    assert!(said_of(&["doctr"]).contains("'doctr'") && said_of(&["doctr"]).contains("'doctor'"));
    assert!(said_of(&["attempt", "list", "--statsu", "x"]).contains("'--statsu'"));
    assert!(said_of(&["attempt", "list", "--status", "lost"]).contains("'lost'"));
    assert!(said_of(&["stats", "--since", "2H"]).contains("'2H'"));
}
