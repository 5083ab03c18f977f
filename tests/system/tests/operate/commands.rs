//! The command line itself: exit codes, JSON, help and completions.

use std::{
    fs::{self, File},
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::json;
use system::{new_chat, operator::Operator};

#[tokio::test]
async fn invalid_arguments_are_a_usage_error() {
    let operator = Operator::beside().await;
    for wrong in [
        "",
        "nonsense",
        "link not-a-chat",
        "attempt show not-an-id",
        "logs not-an-id",
        "logs 0123456789abcdef\"0123456789abcdef",
        "logs --follow --limit 3",
        "stats --since 0s",
        "attempt list --since yesterday",
        "attempt list --since 2026-11-26T10:00:00",
        "attempt list --since 1h --until 2h",
        "attempt list --chat +1555",
        "attempt list --chat tomorrow",
        "dlq redrive --native --only-alive",
        "events redeliver --again bot",
        "init --no-input --login-urls http://example.com",
    ] {
        let said = operator.wasf(wrong);
        assert_eq!(said.code, 2, "wasf {wrong}: {said:?}");
        assert!(said.out.is_empty() && !said.err.is_empty(), "wasf {wrong}: {said:?}");
    }
}

#[tokio::test]
async fn errors_are_reported_as_text_and_as_json() {
    let operator = Operator::beside().await;
    let said = operator.wasf("--stack-name nowhere doctor");
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("no stack nowhere"), "{}", said.err);
    let error = operator.json("--stack-name nowhere dlq list", 1)["error"].take();
    assert!(error.as_str().unwrap().contains("no stack nowhere"));
}

#[tokio::test]
async fn a_profile_that_does_not_exist_is_an_error_whatever_the_environment_has() {
    let operator = Operator::beside().await;
    let said = operator.wasf("--profile nope dlq stats");
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("cannot use the profile nope"), "{}", said.err);
}

#[tokio::test]
async fn what_changes_something_names_account_region_and_stack_first() {
    let operator = Operator::ready().await;
    for command in ["dlq redrive", "events redeliver --since 1s", "init --no-input", "destroy"] {
        let said = operator.wasf(command);
        let first = said.err.lines().next().unwrap_or_default();
        assert!(first.starts_with("Account 0") && first.contains(", region "), "wasf {command}: {said:?}");
        assert!(first.ends_with("stack whatsapp-salesforce-connect."), "wasf {command}: {said:?}");
    }
}

/// The commands that a command consists of, by its help; itself where there are none.
fn leaves(operator: &Operator, command: &str) -> Vec<String> {
    let help = operator.wasf(&format!("{command} --help")).out;
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return vec![command.to_owned()] };
    let names = list.lines().take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.flat_map(|name| leaves(operator, format!("{command} {name}").trim())).collect()
}

/// How `wasf` ends where its standard output has no room, and what it says.
fn without_room(operator: &Operator, command: &str) -> (Option<i32>, String) {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut wasf = operator.command();
    wasf.args(command.split_whitespace()).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
    let ended = wasf.output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

/// How `wasf` ends in a shell that redirects its descriptors so, and what it says on those that are left.
fn redirected(operator: &Operator, command: &str, redirection: &str) -> (Option<i32>, String) {
    let wasf = operator.command();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec \"$0\" {command} {redirection}")]).arg(wasf.get_program());
    shell.envs(wasf.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = shell.current_dir(wasf.get_current_dir().unwrap()).output().unwrap();
    (ended.status.code(), [ended.stdout, ended.stderr].map(|said| String::from_utf8(said).unwrap()).concat())
}

#[tokio::test]
async fn no_command_ends_well_whose_output_was_lost() {
    let operator = Operator::ready().await;
    let chat = new_chat();
    let attempt = operator.connect(&chat).await;
    operator.outcome(&chat).await;
    let arguments = |command: &str| match command {
        "attempt show" | "logs" => attempt.clone(),
        "completions" => "bash".to_owned(),
        "dlq show" => "0123456789abcdef0123456789abcdef".to_owned(),
        "init" => "--no-input".to_owned(),
        "secret set" => "sf_client_secret".to_owned(),
        "link" => chat.clone(),
        of_somebody if of_somebody.starts_with("person ") => chat.clone(),
        of_somebody if of_somebody.starts_with("connection ") && of_somebody != "connection list" => chat.clone(),
        _ => String::new(),
    };
    let commands = leaves(&operator, "");
    assert!(commands.len() > 25, "{commands:?}");
    for command in commands.iter().filter(|command| *command != "mcp") {
        let whole = format!("{command} {}", arguments(command));
        // Its JSON is never empty; its text may be, where it found nothing and says so on standard error.
        let (code, said) = without_room(&operator, &format!("{whole} --json"));
        assert_eq!(code, Some(1), "wasf {whole} --json: {said}");
        assert!(said.contains("cannot write the output"), "wasf {whole} --json: {said}");
        let (code, said) = without_room(&operator, &whole);
        let has_said_nothing = code == Some(3) && !said.contains("cannot write the output");
        assert!(code == Some(1) || has_said_nothing, "wasf {whole} ended with {code:?}: {said}");
        let (code, said) = redirected(&operator, &whole, ">&-");
        assert_eq!(code, Some(1), "wasf {whole} >&-: {said}");
        assert!(said.starts_with("wasf: cannot write the output: standard output is closed"), "wasf {whole}: {said}");
    }
    for command in ["--help", "--version", "help dlq", "dlq list --help", &format!("logs --follow {attempt}")] {
        let (code, said) = without_room(&operator, command);
        assert_eq!(code, Some(1), "wasf {command}: {said}");
    }
}

