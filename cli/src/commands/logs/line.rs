//! A line of a function's log, as people and programs get it. Pure.
//!
//! The functions log no secrets: these are types that do not print. What else is in a log (a panic, a line of the
//! runtime's) is searched for what looks like one all the same.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};
use shared::{AttemptId, Timestamp, printable::printable};

use crate::redaction::{hide, map_texts};

/// What stands elsewhere in a line, or nowhere.
const NO_FIELDS: [&str; 5] = ["timestamp", "level", "message", "target", "spans"];

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) at: Timestamp,
    function: &'static str,
    /// Empty in a line that is not the function's own.
    level: String,
    message: String,
    fields: BTreeMap<String, Value>,
}

impl Line {
    /// Reads a line; `None` where it is a metric, or says only that an invocation began or ended.
    pub(super) fn read(at: Timestamp, function: &'static str, text: &str) -> Option<Self> {
        let Ok(Value::Object(mut object)) = serde_json::from_str(text) else {
            let message = hide(text);
            let fields = BTreeMap::new();
            return (!is_routine(text)).then(|| Self { at, function, level: String::new(), message, fields });
        };
        if object.contains_key("_aws") {
            return None;
        }
        let mut text = |name: &str| match object.remove(name) {
            Some(Value::String(text)) => hide(&text),
            _ => String::new(),
        };
        let (level, message) = (text("level"), text("message"));
        let fields = object.into_iter().map(|(name, value)| (hide(&name), map_texts(value, &hide))).collect();
        Some(Self { at, function, level, message, fields })
    }

    /// For people: one line, without the id that was asked for.
    pub(super) fn text(&self, asked_for: Option<AttemptId>) -> String {
        let mut line = format!("{}  {:17}  {:5}  {}", self.at.rfc3339(), self.function, self.level, self.message);
        let asked_for = asked_for.map(|id| id.to_string());
        for (name, value) in &self.fields {
            let is_known = asked_for.as_deref().is_some_and(|id| value.as_str() == Some(id));
            if !NO_FIELDS.contains(&name.as_str()) && !value.is_null() && !is_known {
                let _ = write!(line, " {name}={}", shown(value));
            }
        }
        printable(line.trim_end()).into_owned()
    }

    /// For programs: everything.
    pub(super) fn json(&self) -> Value {
        json!({
            "time": self.at.rfc3339(),
            "function": self.function,
            "level": self.level,
            "message": self.message,
            "fields": self.fields,
        })
    }
}

/// A text without spaces as it is, all else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains([' ', '"', '=']) => text.clone(),
        value => value.to_string(),
    }
}

/// What Lambda says of each invocation; with a status it says that something went wrong.
fn is_routine(text: &str) -> bool {
    let begins = ["START RequestId:", "END RequestId:", "REPORT RequestId:", "INIT_START "];
    text.trim().is_empty() || (begins.iter().any(|begin| text.starts_with(begin)) && !text.contains("Status:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redaction::HIDDEN;

    const AT: Timestamp = Timestamp::from_millis(1_790_000_000_123);

    fn text(line: &str) -> String {
        Line::read(AT, "token-exchanger", line).unwrap().text(None)
    }

    #[test]
    fn a_line_of_ours_is_its_message_and_its_fields() {
        let line = json!({
            "timestamp": "2026-09-21T14:13:20.123Z", "level": "INFO", "target": "token_exchanger", "message": "attempt finished",
            "result": "failed", "duration_ms": 812, "error": "no answer in 3 s", "reason": null,
            "attempt_id": "07".repeat(16), "spans": [{"requestId": "6a1b"}],
        });
        let read = Line::read(AT, "token-exchanger", &line.to_string()).unwrap();
        let shown = "2026-09-21T14:13:20.123Z  token-exchanger    INFO   attempt finished duration_ms=812 \
                     error=\"no answer in 3 s\" result=failed";
        assert_eq!(read.text(Some(AttemptId::from_bytes([7; 16]))), shown);
        assert_eq!(read.json()["fields"]["spans"][0]["requestId"], "6a1b");
    }

    #[test]
    fn metrics_and_the_routine_of_invocations_are_left_out() {
        for routine in [
            r#"{"_aws":{"Timestamp":1},"Stack":"connect","Callbacks":1}"#,
            "START RequestId: 6a1b Version: $LATEST",
            "REPORT RequestId: 6a1b\tDuration: 3 ms",
            "",
        ] {
            assert_eq!(Line::read(AT, "notifier", routine), None, "{routine}");
        }
    }

    #[test]
    fn what_lambda_says_of_a_crash_is_shown() {
        for crash in [
            "REPORT RequestId: 6a1b\tDuration: 30000 ms\tStatus: timeout",
            "2026-09-21T14:13:20.123Z 6a1b Task timed out after 30.03 seconds",
            "thread 'main' panicked at functions/token-exchanger/src/lib.rs:10:5:",
        ] {
            assert!(text(crash).contains(&*printable(crash)), "{crash}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_hidden_wherever_it_stands() {
        let secrets = [
            "00D5g000004Xyz!AQEAQFx.7mTz3kW0u_PqL9a",
            "5Aep861TSESvWeug_xvFHRBTTbf_YrTWgEyjBJrPi",
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl0",
            "whatsapp:+15551234567",
            "whatsapp:US.ABC123XYZ",
            "K7PW-4MXR",
            "kD9wq3Zr1yLh7mVbXcJ5tFgSaQeRuIoPnWzTyUvBxCA",
            "+15551234567",
        ];
        for secret in secrets {
            let lines = [
                secret.to_owned(),
                format!("panicked: token={secret}, \"{secret}\""),
                json!({"level": "INFO", "message": secret, "error": format!("for {secret}:"), "of": [{"a": secret}]})
                    .to_string(),
            ];
            let kept = secret.trim_start_matches("00D5g000004Xyz!").trim_start_matches("whatsapp:");
            for line in lines {
                let read = Line::read(AT, "notifier", &line).unwrap();
                let shown = format!("{}{}", read.text(None), read.json());
                assert!(!shown.contains(kept) && shown.contains(HIDDEN), "{shown}");
            }
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let hostile = json!({"level": "INFO", "message": "a\u{1b}[2J\nb", "x\u{202e}": "c\u{7}"}).to_string();
        assert!(text(&hostile).ends_with(r"a\u{1b}[2J\nb x\u{202e}=c\u{7}"), "{}", text(&hostile));
        assert!(text("tab\tand \u{9b}2J").ends_with(r"tab\tand \u{9b}2J"));
    }
}
