//! The message on the retry queue: which attempt's outcome is not told completely.
//!
//! It is a pointer and no copy. What is left to tell is read from the attempt's item at each delivery, so a message may
//! come late, twice, or after a redrive, and a bot or a chat hears nothing that is marked already. Fields that this
//! version does not know are ignored.

use serde::Deserialize;
use shared::AttemptId;

const VERSION: u32 = 1;

/// Which attempt is to be looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) attempt_id: AttemptId,
    /// The id of a message of its, which the provider has accepted and may still refuse.
    pub(crate) check: Option<String>,
}

/// The body is not a pointer of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message of this stack's retry queue")]
pub(crate) struct InvalidPointer;

#[derive(Deserialize)]
struct Body {
    v: u32,
    attempt_id: String,
    check: Option<String>,
}

impl Pointer {
    pub(crate) fn parse(body: &str) -> Result<Self, InvalidPointer> {
        let Body { v, attempt_id, check } = serde_json::from_str(body).map_err(|_| InvalidPointer)?;
        let attempt_id = attempt_id.parse().map_err(|_| InvalidPointer)?;
        if v == VERSION { Ok(Self { attempt_id, check }) } else { Err(InvalidPointer) }
    }

    pub(crate) fn to_body(&self) -> String {
        let mut body = serde_json::json!({"v": VERSION, "attempt_id": self.attempt_id.to_string()});
        if let Some(message_id) = &self.check {
            body["check"] = message_id.as_str().into();
        }
        body.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_as_it_was_written() {
        let pointer = Pointer { attempt_id: AttemptId::from_bytes([7; 16]), check: None };
        assert_eq!(pointer.to_body(), r#"{"attempt_id":"07070707070707070707070707070707","v":1}"#);
        assert_eq!(Pointer::parse(&pointer.to_body()), Ok(pointer.clone()));
        let check = Pointer { check: Some("SM1".to_owned()), ..pointer };
        assert_eq!(Pointer::parse(&check.to_body()), Ok(check));
    }

    #[test]
    fn fields_of_a_later_version_are_ignored() {
        let body = r#"{"v":1,"attempt_id":"07070707070707070707070707070707","more":{"n":1}}"#;
        assert_eq!(Pointer::parse(body), Ok(Pointer { attempt_id: AttemptId::from_bytes([7; 16]), check: None }));
    }

    #[test]
    fn another_message_is_no_pointer() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"v":1,"attempt_id":"7"}"#,
            r#"{"v":2,"attempt_id":"07070707070707070707070707070707"}"#,
        ] {
            assert_eq!(Pointer::parse(body), Err(InvalidPointer), "{body}");
        }
    }
}
