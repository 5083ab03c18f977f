//! The message on the retry queue: which attempt's outcome is not told completely, or was told by a message that may still
//! be refused.
//!
//! It is a pointer and no copy. What is left to tell or to ask is read from the attempt's item at each delivery, so a message
//! may come late, twice, or after a redrive, and a bot or a chat hears nothing that is marked already. An outcome has one,
//! which comes back until nothing is left: its age is that of the outcome, however often the person's message was sent and
//! refused. Fields that this version does not know are ignored.

use serde::Deserialize;
use shared::AttemptId;

const VERSION: u32 = 1;

/// Which attempt is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) attempt_id: AttemptId,
}

/// The body is not a pointer of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message of this stack's retry queue")]
pub(crate) struct InvalidPointer;

#[derive(Deserialize)]
struct Body {
    v: u32,
    attempt_id: String,
}

impl Pointer {
    pub(crate) fn parse(body: &str) -> Result<Self, InvalidPointer> {
        let Body { v, attempt_id } = serde_json::from_str(body).map_err(|_| InvalidPointer)?;
        let attempt_id = attempt_id.parse().map_err(|_| InvalidPointer)?;
        if v == VERSION { Ok(Self { attempt_id }) } else { Err(InvalidPointer) }
    }

    pub(crate) fn to_body(self) -> String {
        serde_json::json!({"v": VERSION, "attempt_id": self.attempt_id.to_string()}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_as_it_was_written() {
        let pointer = Pointer { attempt_id: AttemptId::from_bytes([7; 16]) };
        assert_eq!(pointer.to_body(), r#"{"attempt_id":"07070707070707070707070707070707","v":1}"#);
        assert_eq!(Pointer::parse(&pointer.to_body()), Ok(pointer));
    }

    #[test]
    fn fields_of_another_version_are_ignored() {
        let body = r#"{"v":1,"attempt_id":"07070707070707070707070707070707","check":"SM1","more":{"n":1}}"#;
        assert_eq!(Pointer::parse(body), Ok(Pointer { attempt_id: AttemptId::from_bytes([7; 16]) }));
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
