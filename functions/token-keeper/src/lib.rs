//! The token keeper: gives the bot live access tokens, says how a chat's connection stands, ends it, and confirms a chat's
//! login.
//!
//! How tokens are refreshed, by one winner and without losing any, is in [`shared::custody`]. A token that is fresh costs one
//! read of its row, and nothing else is asked. No chat, token or body is ever logged.

mod answer;
mod config;
mod confirmations;
#[cfg(test)]
mod contract;
mod refusal;
mod relink;
mod request;
mod status;
mod tables;

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use shared::{
    Language, Timestamp, WaId,
    attempt::{EndReason, Next, attr},
    aws::{SdkConfig, dynamodb, links::Links, references::References},
    conditional_write::Attributes,
    connection::Consent,
    custody::{Custody, EndedConnection, TokenCustody, TokenError, Wish},
    logging::chain,
    metrics::{Measurement, Metric},
    process::Random,
    texts::Text,
    timestamp::{Clock, millis},
    web::{Content, Response},
};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, info, warn};

pub use crate::config::Config;
use crate::{
    confirmations::{ConfirmationRequest, Confirmations, Confirmed, messages},
    refusal::{Refusal, Unavailable},
    relink::Relink,
    request::{Request, Route, TokenRequest},
    status::Standing,
};

/// The AWS services that connections are opened to at the start, as [`shared::aws::Start`] names them. A token that is fresh
/// needs no other. A refresh opens its own: it waits for Salesforce much longer, and few calls need one.
pub const SERVICES: [&str; 1] = ["dynamodb"];

/// For a call's work: a refresh that begins late in it still finds time to store what it brings.
const WORK_TIME: Duration = Duration::from_secs(22);

/// For one request. It is less than the function's time-out, at which API Gateway would answer with an error of its own.
const DEADLINE: Duration = Duration::from_secs(24);

/// For what a call can be answered without.
const EXTRA_TIME: Duration = Duration::from_secs(1);

/// The function, ready for requests.
pub struct TokenKeeper {
    custody: Custody,
    relink: Relink,
    confirmations: Confirmations,
    attempt_table: String,
    default_language: Language,
    clock: Clock,
}

/// A call that is answered.
struct Served {
    status: u16,
    result: &'static str,
    /// `reason` in the log.
    reason: Option<&'static str>,
    content: Content,
}

