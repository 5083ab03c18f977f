//! Each alarm against its fault: none rises for people who connect, each rises for its fault.
//!
//! They run on a cloud of their own, because the other tests' faults would raise them too.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use system::{
    Browser, Cloud,
    alarms::name,
    faults::{refusal, server_error, throttled},
    new_chat, parameter,
};

/// Alarms whose thresholds take longer, or more, than a test may: they are lowered to 0.
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
    let all: BTreeSet<_> = cloud.alarms().await.iter().map(name).collect();
    let mut raised = BTreeSet::new();

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

    // An alarm that had risen for these people would be found beside the first.
    cloud.connect_with_fault(1, "salesforce.token", 2, &refusal("invalid_client", "invalid client credentials")).await;
    cloud.rises(&mut raised, "MisconfiguredAlarm").await;

    let busy = json!({"status": 503, "headers": {"retry-after": "40"}, "body": ""});
    cloud.connect_with_fault(11, "salesforce.token", 1, &busy).await;
    cloud.rises(&mut raised, "SalesforceUnavailableAlarm").await;

    for _ in 0..6 {
        cloud.consent_of("main", &new_chat(), CODE_MS).await;
    }
    cloud.rises(&mut raised, "CodesExpiredAlarm").await;

    // One person's trouble is none of the operator's; all people's is.
    cloud.connect_with_fault(40, "salesforce.token", 1, &json!({"oauth_error": "inactive_user"})).await;
    cloud.rises(&mut raised, "SameFailureAlarm").await;

    let login = cloud.begin_login(&new_chat()).await;
    login.refuse("invalid_scope", "the requested scope is not allowed").await;
    cloud.rises(&mut raised, "MisconfiguredLoginAlarm").await;

    join_all((0..6).map(async |_| {
        let chat = new_chat();
        cloud.fault(&chat, "salesforce.token", 1, json!({"drop": "after"})).await;
        cloud.consent(&chat).await;
    }))
    .await;
    cloud.rises(&mut raised, "AnswersLostAlarm").await;

    let chat = new_chat();
    cloud.aws_fault("dynamodb.TransactWriteItems", &*chat, 40, throttled()).await;
    cloud.consent(&chat).await;
    cloud.rises(&mut raised, "NotStoredAlarm").await;

    let chat = new_chat();
    cloud.aws_fault("dynamodb.TransactWriteItems", &*chat, 40, throttled()).await;
    cloud.aws_fault("sqs.SendMessage", "traded", 20, server_error()).await;
    cloud.consent(&chat).await;
    cloud.rises(&mut raised, "TokensLostAlarm").await;
    cloud.end_aws_faults("traded").await;

    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&cloud.link(&new_chat()).await.url).await;
    cloud.aws_fault("kms.GenerateMac", None, 10_000, server_error()).await;
    browser.visit(Method::GET, &callback).await;
    cloud.rises(&mut raised, "KmsAlarm").await;
    cloud.end_all_faults().await;

    let refused = json!({"status": 401, "body": {"code": 20003, "message": "Authenticate"}});
    cloud.connect_with_fault(1, "twilio.messages", 2, &refused).await;
    cloud.rises(&mut raised, "WhatsAppRefusedAlarm").await;

    what_cannot_be_used(&cloud, &mut raised).await;

    cloud.connect_with_fault(6, "bot.events", 1, &json!({"status": 500, "body": ""})).await;
    cloud.rises(&mut raised, "BotRefusedAlarm").await;

    let login = cloud.begin_login(&new_chat()).await;
    cloud.aws_fault("dynamodb.UpdateItem", &*login.attempt, 1, json!({"kill": "before"})).await;
    login.approve().await;
    cloud.rises(&mut raised, "ExchangerErrorAlarm").await;

    // New processes have no secrets in their cache.
    let callback = browser.approve(&cloud.link(&new_chat()).await.url).await;
    cloud.aws_fault("secretsmanager.BatchGetSecretValue", None, 10_000, server_error()).await;
    cloud.give_up_after(main, 8, 3).await;
    browser.visit(Method::GET, &callback).await;
    cloud.rises(&mut raised, "CredentialsAlarm").await;
    cloud.end_all_faults().await;

    cloud.send(main, "not a message").await;
    cloud.rises(&mut raised, "ExchangeDeadLetterAlarm").await;

    let pointer = json!({"QueueUrl": main.output("NotifierFailureQueueUrl"), "MessageBody": "{}"});
    cloud.aws("sqs", "AmazonSQS.SendMessage", pointer).await;
    cloud.rises(&mut raised, "NotifierFailureAlarm").await;

    let pointer = json!({"QueueUrl": main.output("NotifierRetryDlqUrl"), "MessageBody": "{}"});
    cloud.aws("sqs", "AmazonSQS.SendMessage", pointer).await;
    cloud.rises(&mut raised, "NotifierDeadLetterAlarm").await;

    let mut browser = Browser::new(&cloud);
    let callback = browser.approve(&cloud.link(&new_chat()).await.url).await;
    cloud.aws_fault("sqs.SendMessage", &*parameter(&callback, "code"), 3, server_error()).await;
    browser.visit(Method::GET, &callback).await;
    cloud.rises(&mut raised, "ReceiverErrorAlarm").await;

    // Nonsense, and more of it than there were people in the last quarter of an hour.
    raised.insert("ApiRejectedAlarm".to_owned());
    let forged = format!("{}?code=c&state=forged", main.output("CallbackUrl"));
    for _ in 0..26 {
        join_all((0..20).map(|_| browser.visit(Method::GET, &forged))).await;
    }
    cloud.rises(&mut raised, "CallbacksRefusedAlarm").await;
    cloud.rises(&mut raised, "ApiRejectedAlarm").await;

    cloud.reserve(main, "CallbackReceiver", 0).await;
    browser.visit(Method::GET, &forged).await;
    cloud.rises(&mut raised, "ThrottledAlarm").await;
    cloud.reserve(main, "CallbackReceiver", 100).await;

    what_waits(&cloud, &mut raised).await;
    for alarm in LOWERED {
        cloud.lower_threshold(alarm).await;
        // Some ratios count from a few people on.
        cloud.connect_with_fault(6, "salesforce.token", 1, &busy).await;
        cloud.rises(&mut raised, alarm).await;
    }

    assert_eq!(raised, all, "an alarm without a fault here");
}

