//! Salesforce as an outside party: its token endpoint, `/userinfo`, and what their answers mean.
//!
//! It sends each request once and returns the result. Whether and when to try again is for the
//! caller to decide, and nothing here knows a queue, a table or a Lambda event.

mod body;
mod callback_error;
mod classify;
mod client;
mod grant;
mod hosts;
mod introspect;
mod refresh;
mod retry_after;
mod revoke;
mod token;
mod token_endpoint;
mod userinfo;
#[cfg(test)]
mod wire_tests;
mod words;

pub use self::{
    callback_error::callback_error,
    classify::{Class, RefreshClass, RefreshRefusal, Refusal, UserinfoFailure},
    client::{Salesforce, TIMEOUT},
    grant::{Grant, Refreshed, Untrusted, UntrustedTokens, are_other_records, instance_origin},
    introspect::{IntrospectError, Introspection, TokenKind},
    refresh::{AppCredentials, RefreshError},
    revoke::{Revocation, RevocationAnswers, RevokeError},
    token::{AccessToken, InvalidToken, RefreshToken},
    token_endpoint::{Credentials, ExchangeError, Redemption},
    userinfo::UserinfoError,
};
