//! Each alarm against its fault: none rises for people who connect, each rises for its fault. Then its section of
//! docs/RUNBOOK.md is followed by its own commands, and it falls silent.
//!
//! They run on a cloud of their own, because the other tests' faults would raise them too.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use system::{
    Browser, Cloud,
    alarms::{OF_PROOF, name},
    faults::{refusal, server_error, throttled},
    new_chat, parameter,
    proof::PROOF,
    runbook::{Filled, Runbook, Shell, alarms_of_the_template, filled},
    wait_until,
};

/// Alarms whose cause a test cannot produce (minutes of waiting, a flood of requests, slow starts): their thresholds are
/// lowered to 0. The commands of their sections run all the same, but for those that remove the cause.
const LOWERED: [&str; 7] = [
    "ExchangeBacklogAlarm",
    "ReceiverSlowAlarm",
    "NotifierLagAlarm",
    "ApiSlowAlarm",
    "ApiFloodAlarm",
    "UnfinishedLoginsAlarm",
    "MissingOutcomesAlarm",
];
const CODE_MS: u64 = 14 * 60_000;

#[tokio::test]
async fn no_alarm_rises_for_people_who_connect_and_each_rises_for_its_fault() {
    let cloud = Cloud::read();
    let main = cloud.stack("main");
    let deployed = cloud.alarms().await;

    let well: Vec<_> = (0..8).map(|_| new_chat()).collect();
    for chat in &well {
        cloud.consent(chat).await;
    }
    for chat in &well {
        cloud.outcome(chat).await;
    }
    let mut browser = Browser::new(&cloud);
    let authorize_url = browser.press(&cloud.link(&new_chat()).await.url).await;
    let denied = browser.log_in(&authorize_url, false).await;
    browser.visit(Method::GET, &denied).await;

    let mut drill = Drill::of(&cloud, &well[0]).await;

    // An alarm that had risen for these people would be found beside the first.
    cloud.connect_with_fault(1, "salesforce.token", 2, &refusal("invalid_client", "invalid client credentials")).await;
    drill.rises("MisconfiguredAlarm").await;
    let secret = cloud.secret("sf_client_secret").await;
    drill.cure("wasf secret set sf_client_secret --confirm", &[], &secret);

    let busy = json!({"status": 503, "headers": {"retry-after": "40"}, "body": ""});
    cloud.connect_with_fault(11, "salesforce.token", 1, &busy).await;
    drill.rises("SalesforceUnavailableAlarm").await;

    for _ in 0..6 {
        cloud.consent_of("main", &new_chat(), CODE_MS).await;
    }
    drill.rises("CodesExpiredAlarm").await;

    // One person's trouble is none of the operator's; all people's is.
    cloud.connect_with_fault(40, "salesforce.token", 1, &json!({"oauth_error": "inactive_user"})).await;
    drill.rises("SameFailureAlarm").await;

    let login = cloud.begin_login(&new_chat()).await;
    login.refuse("invalid_scope", "the requested scope is not allowed").await;
    drill.rises("MisconfiguredLoginAlarm").await;

    join_all((0..6).map(async |_| {
        let chat = new_chat();
        cloud.fault(&chat, "salesforce.token", 1, json!({"drop": "after"})).await;
        cloud.consent(&chat).await;
    }))
    .await;
    drill.rises("AnswersLostAlarm").await;

    let chat = new_chat();
    cloud.aws_fault("dynamodb.TransactWriteItems", &*chat, 40, throttled()).await;
    cloud.consent(&chat).await;
    drill.rises("NotStoredAlarm").await;

    let chat = new_chat();
    cloud.aws_fault("dynamodb.TransactWriteItems", &*chat, 40, throttled()).await;
    cloud.aws_fault("sqs.SendMessage", "traded", 20, server_error()).await;
    cloud.consent(&chat).await;
    drill.rises("TokensLostAlarm").await;
    cloud.end_aws_faults("traded").await;

    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&cloud.link(&new_chat()).await.url).await;
    cloud.aws_fault("kms.GenerateMac", None, 10_000, server_error()).await;
    browser.visit(Method::GET, &callback).await;
    drill.rises("KmsAlarm").await;
    cloud.end_all_faults().await;
    a_key_and_a_secret_that_somebody_deletes(&cloud, &drill).await;

    let refused = json!({"status": 401, "body": {"code": 20003, "message": "Authenticate"}});
    cloud.connect_with_fault(1, "twilio.messages", 2, &refused).await;
    drill.rises("WhatsAppRefusedAlarm").await;

    what_cannot_be_used(&cloud, &mut drill).await;

    cloud.connect_with_fault(6, "bot.events", 1, &json!({"status": 500, "body": ""})).await;
    drill.rises("BotRefusedAlarm").await;
    drill.cure("wasf events test", &[], "");

    let login = cloud.begin_login(&new_chat()).await;
    cloud.aws_fault("dynamodb.UpdateItem", &*login.attempt, 1, json!({"kill": "before"})).await;
    login.approve().await;
    drill.rises("ExchangerErrorAlarm").await;

    // New processes have no secrets in their cache.
    let callback = browser.approve(&cloud.link(&new_chat()).await.url).await;
    cloud.aws_fault("secretsmanager.BatchGetSecretValue", None, 10_000, server_error()).await;
    cloud.give_up_after(main, 8, 3).await;
    browser.visit(Method::GET, &callback).await;
    drill.rises("CredentialsAlarm").await;
    cloud.end_all_faults().await;

    what_nobody_takes(&cloud, &mut drill).await;

    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&cloud.link(&new_chat()).await.url).await;
    cloud.aws_fault("sqs.SendMessage", &*parameter(&callback, "code"), 3, server_error()).await;
    browser.visit(Method::GET, &callback).await;
    drill.rises("ReceiverErrorAlarm").await;

    // Nonsense, and more of it than there were people in the last quarter of an hour.
    drill.raised.insert("ApiRejectedAlarm".to_owned());
    let forged = format!("{}?code=c&state=forged", main.output("CallbackUrl"));
    for _ in 0..26 {
        join_all((0..20).map(|_| browser.visit(Method::GET, &forged))).await;
    }
    drill.rises("CallbacksRefusedAlarm").await;
    drill.rises("ApiRejectedAlarm").await;

    cloud.reserve(main, "CallbackReceiver", 0).await;
    browser.visit(Method::GET, &forged).await;
    drill.rises("ThrottledAlarm").await;
    drill.cure("aws lambda get-account-settings --query AccountLimit", &[], "");
    cloud.reserve(main, "CallbackReceiver", 100).await;

    what_waits(&cloud, &mut drill).await;
    for alarm in LOWERED {
        cloud.lower_threshold(alarm).await;
        // Some ratios count from a few people on.
        cloud.connect_with_fault(6, "salesforce.token", 1, &busy).await;
        drill.rises(alarm).await;
    }

    codes_that_do_not_come(&cloud, &mut drill).await;

    assert_eq!(drill.raised, alarms_of_the_template(), "an alarm without a fault here");
    drill.all_fall_silent(deployed).await;
}