/// Each alarm on a table or a queue that refuses.
async fn what_cannot_be_used(cloud: &Cloud, raised: &mut BTreeSet<String>) {
    let login = cloud.begin_login(&new_chat()).await;
    cloud.aws_fault("dynamodb.UpdateItem", &*login.attempt, 40, throttled()).await;
    login.approve().await;
    cloud.rises(raised, "AttemptTableAlarm").await;
    cloud.end_aws_faults(&login.attempt).await;

    let login = cloud.begin_login(&new_chat()).await;
    let limits = cloud.stack("main").output("LimitTableName");
    cloud.aws_fault("dynamodb.UpdateItem", limits, 30, throttled()).await;
    login.refuse("access_denied", "end-user denied authorization").await;
    cloud.rises(raised, "LimitTableAlarm").await;
    cloud.end_aws_faults(limits).await;

    // Whatever the notifier puts on a queue about this attempt.
    let chat = new_chat();
    let login = cloud.begin_login(&chat).await;
    cloud.fault(&chat, "bot.events", 1, json!({"status": 500, "body": ""})).await;
    cloud.aws_fault("sqs.SendMessage", &*login.attempt, 12, server_error()).await;
    login.approve().await;
    cloud.rises(raised, "RetryQueueAlarm").await;
    cloud.end_aws_faults(&login.attempt).await;
}

/// Each alarm on something that is late.
async fn what_waits(cloud: &Cloud, raised: &mut BTreeSet<String>) {
    late_notifications(cloud, raised).await;
    upkeep_that_waits(cloud, raised).await;
    refreshes_that_fail(cloud, raised).await;
}

/// The alarm's ten minutes are more than a test may take.
async fn late_notifications(cloud: &Cloud, raised: &mut BTreeSet<String>) {
    cloud.lower_threshold("LateNotificationsAlarm").await;
    cloud.connect_with_fault(1, "bot.events", 2, &json!({"status": 500, "body": ""})).await;
    cloud.rises(raised, "LateNotificationsAlarm").await;
}

/// Each alarm on what the refresher has not done.
async fn upkeep_that_waits(cloud: &Cloud, raised: &mut BTreeSet<String>) {
    let main = cloud.stack("main");
    let letter = json!({"QueueUrl": main.output("UpkeepDlqUrl"), "MessageBody": "{}"});
    cloud.aws("sqs", "AmazonSQS.SendMessage", letter).await;
    cloud.rises(raised, "UpkeepDeadLetterAlarm").await;

    let refresh = json!({"v": 1, "refresh": {"wa_id": new_chat()}}).to_string();
    let waiting = json!({"QueueUrl": main.output("UpkeepQueueUrl"), "MessageBody": refresh, "DelaySeconds": 900});
    cloud.aws("sqs", "AmazonSQS.SendMessage", waiting).await;
    cloud.lower_threshold("UpkeepBacklogAlarm").await;
    cloud.rises(raised, "UpkeepBacklogAlarm").await;

    // No schedule fires within a test, so nothing was swept in this hour.
    cloud.shorten("SweepMissedAlarm").await;
    cloud.rises(raised, "SweepMissedAlarm").await;
}

/// Each alarm on refreshes that do not give new tokens, or whose tokens go nowhere.
async fn refreshes_that_fail(cloud: &Cloud, raised: &mut BTreeSet<String>) {
    refresh_with_fault(cloud, 1, &refusal("invalid_client", "invalid client credentials")).await;
    cloud.rises(raised, "RefreshRefusedAlarm").await;

    refresh_with_fault(cloud, 10, &json!({"oauth_error": "inactive_user"})).await;
    cloud.rises(raised, "ConnectionsEndedAlarm").await;

    refresh_with_fault(cloud, 5, &json!({"status": 503, "headers": {"retry-after": "40"}, "body": ""})).await;
    cloud.rises(raised, "RefreshesFailAlarm").await;

    let chat = connected(cloud).await;
    // What claims the row before the refresh does not name them.
    cloud.aws_fault("dynamodb.UpdateItem", "access_token", 10_000, throttled()).await;
    cloud.aws_fault("sqs.SendMessage", &*chat, 10_000, server_error()).await;
    refresh(cloud, &chat).await;
    cloud.rises(raised, "RefreshedTokensLostAlarm").await;
    cloud.end_all_faults().await;

    let chat = connected(cloud).await;
    cloud.aws_fault("sqs.SendMessage", &*chat, 10_000, server_error()).await;
    cloud.fault(&chat, "salesforce.revoke", 10, json!({"status": 503, "body": ""})).await;
    cloud.call("main", "disconnect", json!({"wa_id": chat})).await;
    cloud.rises(raised, "TokensNotRevokedAlarm").await;
    cloud.end_all_faults().await;

    grow_old(cloud, &connected(cloud).await).await;
    let sweep = json!({"v": 1, "sweep": {}}).to_string();
    let begun = json!({"QueueUrl": cloud.stack("main").output("UpkeepQueueUrl"), "MessageBody": sweep});
    cloud.aws("sqs", "AmazonSQS.SendMessage", begun).await;
    cloud.rises(raised, "OverdueRefreshAlarm").await;
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
