//! `wasf mcp`, driven as an assistant's client drives it: over sockets, as Node.js starts a server, and over pipes.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use system::{new_chat, operator::Operator};

/// Longer than any tool takes: an answer that does not come fails the test.
const PATIENCE: Duration = Duration::from_mins(2);

/// A client, and everything that the server has said to it.
struct Client {
    process: Child,
    to: Box<dyn Write>,
    from: BufReader<Box<dyn Read>>,
    asked: u64,
    heard: String,
}

impl Client {
    /// Starts `wasf … mcp` on a socket, and greets it.
    fn on_socket(operator: &Operator, options: &str) -> (Self, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = operator.command();
        let input = OwnedFd::from(theirs.try_clone().unwrap());
        command.args(options.split_whitespace()).arg("mcp").stdin(input).stdout(OwnedFd::from(theirs));
        let process = command.spawn().unwrap();
        // The command holds the server's end.
        drop(command);
        let (to, from) = (ours.try_clone().unwrap(), ours.try_clone().unwrap());
        (Self::greeted(process, Box::new(to), Box::new(from)), ours)
    }

    fn greeted(process: Child, to: Box<dyn Write>, from: Box<dyn Read>) -> Self {
        let mut client = Self { process, to, from: BufReader::new(from), asked: 0, heard: String::new() };
        let info = json!({"name": "test", "version": "1"});
        let begun =
            client.ask("initialize", &json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}));
        assert_eq!(begun["result"]["serverInfo"]["name"], "wasf", "{begun}");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.to, "{message}").unwrap();
        self.to.flush().unwrap();
    }

    /// The answer to a request; whatever else comes must be a message of the protocol too.
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            assert_ne!(self.from.read_line(&mut line).unwrap(), 0, "the server has ended");
            self.heard.push_str(&line);
            let message: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no message: {line}"));
            assert_eq!(message["jsonrpc"], "2.0", "{message}");
            if message["id"] == id {
                return message;
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// The structured content of a call that is no error.
    fn look(&mut self, tool: &str, arguments: &Value) -> Value {
        let mut answer = self.call(tool, arguments);
        assert_eq!(answer["result"]["isError"], false, "{tool} {arguments}: {answer}");
        answer["result"]["structuredContent"].take()
    }
}

/// What each tool needs, where it needs something.
fn arguments(tool: &Value, chat: &str, attempt: &str, dead: &str) -> Value {
    let required = tool["inputSchema"]["required"].as_array().cloned().unwrap_or_default();
    let value = |name: &str| match (tool["name"].as_str().unwrap(), name) {
        ("dlq_show", _) => dead.to_owned(),
        (_, "attempt_id") => attempt.to_owned(),
        (_, "chat") => chat.to_owned(),
        (tool, name) => panic!("{tool} needs {name}"),
    };
    required.iter().map(|name| (name.as_str().unwrap().to_owned(), json!(value(name.as_str().unwrap())))).collect()
}

#[tokio::test]
async fn every_tool_answers_about_a_populated_stack_without_a_number_a_name_a_code_or_a_token() {
    let operator = Operator::ready().await;
    let chat = new_chat();
    let link = operator.cloud.link(&chat).await.url;
    let attempt = operator.consent(&link).await;
    operator.outcome(&chat).await;
    let person = operator.people_who_approve(1).await.remove(0);
    let mut message = operator.message(&person, 0).await;
    message["code"] = json!(person.code);
    let dead = json!({"QueueUrl": operator.stack().output("ExchangeDlqUrl"), "MessageBody": message.to_string()});
    operator.cloud.aws("sqs", "AmazonSQS.SendMessage", dead).await;

    let (mut client, _socket) = Client::on_socket(&operator, "");
    let tools = client.ask("tools/list", &json!({}))["result"]["tools"].take();
    let tools = tools.as_array().unwrap();
    assert!(tools.len() >= 20 && tools.iter().all(|tool| tool["annotations"]["readOnlyHint"] == true), "{tools:?}");
    for tool in tools {
        client.look(tool["name"].as_str().unwrap(), &arguments(tool, &chat, &attempt, &person.attempt));
    }
    let number = chat.strip_prefix("whatsapp:").unwrap();
    let listed = client.look("attempt_list", &json!({"chat": number}));
    assert_eq!(listed, operator.json(&format!("attempt list --chat {number}"), 0));
    assert_eq!(client.look("connection_show", &json!({"chat": chat}))["wa_id"], listed["attempts"][0]["chat"]);

    let mut known = operator.tokens(&chat).await.unwrap().to_vec();
    known.push(link.rsplit('/').next().unwrap().to_owned());
    known.extend([operator.secret("sf_client_secret").await, person.code.clone().unwrap()]);
    known.push(operator.row(&chat).await.unwrap()["username"]["S"].as_str().unwrap().to_owned());
    known.extend(
        [&chat, &person.chat].map(|chat| chat.trim_start_matches("whatsapp:").trim_start_matches('+').to_owned()),
    );
    for known in known {
        assert!(!client.heard.contains(&known), "a tool has answered with what begins with {}", &known[..3]);
    }
    // Log lines name the route.
    let links: Vec<_> = client.heard.split("/connect/").skip(1).filter(|rest| !rest.starts_with("{link}")).collect();
    assert!(links.is_empty(), "a tool has answered with a link that begins with {}", &links[0][..3]);
    assert_eq!(operator.dead_letter_count().await, 1, "a dry run has changed something");
    assert_eq!(operator.json("dlq drop --force --confirm", 0)["dropped"], 1);
}

#[tokio::test]
async fn what_is_not_to_be_had_is_an_error_of_the_protocol_or_of_the_tool() {
    let operator = Operator::beside().await;
    let (mut client, _socket) = Client::on_socket(&operator, "--stack-name nowhere");
    let none = client.call("doctor", &json!({}));
    assert_eq!(none["result"]["isError"], true, "{none}");
    assert!(none["result"]["content"][0]["text"].as_str().unwrap().contains("no stack nowhere"), "{none}");
    for (tool, arguments, why) in [
        ("connection_revoke", json!({"chat": "whatsapp:+15551234567"}), "unknown tool: connection_revoke"),
        ("dlq_drop_dry_run", json!({"confirm": true}), "unknown argument confirm"),
        ("attempt_list", json!({"chat": "+1555123456x"}), "invalid chat: not a chat"),
    ] {
        let error = client.call(tool, &arguments)["error"].take();
        assert_eq!(error["code"], -32602, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(why) && !message.contains("1555"), "{message}");
    }
}

#[tokio::test]
async fn the_server_ends_with_its_input_over_pipes_too() {
    let operator = Operator::beside().await;
    let mut command = operator.command();
    let mut process = command.arg("mcp").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (to, from) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
    let mut piped = Client::greeted(process, Box::new(to), Box::new(from));
    assert!(piped.look("dlq_stats", &json!({}))["dead_letters"].is_object());
    piped.to = Box::new(Vec::new());
    assert_eq!(piped.process.wait().unwrap().code(), Some(0));

    let (mut client, socket) = Client::on_socket(&operator, "");
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.process.wait().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_signal_ends_the_server_while_its_input_is_open() {
    let operator = Operator::beside().await;
    let (mut client, _socket) = Client::on_socket(&operator, "");
    client.look("dlq_list", &json!({}));
    assert!(Command::new("kill").arg(client.process.id().to_string()).status().unwrap().success());
    assert_eq!(client.process.wait().unwrap().code(), Some(0));
}