/// Who follows the runbook.
struct Drill<'a> {
    cloud: &'a Cloud,
    runbook: Runbook,
    shell: Shell<'a>,
    raised: BTreeSet<String>,
    /// Somebody who is connected, and the attempt.
    chat: String,
    attempt: String,
}

impl<'a> Drill<'a> {
    async fn of(cloud: &'a Cloud, chat: &str) -> Self {
        let attempts = cloud.attempts(cloud.stack("main"), chat).await;
        let attempt = attempts[0]["attempt_id"]["S"].as_str().unwrap().to_owned();
        let (runbook, shell) = (Runbook::read(), Shell::new(cloud));
        Self { cloud, runbook, shell, raised: BTreeSet::new(), chat: chat.to_owned(), attempt }
    }

    /// Waits for an alarm; then tries what its section says to look at, while the fault lasts. Doctor may find it, and a list
    /// may be empty: a command that is wrong ends otherwise.
    async fn rises(&mut self, alarm: &str) {
        self.cloud.rises(&mut self.raised, alarm).await;
        let stack = if OF_PROOF.contains(&alarm) { PROOF } else { "main" };
        let with = [("ID", &*self.attempt), ("CHAT", &*self.chat)];
        let looks = self.runbook.section(alarm).looks();
        let started: Vec<_> = looks.iter().map(|look| self.shell.start(stack, &filled(look, &with), "")).collect();
        for (look, running) in looks.iter().zip(started) {
            let said = running.end();
            let usual: &[i32] = if look == "wasf doctor" { &[0, 1] } else { &[0, 3, 4] };
            assert!(usual.contains(&said.code), "{alarm}: {look}: {said:?}");
        }
    }

