//! What two or more functions agree on.
//!
//! The pure modules (everything but [`aws`], [`bot`], [`http`], [`logging`], [`metrics`], [`process`], [`salesforce`]
//! and [`tls`]) are functions of their arguments: no AWS, no I/O, no clock, no environment. The adapters stand apart and behind
//! features, so that a function links only what it speaks to.

pub mod attempt;
pub mod binding;
pub mod callback_uri;
pub mod code;
pub mod conditional_write;
pub mod connection;
pub mod exchange;
pub mod link;
pub mod logging;
pub mod login;
pub mod metrics;
pub mod pkce;
pub mod settings;
pub mod state;
pub mod timestamp;
pub mod wa_id;
pub mod whatsapp;

#[cfg(feature = "pages")]
pub mod page;

pub mod process;

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "bot")]
pub mod bot;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "salesforce")]
pub mod salesforce;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "web")]
pub mod web;

pub use attempt::{AttemptId, Next, Reason, Status};
pub use callback_uri::CallbackUri;
pub use code::AuthorizationCode;
pub use login::{LoginUrl, LoginUrls};
pub use settings::{SettingError, Settings};
pub use timestamp::Timestamp;
pub use wa_id::WaId;
