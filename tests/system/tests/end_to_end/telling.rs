//! Outcomes that cannot be told at once: nobody else waits for them, and they are told once that is possible.

use std::time::Duration;

use futures::{StreamExt as _, future::join_all, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use system::{Browser, Cloud, consent::CONNECTED, new_chat, now_ms, wait_until};

fn down() -> Value {
    json!({"status": 500, "body": ""})
}

/// So many people who each are sent from Salesforce to the callback at this moment; their chats.
async fn people_connect(cloud: &Cloud, chats: &[String]) {
    let callbacks = join_all(chats.iter().map(async |chat| {
        let mut browser = Browser::new(cloud);
        let callback = browser.approve(&cloud.link(chat).await.url).await;
        (browser, callback)
    }))
    .await;
    join_all(callbacks.into_iter().map(async |(browser, callback)| {
        browser.visit(Method::GET, &callback).await;
    }))
    .await;
}

/// How large an outage is: a short one of a few people. `PEOPLE` and `OUTAGE` (seconds) make it as large as in life (`make
/// outage`).
struct Outage {
    people: usize,
    length: Duration,
}

impl Outage {
    #[expect(clippy::disallowed_methods, reason = "a test reads its own size")]
    fn read() -> Self {
        let setting = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
        let people = setting("PEOPLE").unwrap_or(12);
        Self {
            people: usize::try_from(people).expect("few people"),
            length: Duration::from_secs(setting("OUTAGE").unwrap_or(0)),
        }
    }

    /// Connects the people one after another while it lasts, a few at the same time; when each of them called back, in
    /// milliseconds since the epoch.
    async fn pass(&self, connect: impl AsyncFn(usize) -> u64) -> Vec<u64> {
        let gap = self.length / u32::try_from(self.people).expect("few people");
        let connect = &connect;
        // Of four at a time, one in each four gaps.
        let arrivals = (0..self.people).map(async |place| {
            sleep(gap * 4).await;
            connect(place).await
        });
        stream::iter(arrivals).buffered(4).collect().await
    }
}

/// Prints how long something took people, in milliseconds.
#[expect(clippy::print_stdout, reason = "the report of a long outage")]
fn print_times(what: &str, mut times: Vec<u64>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("{what}: median {} ms, 99th percentile {} ms, of {}", at(50), at(99), times.len());
}

/// The bot answers 500 to the events of every second person, until the test ends the faults.
#[tokio::test]
async fn a_bot_that_is_down_keeps_nobody_waiting_and_has_every_event_once_it_is_well() {
    let (cloud, outage) = (Cloud::read(), Outage::read());
    let chats: Vec<_> = (0..outage.people).map(|_| new_chat()).collect();
    let is_without_bot = |place: usize| place.is_multiple_of(2);
    let called_back = outage
        .pass(async |place| {
            let chat = &chats[place];
            if is_without_bot(place) {
                cloud.fault(chat, "bot.events", 10_000, down()).await;
            }
            let mut browser = Browser::new(&cloud);
            let callback = browser.approve(&cloud.link(chat).await.url).await;
            let now = now_ms();
            browser.visit(Method::GET, &callback).await;
            now
        })
        .await;
    let mut times = [Vec::new(), Vec::new()];
    for (place, chat) in chats.iter().enumerate() {
        let journal = cloud.wait_for(chat, "the message", |journal| !journal.messages().is_empty()).await;
        let messaged = journal.first_at_ms("twilio.messages").unwrap();
        times[usize::from(is_without_bot(place))].push(messaged.saturating_sub(called_back[place]));
        if is_without_bot(place) {
            assert_eq!(journal.succeeded("bot.events"), 0, "the message did not wait for the bot");
            // The stream's try, and those of the retry queue after 5 and 10 seconds.
            cloud.wait_for(chat, "three tries", |journal| journal.count("bot.events") > 2).await;
        }
    }
    for chat in &chats {
        cloud.end_faults(chat).await;
    }
    let well = now_ms();
    let mut late = Vec::new();
    for (place, chat) in chats.iter().enumerate() {
        let journal = cloud.wait_for(chat, "the event", |journal| journal.succeeded("bot.events") > 0).await;
        assert_eq!(journal.messages(), [CONNECTED]);
        assert_eq!(journal.succeeded("bot.events"), 1);
        if is_without_bot(place) {
            let told = journal.records("bot.events").last().unwrap()["at_ms"].as_u64().unwrap();
            late.push(told.saturating_sub(well));
        }
    }
    let [with, without] = times;
    print_times("callback to message, bot well", with);
    print_times("callback to message, bot down", without);
    print_times("the bot's recovery to its event", late);
}

/// Twilio's credentials are revoked, and Meta has locked the account: that is nobody's own fault.
#[tokio::test]
async fn people_who_connect_while_the_whatsapp_account_is_locked_are_told_once_it_is_not() {
    let (cloud, outage) = (Cloud::read(), Outage::read());
    let revoked = json!({"status": 401, "body": {"code": 20003, "message": "Authenticate"}});
    let locked = json!({"status": 403, "body": {"error": {"code": 131_031, "message": "Account has been locked"}}});
    let providers = [("main", "twilio.messages", revoked), ("plain", "meta.messages", locked)];
    let people: Vec<_> = (0..outage.people).map(|place| (&providers[place % 2], new_chat())).collect();
    outage
        .pass(async |place| {
            let ((stack, endpoint, refusal), chat) = &people[place];
            cloud.fault(chat, endpoint, 10_000, refusal.clone()).await;
            match *stack {
                "main" => cloud.consent(chat).await,
                stack => drop(cloud.consent_of(stack, chat, 0).await),
            }
            now_ms()
        })
        .await;
    for ((_, endpoint, _), chat) in &people {
        // The stream's try, and the retry queue's: with each the credentials are fetched again.
        cloud.wait_for(chat, "refusals", |journal| journal.count(endpoint) > 2).await;
    }

    for (_, chat) in &people {
        cloud.end_faults(chat).await;
    }
    let cured = now_ms();
    let mut late = Vec::new();
    for ((stack, endpoint, _), chat) in &people {
        let journal = cloud.wait_for(chat, "the message", |journal| journal.succeeded(endpoint) > 0).await;
        assert_eq!([journal.messages(), journal.meta_messages()].concat().last(), Some(&CONNECTED));
        let told = journal.records(endpoint).last().unwrap()["at_ms"].as_u64().unwrap();
        late.push(told.saturating_sub(cured));
        let attempt = wait_until("the mark", async || {
            let attempts = cloud.attempts(cloud.stack(stack), chat).await;
            attempts.into_iter().find(|attempt| attempt.get("notified_at").is_some())
        })
        .await;
        assert!(attempt.get("messaged_at").is_some() && attempt.get("message_error").is_none(), "{attempt}");
        let journal = cloud.journal(chat).await;
        assert_eq!(journal.succeeded(endpoint), 1);
        assert!(journal.events().iter().all(|event| event["data"]["message"] != "undeliverable"));
    }
    print_times("the account's recovery to the message", late);
}

/// Twilio accepts the message, and says 15 seconds later that this person cannot get it.
#[tokio::test]
async fn a_bot_hears_by_a_further_event_that_a_message_was_refused_later() {
    let cloud = Cloud::read();
    let chat = new_chat();
    let later = json!({"later": {"status": "undelivered", "error_code": 63024}});
    cloud.fault(&chat, "twilio.messages", 1, later).await;
    people_connect(&cloud, std::slice::from_ref(&chat)).await;
    let journal = cloud.wait_for(&chat, "both events", |journal| journal.succeeded("bot.events") == 2).await;
    let events = journal.events();
    let said: Vec<_> = events.iter().map(|event| (&event["type"], &event["data"]["message"])).collect();
    let created = json!("connection.created");
    assert_eq!(said, [(&created, &json!("sent")), (&created, &json!("undeliverable"))]);
    assert_ne!(events[0]["id"], events[1]["id"]);
    assert_eq!((journal.messages().len(), journal.templates().len()), (1, 0));
}

/// The retry queue gives up after two deliveries here, and after a day in the template.
#[tokio::test]
async fn a_bot_that_is_down_until_the_dead_letter_queue_has_every_event_after_one_redrive() {
    let cloud = Cloud::read();
    let plain = cloud.stack("plain");
    let before = json!({"QueueUrl": plain.output("NotifierRetryDlqUrl"), "AttributeNames": ["All"]});
    let dead_letters = async || -> u64 {
        let answer = cloud.aws("sqs", "AmazonSQS.GetQueueAttributes", before.clone()).await;
        answer["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap().parse().unwrap()
    };
    cloud.give_up_telling_after(plain, 2).await;
    let chats: Vec<_> = (0..3).map(|_| new_chat()).collect();
    for chat in &chats {
        cloud.aws_fault("sqs.SendMessage", Some(&**chat), 10_000, json!({"status": 403, "body": ""})).await;
        cloud.consent_of("plain", chat, 0).await;
    }
    for chat in &chats {
        cloud.meta_message(chat, CONNECTED).await;
    }
    // Other tests' outcomes on this stack may be among them, and are redriven too.
    wait_until("the dead letters", async || (dead_letters().await >= 3).then_some(())).await;
    cloud.give_up_telling_after(plain, 500).await;
    for chat in &chats {
        cloud.end_aws_faults(chat).await;
    }

    let task = json!({"SourceArn": plain.output("NotifierRetryDlqArn")});
    cloud.aws("sqs", "AmazonSQS.StartMessageMoveTask", task).await;
    for chat in &chats {
        assert_eq!(cloud.bot_queue_message(chat).await["event"]["type"], "connection.created");
        assert_eq!(cloud.journal(chat).await.meta_messages(), [CONNECTED], "the person is not told again");
    }
    wait_until("an empty dead-letter queue", async || (dead_letters().await == 0).then_some(())).await;
}