    /// Runs a command that stands in the runbook, with what it leaves open filled in, and this on its standard input.
    fn cure(&self, command: &str, with: Filled<'_>, input: &str) {
        assert!(self.runbook.commands().iter().any(|known| known == command), "not in the runbook: {command}");
        let said = self.shell.run("main", &filled(command, with), input);
        // There may be nothing to be done, or something left, as where a redrive finds what cannot be read.
        assert!([0, 3, 4].contains(&said.code), "{command}: {said:?}");
    }

    /// Nothing is broken any more, so a short time without a fault is enough for each, at the threshold that it is deployed with.
    async fn all_fall_silent(&self, deployed: Vec<Value>) {
        for alarm in deployed.into_iter().filter(|alarm| name(alarm) != "SweepMissedAlarm") {
            self.cloud.quicken(alarm).await;
        }
        wait_until("silence", async || {
            let ringing = self.cloud.alarms_in_state("ALARM").await;
            ringing.is_empty().then_some(())
        })
        .await;
    }
}

/// Each alarm on a queue of what was given up.
async fn what_nobody_takes(cloud: &Cloud, drill: &mut Drill<'_>) {
    let main = cloud.stack("main");
    cloud.send(main, "not a message").await;
    drill.rises("ExchangeDeadLetterAlarm").await;
    // It fires until the letter is gone.
    let found = drill.shell.run("main", "wasf doctor", "");
    let is_found = found.out.contains("an alarm is firing for ") && found.out.contains(": Dead letters\n");
    assert!(found.code == 1 && is_found, "{found:?}");
    drill.cure("wasf dlq redrive --confirm", &[], "");
    drill.cure("wasf dlq drop --reason unreadable --confirm", &[], "");

    let pointer = json!({"QueueUrl": main.output("NotifierFailureQueueUrl"), "MessageBody": "{}"});
    cloud.aws("sqs", "AmazonSQS.SendMessage", pointer).await;
    drill.rises("NotifierFailureAlarm").await;
    drill.cure("wasf events redeliver --since 1d", &[("1d", "1d --confirm")], "");
    let failed = main.output("NotifierFailureQueueUrl");
    drill.cure("aws sqs purge-queue --queue-url …", &[("…", failed)], "");

    an_outcome_that_was_refused_to_the_last(cloud, drill).await;
}

/// SQS moves only what it has moved to the dead letters itself. A day is more than a test may take.
async fn an_outcome_that_was_refused_to_the_last(cloud: &Cloud, drill: &mut Drill<'_>) {
    let main = cloud.stack("main");
    let url = main.output("NotifierRetryQueueUrl");
    let order = json!({"QueueUrl": url, "AttributeNames": ["RedrivePolicy"]});
    let usual = cloud.aws("sqs", "AmazonSQS.GetQueueAttributes", order).await["Attributes"]["RedrivePolicy"].take();
    let soon = json!({"deadLetterTargetArn": main.output("NotifierRetryDlqArn"), "maxReceiveCount": 1}).to_string();
    let give_up = async |policy: &str| {
        let order = json!({"QueueUrl": url, "Attributes": {"RedrivePolicy": policy}});
        cloud.aws("sqs", "AmazonSQS.SetQueueAttributes", order).await;
    };
    give_up(&soon).await;
    let chat = new_chat();
    cloud.fault(&chat, "bot.events", 100, json!({"status": 503, "body": ""})).await;
    cloud.consent(&chat).await;
    drill.rises("NotifierDeadLetterAlarm").await;
    give_up(usual.as_str().unwrap()).await;
    cloud.end_faults(&chat).await;
    drill.cure("wasf events redrive --confirm", &[], "");
    cloud.wait_for(&chat, "the event", |journal| journal.succeeded("bot.events") > 0).await;
}

