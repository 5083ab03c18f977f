//! What two or more crates of the WhatsApp → Salesforce connect pipeline agree on: the types that their messages, tables
//! and events are made of, the rules of writing a table, and the adapters of the outside parties.
//!
//! A login passes through these types. `connect-link` encrypts a [`link::Link`] for a [`WaId`]. Its button starts an
//! attempt, named by an [`AttemptId`], with a signed [`state`], a [`binding`] to the browser and a [`pkce`] challenge, at
//! one of the [`LoginUrls`]. `callback-receiver` verifies the state and queues an [`exchange::ExchangeMessage`] with the
//! [`AuthorizationCode`]. `token-exchanger` exchanges the code at [`salesforce`] and writes the outcome with the rules of
//! [`attempt::ledger`]. `notifier` sends the person a message and the [`bot`] an [event](bot::event).
//!
//! # Pure modules
//!
//! Functions of their arguments: no AWS, no I/O, no clock, no environment. They need no feature.
//!
//! | module | owns |
//! | --- | --- |
//! | [`attempt`] | an attempt to connect: its id, states and outcome, its row, and the rules of writing the row |
//! | [`binding`] | the cookie that binds a login to a browser |
//! | [`callback_uri`] | the redirect URI, and the URLs of links |
//! | [`code`] | the authorization code |
//! | [`conditional_write`] | a conditional write to a table, as data |
//! | [`connection`] | the row of a connection's tokens |
//! | [`exchange`] | the message on the exchange queue |
//! | [`language`] | the languages that people are spoken to in, and which of them somebody means |
//! | [`limit`] | how often a link may be pressed, and a chat told of failures |
//! | [`link`] | the content of a connect link |
//! | [`login`] | the Salesforce hosts that people log in at |
//! | [`pkce`] | PKCE's verifier and challenge |
//! | [`printable`] | text of other parties, as people may be shown it |
//! | [`proof`] | the code that proves that browser and chat are one person's, and the row of a login that waits for it |
//! | [`mod@reference`] | the bot's own reference of a person, and the row that keeps it for a link |
//! | [`secret_text`] | what the text of a secret means |
//! | [`settings`] | a function's configuration |
//! | [`state`] | the OAuth `state` |
//! | [`texts`] | every text that people read, in each language |
//! | [`timestamp`] | points in time |
//! | [`wa_id`] | a chat's address |
//! | [`whatsapp`] | the credentials and URLs of WhatsApp's providers |
//!
//! # The edge of a process
//!
//! | module | owns |
//! | --- | --- |
//! | [`logging`] | the log's format, and whose events are in it |
//! | [`metrics`] | metrics in CloudWatch's embedded metric format |
//! | [`process`] | the clock, the environment and randomness, for a `main.rs` |
//!
//! # Adapters
//!
//! An adapter speaks to one outside party and turns its errors into ours. It decides on no retries. Each is behind a
//! feature, so that a function links only what it uses.
//!
//! | module | owns | feature |
//! | --- | --- | --- |
//! | [`aws`] | the configuration of AWS clients, and a function's start | `aws` |
//! | [`aws::dynamodb`] | conditional writes on the wire | `dynamodb` |
//! | [`aws::kms`] | signatures, MACs, encrypted links and data keys | `kms` |
//! | [`aws::limits`] | the limit table | `dynamodb` |
//! | [`aws::links`] | new links, and where their pages are | `dynamodb`, `kms`, `secrets` |
//! | [`aws::references`] | keeps the references of links | `dynamodb` |
//! | [`aws::secrets`] | the settings that are secret | `secrets` |
//! | [`aws::service`] | calls of the SDK's operations without its clients | `aws` |
//! | [`bot`] | events for the bot, by webhook and by queue | `bot` |
//! | [`http`] | the HTTP client for parties outside AWS | `http` |
//! | [`custody`] | live tokens: the refresh, and the end of a connection | `custody` |
//! | [`page`] | the HTML pages | `pages` |
//! | [`pauses`] | pauses between tries | `pauses` |
//! | [`salesforce`] | Salesforce's token endpoint, `/userinfo`, introspection and revocation | `salesforce` |
//! | [`tls`] | TLS for all clients | `tls` |
//! | [`web`] | browsers' requests, and the responses to them | `web` |

pub mod attempt;
pub mod binding;
pub mod callback_uri;
pub mod code;
pub mod conditional_write;
pub mod connection;
pub mod custody;
pub mod exchange;
pub mod id;
pub mod language;
pub mod limit;
pub mod link;
pub mod logging;
pub mod login;
pub mod metrics;
pub mod pkce;
pub mod printable;
pub mod proof;
pub mod reference;
pub mod secret_text;
pub mod settings;
pub mod state;
pub mod state_settings;
pub mod texts;
pub mod timestamp;
pub mod wa_id;
pub mod whatsapp;

#[cfg(feature = "pages")]
pub mod page;

pub mod process;

#[cfg(feature = "pauses")]
pub mod pauses;

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "bot")]
pub mod bot;
#[cfg(feature = "http")]
mod gzip;
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
pub use language::Language;
pub use link::LinkId;
pub use login::{LoginUrl, LoginUrls};
pub use reference::Reference;
pub use settings::{SettingError, Settings};
pub use timestamp::Timestamp;
pub use wa_id::WaId;

/// How the functions and tools name themselves to those that they call (RFC 9110 §10.1.5).
#[cfg(any(feature = "aws", feature = "http"))]
const AGENT: &str = concat!("whatsapp-salesforce-connect/", env!("CARGO_PKG_VERSION"));