#[tokio::test]
async fn output_that_is_discarded_on_purpose_is_no_error() {
    let operator = Operator::beside().await;
    for redirection in [">/dev/null", "1<>/dev/null", ">/dev/null <&-"] {
        let (code, said) = redirected(&operator, "dlq stats", redirection);
        assert_eq!((code, said.as_str()), (Some(0), ""), "wasf dlq stats {redirection}");
    }
}

#[tokio::test]
async fn a_command_that_reads_a_closed_standard_input_says_what_is_missing() {
    let operator = Operator::beside().await;
    for (command, why) in [
        ("secret set sf_client_secret --confirm", "the value on standard input cannot be used: it is empty"),
        ("person show -", "there is no chat on standard input"),
        ("attempt list --chat -", "there is no chat on standard input"),
    ] {
        let (code, said) = redirected(&operator, command, "<&-");
        assert_eq!(code, Some(2), "wasf {command} <&-: {said}");
        assert!(said.contains(why), "wasf {command} <&-: {said}");
    }
}

#[tokio::test]
async fn a_file_that_is_written_while_standard_error_is_closed_has_no_notes_in_it() {
    let operator = Operator::ready().await;
    let (code, said) = redirected(&operator, "init --no-input --confirm", "2>&-");
    assert_eq!(code, Some(0), "{said}");
    let folder = operator.command().get_current_dir().unwrap().to_owned();
    let written = fs::read_to_string(folder.join("samconfig.toml")).unwrap();
    assert!(!written.contains("Account "), "{written}");
}

#[tokio::test]
async fn a_server_whose_answers_are_lost_does_not_end_well() {
    let operator = Operator::beside().await;
    let hello =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let first = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello});
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = operator.command();
    let mut process = command.arg("mcp").stdin(Stdio::piped()).stdout(full).stderr(Stdio::null()).spawn().unwrap();
    writeln!(process.stdin.take().unwrap(), "{first}").unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(1));
}

#[tokio::test]
async fn no_match_has_its_own_exit_code() {
    let operator = Operator::ready().await;
    for nothing in [
        "dlq list",
        "dlq show 0123456789abcdef0123456789abcdef",
        "dlq redrive",
        "dlq redrive --confirm",
        "dlq redrive --native --confirm",
        "dlq drop --confirm",
        "attempt list --status exchanging --since 1s",
        "attempt list --chat whatsapp:+15550000000",
        "attempt list --chat +15550000000 --scan",
        "attempt show 0123456789abcdef0123456789abcdef",
        "connection show whatsapp:+15550000000",
        "connection revoke whatsapp:+15550000000 --confirm",
        "person show whatsapp:+15550000000",
        "person erase whatsapp:+15550000000 --confirm",
    ] {
        operator.json(nothing, 3);
    }
    assert_eq!(operator.json("dlq stats", 0)["dead_letters"]["waiting"], 0);
}

#[tokio::test]
async fn what_outlives_the_stack_is_named_before_it_is_deleted() {
    let operator = Operator::ready().await;
    let planned = operator.json("destroy", 0);
    assert_eq!((&planned["dry_run"], &planned["deleted"]), (&true.into(), &false.into()));
    let stays: Vec<_> = planned["stays"].as_array().unwrap().iter().filter_map(|left| left["name"].as_str()).collect();
    for name in ["salesforce_tokens", "connection_attempts", "sf_client_secret", "bot_webhook"] {
        assert!(stays.contains(&name), "{name} is not in {stays:?}");
    }
    assert_eq!(operator.json("dlq stats", 0)["dead_letters"]["waiting"], 0, "a dry run deletes nothing");
}

#[tokio::test]
async fn the_stack_is_found_by_its_name_on_the_local_cloud_too() {
    let operator = Operator::ready().await;
    let found = operator.json("--local --stack-name whatsapp-salesforce-connect dlq stats", 0);
    assert_eq!(found, operator.json("dlq stats", 0));
}

#[tokio::test]
async fn each_command_has_help_and_the_shells_take_the_completions() {
    let operator = Operator::beside().await;
    for command in [
        "",
        "link",
        "alarms",
        "attempt",
        "attempt show",
        "attempt list",
        "connection",
        "connection show",
        "connection revoke",
        "person",
        "person show",
        "person erase",
        "dlq",
        "dlq stats",
        "dlq list",
        "dlq show",
        "dlq redrive",
        "dlq drop",
        "events",
        "events redeliver",
        "events test",
        "doctor",
        "stats",
        "logs",
        "secret",
        "secret set",
        "destroy",
        "init",
        "completions",
        "mcp",
    ] {
        let said = operator.wasf(&format!("{command} --help"));
        assert_eq!(said.code, 0);
        assert!(said.out.contains(&format!("Usage: wasf {command}")), "{}", said.out);
    }
    let script = operator.json("completions bash", 0)["script"].take();
    let checked = Command::new("bash").args(["-nc", script.as_str().unwrap()]).stderr(Stdio::piped()).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