/// The cures that the sections of keys and secrets have.
async fn a_key_and_a_secret_that_somebody_deletes(cloud: &Cloud, drill: &Drill<'_>) {
    let key = cloud.stack("main").output("StateKeyArn");
    cloud.aws("kms", "TrentService.ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7})).await;
    cloud.aws("secretsmanager", "secretsmanager.DeleteSecret", json!({"SecretId": "sf_client_secret"})).await;
    let found = drill.shell.run("main", "wasf doctor", "");
    assert!(found.code == 1 && found.out.contains("sf_client_secret") && found.out.contains("StateKey"), "{found:?}");
    drill.cure("aws kms cancel-key-deletion --key-id …", &[("…", key)], "");
    drill.cure("aws kms enable-key --key-id …", &[("…", key)], "");
    drill.cure("aws secretsmanager restore-secret --secret-id NAME", &[("NAME", "sf_client_secret")], "");
    let mended = drill.shell.run("main", "wasf doctor", "");
    assert!(!mended.out.contains("StateKey") && !mended.out.contains("sf_client_secret is"), "{mended:?}");
}

/// The alarms of a stack with `ChatProof=Required`.
async fn codes_that_do_not_come(cloud: &Cloud, drill: &mut Drill<'_>) {
    // Their time is over while the others send theirs from another chat.
    for _ in 0..6 {
        cloud.held_over(&cloud.proof_link(&new_chat()).await).await;
    }
    for _ in 0..6 {
        let login = cloud.held_over(&cloud.proof_link(&new_chat()).await).await;
        let answer = cloud.sends_code(&new_chat(), &login.code).await;
        assert_eq!(answer.result(), "wrong_chat", "{answer:?}");
    }
    drill.rises("WrongChatsAlarm").await;
    drill.rises("UnconfirmedLoginsAlarm").await;
    let chat = new_chat();
    cloud.connect_with_proof(&chat).await;
    assert!(cloud.proof_row(&chat).await.is_some(), "a chat that sends its code is connected");
}

/// Each alarm on a table or a queue that refuses.
async fn what_cannot_be_used(cloud: &Cloud, drill: &mut Drill<'_>) {
    let login = cloud.begin_login(&new_chat()).await;
    cloud.aws_fault("dynamodb.UpdateItem", &*login.attempt, 40, throttled()).await;
    login.approve().await;
    drill.rises("AttemptTableAlarm").await;
    cloud.end_aws_faults(&login.attempt).await;

    let login = cloud.begin_login(&new_chat()).await;
    let limits = cloud.stack("main").output("LimitTableName");
    cloud.aws_fault("dynamodb.UpdateItem", limits, 30, throttled()).await;
    login.refuse("access_denied", "end-user denied authorization").await;
    drill.rises("LimitTableAlarm").await;
    cloud.end_aws_faults(limits).await;

    // Whatever the notifier puts on a queue about this attempt.
    let chat = new_chat();
    let login = cloud.begin_login(&chat).await;
    cloud.fault(&chat, "bot.events", 1, json!({"status": 500, "body": ""})).await;
    cloud.aws_fault("sqs.SendMessage", &*login.attempt, 12, server_error()).await;
    login.approve().await;
    drill.rises("RetryQueueAlarm").await;
    cloud.end_aws_faults(&login.attempt).await;
}

/// Each alarm on something that is late.
async fn what_waits(cloud: &Cloud, drill: &mut Drill<'_>) {
    late_notifications(cloud, drill).await;
    upkeep_that_waits(cloud, drill).await;
    refreshes_that_fail(cloud, drill).await;
}

/// The alarm's ten minutes are more than a test may take.
async fn late_notifications(cloud: &Cloud, drill: &mut Drill<'_>) {
    cloud.lower_threshold("LateNotificationsAlarm").await;
    cloud.connect_with_fault(1, "bot.events", 2, &json!({"status": 500, "body": ""})).await;
    drill.rises("LateNotificationsAlarm").await;
}

/// Each alarm on what the refresher has not done.
async fn upkeep_that_waits(cloud: &Cloud, drill: &mut Drill<'_>) {
    let main = cloud.stack("main");
    let letter = json!({"QueueUrl": main.output("UpkeepDlqUrl"), "MessageBody": "{}"});
    cloud.aws("sqs", "AmazonSQS.SendMessage", letter).await;
    drill.rises("UpkeepDeadLetterAlarm").await;
    drill.cure("wasf dlq redrive --queue upkeep --confirm", &[], "");
    drill.cure("wasf dlq drop --queue upkeep --reason unreadable --confirm", &[], "");

    let refresh = json!({"v": 1, "refresh": {"wa_id": new_chat()}}).to_string();
    let waiting = json!({"QueueUrl": main.output("UpkeepQueueUrl"), "MessageBody": refresh, "DelaySeconds": 900});
    cloud.aws("sqs", "AmazonSQS.SendMessage", waiting).await;
    cloud.lower_threshold("UpkeepBacklogAlarm").await;
    drill.rises("UpkeepBacklogAlarm").await;

    // What waits there for a quarter of an hour stands in for a backlog.
    cloud.aws("sqs", "AmazonSQS.PurgeQueue", json!({"QueueUrl": main.output("UpkeepQueueUrl")})).await;

    // No schedule fires within a test, so nothing was swept in this hour.
    cloud.shorten("SweepMissedAlarm").await;
    drill.rises("SweepMissedAlarm").await;
    let sweep = "aws sqs send-message --queue-url URL --message-body '{\"v\":1,\"sweep\":{}}'";
    drill.cure(sweep, &[("URL", main.output("UpkeepQueueUrl"))], "");
    cloud.falls_silent("SweepMissedAlarm").await;
}

/// Each alarm on refreshes that do not give new tokens, or whose tokens go nowhere.
async fn refreshes_that_fail(cloud: &Cloud, drill: &mut Drill<'_>) {
    refresh_with_fault(cloud, 1, &refusal("invalid_client", "invalid client credentials")).await;
    drill.rises("RefreshRefusedAlarm").await;

    refresh_with_fault(cloud, 10, &json!({"oauth_error": "inactive_user"})).await;
    drill.rises("ConnectionsEndedAlarm").await;

    refresh_with_fault(cloud, 5, &json!({"status": 503, "headers": {"retry-after": "40"}, "body": ""})).await;
    drill.rises("RefreshesFailAlarm").await;

    let chat = connected(cloud).await;
    // What claims the row before the refresh does not name them.
    cloud.aws_fault("dynamodb.UpdateItem", "access_token", 10_000, throttled()).await;
    cloud.aws_fault("sqs.SendMessage", &*chat, 10_000, server_error()).await;
    refresh(cloud, &chat).await;
    drill.rises("RefreshedTokensLostAlarm").await;
    cloud.end_all_faults().await;

    let chat = connected(cloud).await;
    cloud.aws_fault("sqs.SendMessage", &*chat, 10_000, server_error()).await;
    cloud.fault(&chat, "salesforce.revoke", 10, json!({"status": 503, "body": ""})).await;
    cloud.call("main", "disconnect", json!({"wa_id": chat})).await;
    drill.rises("TokensNotRevokedAlarm").await;
    cloud.end_all_faults().await;

    grow_old(cloud, &connected(cloud).await).await;
    let sweep = json!({"v": 1, "sweep": {}}).to_string();
    let begun = json!({"QueueUrl": cloud.stack("main").output("UpkeepQueueUrl"), "MessageBody": sweep});
    cloud.aws("sqs", "AmazonSQS.SendMessage", begun).await;
    drill.rises("OverdueRefreshAlarm").await;
}

/// So many people's tokens are refreshed, each with this fault.
async fn refresh_with_fault(cloud: &Cloud, count: usize, action: &Value) {
    for _ in 0..count {
        let chat = connected(cloud).await;
        cloud.fault(&chat, "salesforce.refresh", 4, action.clone()).await;
        refresh(cloud, &chat).await;
    }
}

async fn connected(cloud: &Cloud) -> String {
    let chat = new_chat();
    cloud.consent(&chat).await;
    cloud.outcome(&chat).await;
    chat
}

/// The sweep finds that nobody has refreshed the chat's tokens for years.
async fn refresh(cloud: &Cloud, chat: &str) {
    grow_old(cloud, chat).await;
    let body = json!({"v": 1, "refresh": {"wa_id": chat}}).to_string();
    let message = json!({"QueueUrl": cloud.stack("main").output("UpkeepQueueUrl"), "MessageBody": body});
    cloud.aws("sqs", "AmazonSQS.SendMessage", message).await;
}

/// Nobody has refreshed the chat's tokens for years.
async fn grow_old(cloud: &Cloud, chat: &str) {
    let main = cloud.stack("main");
    let update = json!({
        "TableName": main.output("TokenTableName"),
        "Key": {"wa_id": {"S": chat}},
        "UpdateExpression": "SET refreshed_at = :long_ago",
        "ExpressionAttributeValues": {":long_ago": {"N": "1"}},
    });
    cloud.aws("dynamodb", "DynamoDB_20120810.UpdateItem", update).await;
}
