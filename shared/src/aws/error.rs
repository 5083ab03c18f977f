//! The error of an AWS operation, reduced to what may be logged.

use std::error::Error;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// An AWS operation failed: `SendMessage failed: AccessDenied`.
///
/// It holds the operation and the service's error code, or what kept the call from being answered, and never the
/// service's message. A message can quote what was sent: a condition that failed comes with its item, a denied action
/// with the names of roles and keys, an invalid parameter with its value. The SDK's own texts
/// (`DisplayErrorContext`, `Debug`) print the whole response. An operator finds the message in CloudTrail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {cause}")]
pub struct AwsError {
    operation: &'static str,
    cause: String,
    is_refusal: bool,
}

impl AwsError {
    /// Makes the error of an operation (as the API calls it: `SendMessage`) from the SDK's, for `map_err`.
    pub fn of<E, R>(operation: &'static str) -> impl Fn(SdkError<E, R>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        move |error| Self {
            operation,
            cause: cause(&error),
            is_refusal: matches!(error, SdkError::ServiceError(_) | SdkError::ConstructionFailure(_)),
        }
    }

    /// The operation was answered, but not with what it promises.
    #[must_use]
    pub fn unexpected(operation: &'static str) -> Self {
        Self { operation, cause: "unexpected response".to_owned(), is_refusal: false }
    }

    /// The operation was answered, and refused a part of what it was asked, with this error code.
    #[must_use]
    pub fn refused(operation: &'static str, code: &str) -> Self {
        Self { operation, cause: code.to_owned(), is_refusal: true }
    }

    /// The operation, as the API calls it.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether the service refused the call or failed at it, or was not asked. Without such an answer it may have been done all
    /// the same.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        self.is_refusal
    }

    /// The service's error code, or what kept the call from being answered.
    #[must_use]
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

fn cause<E, R>(error: &SdkError<E, R>) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    match error {
        SdkError::ServiceError(refusal) => refusal.err().code().unwrap_or("no error code").to_owned(),
        // No answer, so nothing of one can be quoted; the cause of the cause says which name or certificate it was.
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {}", without_request(&cause.to_string()));
                source = cause.source();
            }
            text
        }
        // A request that could not be made, or an answer that could not be parsed: the source may quote it.
        _ => error.to_string(),
    }
}

/// The SDK's error about an endpoint that is no URL quotes the request, with its body.
fn without_request(text: &str) -> &str {
    text.split(" to request `Request {").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::error::{ErrorMetadata, metadata::Builder};

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Refusal(ErrorMetadata);

    impl ProvideErrorMetadata for Refusal {
        fn meta(&self) -> &ErrorMetadata {
            &self.0
        }
    }

    fn text(error: SdkError<Refusal, ()>) -> String {
        AwsError::of("UpdateItem")(error).to_string()
    }

    #[test]
    fn names_the_operation_and_the_code_and_never_the_message() {
        let refused =
            |metadata: Builder| SdkError::service_error(Refusal(metadata.message("the item was s3cret").build()), ());
        assert_eq!(text(refused(ErrorMetadata::builder().code("AccessDenied"))), "UpdateItem failed: AccessDenied");
        assert_eq!(text(refused(ErrorMetadata::builder())), "UpdateItem failed: no error code");
    }

    #[test]
    fn quotes_nothing_of_an_answer_that_cannot_be_parsed() {
        assert_eq!(text(SdkError::response_error("found s3cret", ())), "UpdateItem failed: response error");
    }

    #[test]
    fn says_what_kept_the_call_from_being_answered() {
        let error = SdkError::timeout_error("no answer in 3 s");
        assert_eq!(text(error), "UpdateItem failed: request has timed out: no answer in 3 s");
    }

    #[test]
    fn quotes_nothing_of_a_request_that_could_not_be_sent() {
        let quoting = "failed to apply endpoint `nonsense` to request `Request { body: s3cret }`: no scheme";
        let error = SdkError::timeout_error(quoting);
        let said = "UpdateItem failed: request has timed out: failed to apply endpoint `nonsense`";
        assert_eq!(text(error), said);
    }

    #[test]
    fn only_an_error_of_the_service_says_that_nothing_was_done() {
        let is_refusal = |error: SdkError<Refusal, ()>| AwsError::of("SendMessage")(error).is_refusal();
        assert!(is_refusal(SdkError::service_error(Refusal(ErrorMetadata::builder().build()), ())));
        assert!(!is_refusal(SdkError::timeout_error("no answer in 3 s")));
        assert!(!is_refusal(SdkError::response_error("a page", ())));
    }
}
