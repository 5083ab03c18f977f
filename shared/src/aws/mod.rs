//! How a function speaks to AWS: the start with its connections, the HTTP client under the SDK, and the adapters of
//! services that several functions use.

pub use aws_types::SdkConfig;

#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod error;
pub mod http;
#[cfg(feature = "kms")]
pub mod kms;
#[cfg(feature = "dynamodb")]
pub mod limits;
#[cfg(all(feature = "dynamodb", feature = "kms", feature = "secrets"))]
pub mod links;
pub mod partition;
#[cfg(feature = "dynamodb")]
pub mod pending;
#[cfg(feature = "dynamodb")]
pub mod progress;
#[cfg(feature = "sqs")]
pub mod queue;
#[cfg(feature = "dynamodb")]
pub mod references;
mod roots;
#[cfg(feature = "secrets")]
pub mod secrets;
pub mod service;
mod start;

pub use self::{
    error::AwsError,
    service::Service,
    start::{Later, Start, config, unsupported},
};
