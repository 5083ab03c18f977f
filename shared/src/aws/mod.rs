//! How a function speaks to AWS: the start with its connections, the HTTP client under the SDK, and the adapters of
//! services that several functions use.

use std::error::Error;

use aws_smithy_types::error::metadata::ProvideErrorMetadata;
pub use aws_types::SdkConfig;

pub use self::error::AwsError;

#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod error;
pub mod http;
#[cfg(feature = "kms")]
pub mod kms;
pub mod partition;
mod roots;
#[cfg(feature = "secrets")]
pub mod secrets;
mod start;

pub use self::start::{Start, config};

/// What an AWS client's error says: the service's code and message, or what kept the call from
/// being answered.
///
/// For logs, in place of the SDK's `DisplayErrorContext`, which prints the response with its body:
/// a secret, a plaintext or an item.
#[must_use]
pub fn describe(error: &(impl Error + ProvideErrorMetadata)) -> String {
    if let Some(code) = error.code() {
        return format!("{code}: {}", error.message().unwrap_or("no message"));
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
