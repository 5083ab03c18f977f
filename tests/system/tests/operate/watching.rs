//! What goes on: alarms, counts and logs.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use system::{new_chat, operator::Operator, wait_until};

/// The lines of an attempt, once each of these functions has one.
async fn lines_of(operator: &Operator, attempt: &str, functions: &[&str]) -> Vec<Value> {
    wait_until("lines of each function", async || {
        let said = operator.wasf(&format!("logs {attempt} --json"));
        let shown: Value = serde_json::from_str(&said.out).ok()?;
        let lines = shown["lines"].as_array()?;
        let found: BTreeSet<_> = lines.iter().filter_map(|line| line["function"].as_str()).collect();
        functions.iter().all(|function| found.contains(function)).then(|| lines.clone())
    })
    .await
}

#[tokio::test]
async fn the_log_of_an_attempt_is_its_way_through_all_functions_in_order() {
    let operator = Operator::beside().await;
    let chat = new_chat();
    let attempt = operator.connect(&chat).await;
    let journal = operator.outcome(&chat).await;
    let functions = ["connect-link", "callback-receiver", "token-exchanger", "notifier"];
    let lines = lines_of(&operator, &attempt, &functions).await;
    let times: Vec<_> = lines.iter().map(|line| line["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert!(lines.iter().all(|line| line.to_string().contains(&attempt)), "a line of another attempt");
    let text = operator.wasf(&format!("logs {attempt}")).out;
    assert!(text.contains("callback accepted") && text.contains("notification complete"), "{text}");
    assert!(!text.contains("15550") && !text.contains("\"_aws\""), "{text}");

    let one = operator.json("logs --since 1h --function notifier", 0);
    assert!(one["lines"].as_array().unwrap().iter().all(|line| line["function"] == "notifier"));
    operator.json("logs 0123456789abcdef0123456789abcdef", 3);
    operator.never_printed(&operator.tokens(&chat).await.unwrap(), &journal.verifier_hashes());
}

#[tokio::test]
async fn a_log_that_is_followed_goes_on_until_it_is_interrupted() {
    let operator = Operator::beside().await;
    let mut follow = operator.command();
    let mut process = follow.args(["logs", "--follow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let attempt = operator.connect(&new_chat()).await;
    let printed = BufReader::new(process.stdout.take().unwrap());
    let found = tokio::task::spawn_blocking(move || {
        let lines = printed.lines().map_while(Result::ok);
        lines.map(|line| serde_json::from_str::<Value>(&line).unwrap()).find(|line| line.to_string().contains(&attempt))
    });
    assert!(found.await.unwrap().is_some());
    assert!(Command::new("kill").args(["-INT", &process.id().to_string()]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_connection_is_counted_from_its_link_on() {
    let operator = Operator::beside().await;
    operator.connect(&new_chat()).await;
    let counted = wait_until("the metrics", async || {
        let counted = operator.json("stats --since 2h", 0);
        let is_timed = counted["callback_to_message_ms"]["p50"].as_f64().is_some_and(|time| time > 0.0);
        (counted["connected"].as_u64() > Some(0) && is_timed).then_some(counted)
    })
    .await;
    for number in ["links_made", "logins_begun", "logins_returned", "logins_ended"] {
        assert!(counted[number].as_u64() > Some(0), "{counted}");
    }
    assert!(counted["callback_to_connected_ms"]["p50"].as_f64() <= counted["callback_to_message_ms"]["p99"].as_f64());
}

#[tokio::test]
async fn an_alarm_that_fires_leads_to_its_section_and_its_first_command() {
    let operator = Operator::ready().await;
    let message = json!({"QueueUrl": operator.stack().output("ExchangeDlqUrl"), "MessageBody": "nonsense"});
    operator.cloud.aws("sqs", "AmazonSQS.SendMessage", message).await;
    let firing = wait_until("the alarm", async || {
        let said = operator.wasf("alarms --json");
        let shown: Value = serde_json::from_str(&said.out).ok()?;
        shown["alarms"].as_array()?.iter().find(|alarm| alarm["title"] == "Dead letters").cloned()
    })
    .await;
    assert_eq!((&firing["state"], &firing["runbook"]), (&json!("firing"), &json!("docs/RUNBOOK.md#dead-letters")));
    let command = firing["command"].as_str().unwrap();
    let begun = operator.wasf(command.strip_prefix("wasf ").unwrap());
    assert!([0, 3].contains(&begun.code), "{command}: {begun:?}");
    let text = operator.wasf("alarms").out;
    assert!(text.contains("firing   Dead letters") && text.contains(&format!("→ {command}\n")), "{text}");

    let all = operator.json("alarms --all", 0);
    assert_eq!((&json!(all["alarms"].as_array().unwrap().len()), &all["missing"]), (&all["total"], &json!([])));
    operator.json("dlq drop --reason unreadable --confirm", 0);
}

#[tokio::test]
async fn another_environment_of_samconfig_is_another_stack() {
    let operator = Operator::ready().await;
    let folder = operator.command().get_current_dir().unwrap().join("samconfig.toml");
    let before = std::fs::read_to_string(&folder).unwrap();
    let second = "\n[second.global.parameters]\nstack_name = \"nowhere\"\n";
    std::fs::write(&folder, format!("{before}{second}")).unwrap();
    let said = operator.wasf("--config-env second dlq stats");
    let unknown = operator.wasf("--config-env third dlq stats");
    let named = operator.wasf("--config-env default dlq stats");
    std::fs::write(&folder, before).unwrap();
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no stack nowhere"), "{}", said.err);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("no environment third; it has default, second"), "{}", unknown.err);
    assert_eq!(named.code, 0, "{named:?}");
}