impl TokenKeeper {
    /// A function that has fetched nothing and opened no connection yet.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Self {
        let Config {
            custody,
            attempt_table,
            link_key_id,
            link_lifetime,
            callback_uri,
            confirmations,
            default_language,
        } = config;
        let login_urls = custody.login_urls.clone();
        let custody = Custody::new(custody, aws, clock, random, callback_uri.source());
        let references = References::new(custody.dynamodb().clone(), attempt_table.clone());
        let links = Links::new(aws, link_key_id, references, random);
        let relink = Relink { links, login_urls, lifetime: link_lifetime, callback_uri };
        let confirmations = Confirmations::new(confirmations, aws, &custody, clock);
        Self { custody, relink, confirmations, attempt_table, default_language, clock }
    }

    /// Prepares a read without sending it: that is all that a call for a fresh token needs.
    pub async fn warm_up(&self) {
        if let Err(error) = dynamodb::dry_run(self.custody.dynamodb(), &self.attempt_table, attr::ATTEMPT_ID).await {
            warn!(%error, "warm-up of the tables failed");
        }
    }

    /// Answers a request, and logs one line about it.
    pub async fn handle(&self, event: &ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let (started, began) = ((self.clock)(), Instant::now());
        let request = Request::read(event);
        let (route, name) = (request.route, request.route.label());
        let served = timeout_at(began + DEADLINE, self.serve(request, began + WORK_TIME))
            .await
            .unwrap_or_else(|_| Err(Unavailable::Deadline.into()));
        let now = (self.clock)();
        let took = now.since(started);
        let duration_ms = millis(took);
        let result = served.as_ref().map_or_else(Refusal::label, |served| served.result);
        self.measure(now, route, result, took);
        if served.as_ref().map_or_else(Refusal::answers_code, |_| route == Route::Confirmations) {
            self.custody.config().meter.count(now, Metric::Confirmations, &[("Result", result)]);
        }
        let response = match served {
            Ok(Served { status, result, reason, content }) => {
                info!(route = name, status, result, reason, duration_ms, "request served");
                Response { status, content, retry_after: None, cookies: Vec::new() }
            }
            Err(refusal) => {
                let (status, reason, fault) = (refusal.status(), refusal.reason(), refusal.fault());
                match fault {
                    None => info!(route = name, status, result, reason, duration_ms, "request refused"),
                    Some(fault) if fault.needs_no_operator() => {
                        warn!(route = name, status, result, duration_ms, error = chain(fault), "request failed");
                    }
                    Some(fault) => {
                        error!(route = name, status, result, duration_ms, error = chain(fault), "request failed");
                    }
                }
                refusal.response(self.default_language)
            }
        };
        response.into_event(false)
    }

    fn measure(&self, now: Timestamp, route: Route, result: &str, took: Duration) {
        let meter = &self.custody.config().meter;
        if route == Route::Token {
            let took = Measurement::duration(Metric::TokenCallDuration, took);
            meter.record(now, &[Measurement::one(Metric::Requests, &[("Result", result)]), took]);
        } else {
            meter.count(now, Metric::Requests, &[("Result", result)]);
        }
    }

    async fn serve(&self, request: Request, deadline: Instant) -> Result<Served, Refusal> {
        let Request { route, authorised, api_id, body } = request;
        match route {
            Route::Unknown => Err(Refusal::UnknownRoute),
            _ if !authorised => Err(Refusal::Unauthorised),
            Route::Token => self.token(TokenRequest::parse(&body)?, &api_id, deadline).await,
            Route::Status => self.status(&request::chat(&body)?).await,
            Route::Disconnect => self.disconnect(&request::chat(&body)?, deadline).await,
            Route::Confirmations => self.confirm(&ConfirmationRequest::parse(&body)?).await,
        }
    }

    async fn token(&self, request: TokenRequest, api_id: &str, deadline: Instant) -> Result<Served, Refusal> {
        if self.custody.config().custody == TokenCustody::Bot {
            return Err(Refusal::BotCustody);
        }
        let TokenRequest { wa_id, rejected, min_validity } = request;
        match self.custody.token(&wa_id, &Wish { rejected, min_validity }, deadline).await {
            Ok(live) => Ok(Served { status: 200, result: "token", reason: None, content: answer::token(&live) }),
            Err(TokenError::NotConnected) => Err(Refusal::NotConnected),
            Err(TokenError::BotCustody) => Err(Refusal::BotCustody),
            Err(TokenError::Ended(ended)) => {
                let relink_url = self.relink_url(&ended, api_id).await?;
                Err(Refusal::NeedsReauthorization { reason: ended.reason, relink_url })
            }
            Err(TokenError::Unavailable(trouble)) => Err(Unavailable::from(trouble).into()),
        }
    }

    /// A new link for the chat, where one helps.
    async fn relink_url(&self, ended: &EndedConnection, api_id: &str) -> Result<Option<String>, Unavailable> {
        if ended.reason.is_some_and(|reason| reason.next() != Next::Relink) {
            return Ok(None);
        }
        let secrets = self.custody.secrets().await?;
        Ok(Some(self.relink.url(ended, &secrets, api_id, (self.clock)()).await?))
    }

    async fn status(&self, wa_id: &WaId) -> Result<Served, Refusal> {
        let row = self.custody.row(wa_id).await.map_err(Unavailable::from)?;
        let (mut standing, mut attempt) = (Standing::of(&row), Attributes::new());
        if standing != Standing::Connected {
            let (dynamodb, table) = (self.custody.dynamodb(), &self.attempt_table);
            let newest = tables::newest(dynamodb, table, wa_id).await.map_err(Unavailable::from)?;
            let under_way = newest.and_then(|newest| Some((newest.id, Standing::under_way(newest.status)?)));
            if let Some((id, of_login)) = under_way {
                standing = of_login;
                attempt = tables::attempt(dynamodb, table, id).await.map_err(Unavailable::from)?;
            }
        }
        let answer = standing.answer(&row, &attempt);
        let reason = answer.reason.map(EndReason::as_str);
        Ok(Served { status: 200, result: "status", reason, content: answer::json(&answer) })
    }

    async fn disconnect(&self, wa_id: &WaId, deadline: Instant) -> Result<Served, Refusal> {
        let ended = self.custody.disconnect(wa_id, deadline).await;
        ended.map_err(Unavailable::from)?;
        Ok(Served { status: 204, result: "disconnected", reason: None, content: Content::Nothing })
    }

    async fn confirm(&self, request: &ConfirmationRequest) -> Result<Served, Refusal> {
        let Confirmed { language, consent } = self.confirmations.confirm(request).await?;
        let text = match consent {
            Some(consent) => self.text_of(&request.wa_id, &consent).await,
            None => messages::CONFIRMED,
        };
        let content = confirmations::confirmed(text, language.unwrap_or(self.default_language));
        Ok(Served { status: 200, result: "confirmed", reason: None, content })
    }

    /// What the chat is told of its confirmed login. To look at the chat's row is an extra, which does not hold up the answer for
    /// long: the login is confirmed, and the exchanger decides what becomes of it.
    async fn text_of(&self, wa_id: &WaId, consent: &Consent) -> &'static Text {
        match timeout(EXTRA_TIME, self.custody.row(wa_id)).await {
            Ok(Ok(row)) => confirmations::text_of(consent, &row, (self.clock)()),
            Ok(Err(error)) => {
                warn!(%error, "not known whether a later login counts");
                messages::CONFIRMED
            }
            Err(_) => {
                warn!("not known in time whether a later login counts");
                messages::CONFIRMED
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_before_the_functions_timeout() {
        assert!(WORK_TIME < DEADLINE && DEADLINE < fakes::template::timeout("TokenKeeperFunction"));
        assert!(confirmations::WAIT < WORK_TIME, "a confirmation waits for its login and still answers");
    }
}
