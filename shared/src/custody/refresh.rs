//! One refresh of one row: claimed, asked for, stored; or released, or the end of the connection.
//!
//! What it must never do: present a refresh token that may be used up without asking Salesforce whether it is alive, since that
//! revokes the whole grant; and lose a token that has been rotated for this one.

mod look;

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use self::look::Look;
use super::{
    Custody, EndedConnection, LiveToken, Trouble,
    holder::left,
    seal::SealingKey,
    tables::Written,
    upkeep::{Revoke, Upkeep},
};
use crate::{
    LoginUrl, Timestamp, WaId,
    attempt::{EndReason, attr},
    aws::secrets::Secrets,
    conditional_write::{Attributes, text},
    connection::{self, Claim, LEASE, NewestTokens, Obstacle, Origin},
    logging::chain,
    metrics::Metric,
    pauses::Pauses,
    salesforce::{self, Introspection, RefreshClass, RefreshError, RefreshToken, Refreshed, Salesforce, TokenKind},
};

/// What a request leaves of the lease and of the invocation, for storing its answer.
const STORE_RESERVE: Duration = Duration::from_secs(5);
/// With less time than this a refresh token is not sent.
const MIN_REQUEST: Duration = Duration::from_secs(2);
/// How often one invocation asks where Salesforce is unavailable.
const REQUESTS: u32 = 3;
/// Salesforce may still be processing a request whose answer was lost.
const AFTER_AMBIGUOUS: Duration = Duration::from_secs(1);
pub(super) const INTROSPECTION: Duration = Duration::from_secs(5);
/// For the end of an opaque access token, which is an extra.
const EXPIRY: Duration = Duration::from_secs(2);
/// When a dead refresh token is looked at again by the upkeep queue, which then goes on until its successor can come no more: the longest
/// that SQS delays a message.
const LOOK_AGAIN: Duration = Duration::from_mins(15);

/// The result of one refresh.
pub(super) enum Refreshing {
    Refreshed(LiveToken),
    Ended(EndedConnection),
    /// The row is another than the one that was read.
    Changed,
    Held {
        until: Timestamp,
    },
    Failed(Trouble),
}

/// A refresh under its lease.
struct Work<'a> {
    custody: &'a Custody,
    wa_id: &'a WaId,
    row: &'a Attributes,
    claim: Claim,
    hosts: Vec<String>,
    salesforce: Salesforce,
    /// The end of the lease, and of the invocation.
    until: Instant,
    /// Whether the refresh token is known to be unused.
    is_unused: bool,
    /// Whether no holder before this one has used it.
    has_no_successor: bool,
}

/// Opened for one refresh, before the token is presented: after the answer nothing outside is needed to seal it.
struct Inputs {
    token: RefreshToken,
    key: SealingKey,
    secrets: std::sync::Arc<Secrets>,
}

impl Custody {
    /// Refreshes the tokens of a row, as it was read.
    pub(super) async fn refresh(&self, wa_id: &WaId, row: &Attributes, deadline: Instant) -> Refreshing {
        let mut holder = [0; 16];
        if let Err(error) = (self.random)(&mut holder) {
            return Refreshing::Failed(error.into());
        }
        let holder = format!("{:032x}", u128::from_be_bytes(holder));
        let claim = match connection::claim(row, holder, (self.clock)()) {
            Ok(claim) => claim,
            Err(Obstacle::NoRefreshToken) => return self.without_refresh_token(wa_id, row, deadline).await,
            Err(Obstacle::Held { until }) => return Refreshing::Held { until },
        };
        // The lease begins before its answer comes.
        let until = deadline.min(Instant::now() + LEASE);
        let (hosts, salesforce) = (self.hosts(row), self.salesforce());
        // Beside the claim and what is opened with its keys.
        if let Some(host) = hosts.first() {
            salesforce.open_ahead(host);
        }
        let result = match self.take(wa_id, &claim, deadline).await {
            Ok(true) => {
                let is_unused = !claim.maybe_used;
                let has_no_successor = is_unused;
                let mut work =
                    Work { custody: self, wa_id, row, claim, hosts, salesforce, until, is_unused, has_no_successor };
                work.run(deadline).await
            }
            Ok(false) => return Refreshing::Changed,
            Err(trouble) => Refreshing::Failed(trouble),
        };
        self.report(&result);
        result
    }

    /// Claims the row. A claim whose answer was lost is known by the row.
    async fn take(&self, wa_id: &WaId, claim: &Claim, deadline: Instant) -> Result<bool, Trouble> {
        if left(deadline) < MIN_REQUEST + STORE_RESERVE {
            return Err(Trouble::OutOfTime);
        }
        match self.tables.write(wa_id, &claim.take((self.clock)())).await {
            Ok(Written::Done) => Ok(true),
            Ok(Written::Refused(row)) => Ok(claim.holds(&row)),
            Err(error) => {
                let row = self.row(wa_id).await?;
                if claim.may_be_taken(&row) { Err(error.into()) } else { Ok(claim.holds(&row)) }
            }
        }
    }

    pub(super) fn report(&self, result: &Refreshing) {
        let (label, trouble) = match result {
            Refreshing::Refreshed(_) => ("refreshed", None),
            Refreshing::Ended(_) => ("ended", None),
            Refreshing::Changed | Refreshing::Held { .. } => ("superseded", None),
            Refreshing::Failed(trouble) => (trouble.label(), Some(trouble)),
        };
        if let Some(trouble) = trouble {
            warn!(result = label, error = chain(trouble), "connection not refreshed");
        } else {
            info!(result = label, "refresh finished");
        }
        self.config.meter.count((self.clock)(), Metric::Refreshes, &[("Result", label)]);
    }
}

impl Work<'_> {
    async fn run(&mut self, deadline: Instant) -> Refreshing {
        let asked = match timeout_at(self.until, self.ask()).await {
            Ok(asked) => asked,
            Err(_) => Err(Stop::Trouble(Trouble::OutOfTime)),
        };
        match asked {
            Ok((answer, inputs)) => self.store(answer, inputs, deadline).await,
            Err(Stop::Over(reason)) => self.end(reason).await,
            Err(Stop::Lost { is_dead }) => self.lost(is_dead).await,
            Err(Stop::Changed) => Refreshing::Changed,
            Err(Stop::Trouble(trouble)) => {
                self.give_back(&trouble).await;
                Refreshing::Failed(trouble)
            }
        }
    }

    /// Asks Salesforce for new tokens, as often as that is safe and there is time.
    async fn ask(&mut self) -> Result<(Refreshed, Inputs), Stop> {
        let mut inputs = self.prepare().await?;
        if !self.is_unused {
            self.prove_unused(&inputs).await?;
        }
        let mut pauses = Pauses::until(self.until - STORE_RESERVE - MIN_REQUEST);
        let (mut requests, mut refetched, mut was_ambiguous) = (0, false, false);
        loop {
            // As long as the lease allows: who does not wait for an answer may lose a rotated token with it.
            let time = left(self.until).saturating_sub(STORE_RESERVE);
            if time < MIN_REQUEST {
                return Err(Trouble::OutOfTime.into());
            }
            let host = self.hosts.first().ok_or(Trouble::NoHost)?;
            let credentials = self.custody.config.credentials(&inputs.secrets).map_err(Trouble::from)?;
            // From here on, an invocation that is killed leaves a token that may be used.
            self.is_unused = false;
            requests += 1;
            let error = match self.salesforce.refresh(host, &inputs.token, credentials, time).await {
                Ok(answer) => return Ok((answer, inputs)),
                Err(error) => error,
            };
            match self.class_of(&error, &inputs) {
                RefreshClass::Ended(reason) => return Err(self.dead(reason)),
                // The earlier request may still be processed: who comes next looks at the token first.
                RefreshClass::Transient { .. } | RefreshClass::Operator | RefreshClass::Ambiguous if was_ambiguous => {
                    return Err(error.into());
                }
                RefreshClass::Transient { retry_after } => {
                    self.is_unused = self.has_no_successor;
                    if requests >= REQUESTS || !pauses.next(retry_after).await {
                        return Err(error.into());
                    }
                }
                RefreshClass::Ambiguous => {
                    was_ambiguous = true;
                    sleep(AFTER_AMBIGUOUS).await;
                    match self.look(&inputs).await? {
                        Look::Alive => {}
                        // Its successor went with the answer.
                        Look::Dead => return Err(self.dead(EndReason::Expired)),
                        // It may be used: presented once more it would revoke the grant.
                        Look::Unknown => return Err(Stop::Lost { is_dead: false }),
                    }
                }
                RefreshClass::Doubtful => {
                    let look = self.look(&inputs).await?;
                    // What Salesforce refuses without saying why is over at the latest when nobody could use it any more.
                    let is_idle = look == Look::Unknown && connection::is_past_idle_limit(self.row, self.now());
                    if look == Look::Dead || is_idle {
                        return Err(self.dead(EndReason::Expired));
                    }
                    self.is_unused = !was_ambiguous && (look == Look::Alive || self.has_no_successor);
                    return Err(error.into());
                }
                RefreshClass::Operator => {
                    self.is_unused = self.has_no_successor;
                    if refetched {
                        return Err(self.refused(error, &inputs).await?);
                    }
                    refetched = true;
                    let newer = self.custody.secrets.newer_than(&inputs.secrets, self.now()).await;
                    inputs.secrets = newer.map_err(Trouble::from)?;
                }
            }
        }
    }

    async fn prepare(&self) -> Result<Inputs, Stop> {
        let Self { custody, wa_id, claim, .. } = self;
        let (token, key, secrets) =
            tokio::join!(custody.open_token(&claim.used, wa_id), custody.sealing_key(), custody.secrets());
        Ok(Inputs { token: token?, key: key?, secrets: secrets? })
    }

    /// A holder before this one may have used the token: a dead one is not presented.
    async fn prove_unused(&mut self, inputs: &Inputs) -> Result<(), Stop> {
        let write = match self.look(inputs).await? {
            Look::Alive => {
                (self.is_unused, self.has_no_successor) = (true, true);
                self.claim.found_alive()
            }
            Look::Dead => return Err(self.dead(EndReason::Expired)),
            // It was known once: the access token that proved it has ended since.
            Look::Unknown if self.claim.is_dead => return Err(self.dead(EndReason::Expired)),
            Look::Unknown if self.is_of_another_app(inputs) => return Err(Trouble::OtherApp(None).into()),
            // It is presented when no successor can come any more that this would revoke.
            Look::Unknown if !self.claim.is_lost_for_good(self.now()) => return Err(Stop::Lost { is_dead: false }),
            Look::Unknown => Some(self.claim.wait_again(self.now())),
        };
        let Some(write) = write else { return Ok(()) };
        match self.custody.tables.write(self.wa_id, &write).await {
            Ok(Written::Done) => Ok(()),
            Ok(Written::Refused(_)) => Err(Stop::Changed),
            Err(error) => Err(error.into()),
        }
    }

    /// What a refusal means. To another app than its own, Salesforce refuses a token in the words that it has for a dead one; what
    /// it says of the person or the org is true whoever asks.
    fn class_of(&self, error: &RefreshError, inputs: &Inputs) -> RefreshClass {
        match error.class() {
            RefreshClass::Ended(EndReason::Expired | EndReason::AppBlocked) | RefreshClass::Doubtful
                if self.is_of_another_app(inputs) =>
            {
                RefreshClass::Operator
            }
            class => class,
        }
    }

    /// Whether the tokens are of another app than the one whose credentials are in use, and may be alive there.
    fn is_of_another_app(&self, inputs: &Inputs) -> bool {
        let credentials = self.custody.config.credentials(&inputs.secrets);
        credentials.is_ok_and(|app| connection::is_of_another_app(self.row, app.client_id))
            && !connection::is_past_idle_limit(self.row, self.now())
    }

    /// What a refusal of the newest credentials means. Where the row does not know them, an app that sees its access token is its
    /// own, whose consumer key has changed: its word about the refresh token is true.
    async fn refused(&self, error: RefreshError, inputs: &Inputs) -> Result<Stop, Stop> {
        if !self.is_of_another_app(inputs) {
            return Ok(error.into());
        }
        Ok(match self.look(inputs).await? {
            Look::Dead => self.dead(EndReason::Expired),
            Look::Alive | Look::Unknown => Trouble::OtherApp(Some(error)).into(),
        })
    }

    /// What a dead refresh token means: the end, unless a holder before this one has used it, whose successor may still come.
    fn dead(&self, reason: EndReason) -> Stop {
        let is_over = self.has_no_successor || self.claim.is_lost_for_good(self.now());
        if is_over { Stop::Over(reason) } else { Stop::Lost { is_dead: true } }
    }

    /// Stores what Salesforce gave, and hands it out.
    async fn store(&self, answer: Refreshed, inputs: Inputs, deadline: Instant) -> Refreshing {
        let tokens = match self.newest(&answer, &inputs) {
            Ok(tokens) => tokens,
            Err(trouble) => {
                self.revoke_strange(&answer, &inputs.key).await;
                self.give_back(&trouble).await;
                return Refreshing::Failed(trouble);
            }
        };
        let is_stored =
            self.custody.store_or_queue(self.wa_id, &tokens, &inputs.key, self.hosts.clone(), deadline).await;
        if !is_stored {
            return Refreshing::Changed;
        }
        let mut token = LiveToken::refreshed(&tokens, self.row);
        if token.expires_at.is_none() {
            let until = deadline.min(Instant::now() + EXPIRY);
            token.expires_at = timeout_at(until, self.expiry(&tokens, &answer, &inputs)).await.ok().flatten();
        }
        Refreshing::Refreshed(token)
    }

    /// Has a refresh token revoked that came with another account's tokens: nobody is to have it, and it lives until then.
    async fn revoke_strange(&self, answer: &Refreshed, key: &SealingKey) {
        let Some(token) = &answer.refresh_token else { return };
        match self.custody.seal(key, self.wa_id, token.secret()) {
            Ok(token) => {
                let (wa_id, hosts) = (self.wa_id.clone(), self.hosts.clone());
                self.custody.revoke_soon(Revoke { wa_id, token, hosts, origin: None }).await;
            }
            Err(error) => self.custody.note_unrevoked(&error),
        }
    }

    /// The end of an opaque access token, which Salesforce is asked for once.
    async fn expiry(&self, tokens: &NewestTokens, answer: &Refreshed, inputs: &Inputs) -> Option<Timestamp> {
        let host = self.hosts.first()?;
        let credentials = self.custody.config.credentials(&inputs.secrets).ok()?;
        let token = (TokenKind::Access, answer.access_token.secret());
        let asked = self.salesforce.introspect(host, token, credentials, EXPIRY).await.ok()?;
        let Introspection::Active { expires_at } = asked else { return None };
        let at = LiveToken::believed_end(expires_at, self.now())?;
        let _ = self.custody.tables.write(self.wa_id, &tokens.expire(at)).await;
        Some(at)
    }

    /// What is stored of an answer. Its sender is proven by TLS; the account must be the row's.
    fn newest(&self, answer: &Refreshed, inputs: &Inputs) -> Result<NewestTokens, Trouble> {
        let is_own = answer.account.as_ref().is_none_or(|(org, user)| {
            let is = |name, id: &str| text(self.row, name).is_none_or(|own| !salesforce::are_other_records(own, id));
            is(attr::ORG_ID, org) && is(connection::USER_ID, user)
        });
        if !is_own {
            return Err(Trouble::OtherAccount);
        }
        if !answer.is_proven {
            warn!(next = "store", "refreshed tokens are not signed with the client secret in use");
        }
        let near = text(self.row, attr::LOGIN_URL).and_then(|url| url.parse::<LoginUrl>().ok());
        let near = near.as_ref().unwrap_or(self.custody.config.login_urls.default_url());
        let (now, token) = (self.now(), answer.refresh_token.as_ref());
        let sealed = token.map(|token| self.custody.seal(&inputs.key, self.wa_id, token.secret())).transpose()?;
        let app = self.custody.config.credentials(&inputs.secrets)?;
        Ok(NewestTokens {
            used: self.claim.used.clone(),
            replaces: text(self.row, connection::ACCESS_TOKEN).map(Into::into),
            access_token: answer.access_token.secret().into(),
            refresh_token: sealed.map(connection::RefreshTokenText::Sealed),
            origin: Origin::of(self.row),
            instance_url: answer.instance_url.as_deref().and_then(|url| salesforce::instance_origin(url, near)),
            issued_at: answer.issued_at.unwrap_or(now),
            scope: answer.scope.clone(),
            refreshed_at: now,
            expires_at: LiveToken::believed_end(answer.access_token.expires_at(), now),
            app_hash: Some(connection::app_hash(app.client_id)),
        })
    }

    /// Salesforce has ended the connection, unless the row is another by now. Where that cannot be written the lease is left to
    /// stand: whoever comes next asks about the token before presenting it.
    async fn end(&self, reason: EndReason) -> Refreshing {
        match self.custody.row(self.wa_id).await {
            Ok(row) if self.claim.holds(&row) => self.custody.end(self.wa_id, row, reason).await,
            Ok(_) => Refreshing::Changed,
            Err(error) => Refreshing::Failed(error.into()),
        }
    }

    /// The refresh token is dead, and its successor may come from the queue: it is looked at again when it would have come.
    async fn lost(&self, is_dead: bool) -> Refreshing {
        let refresh = Upkeep::Refresh { wa_id: self.wa_id.clone() };
        if self.claim.lost_at.is_none()
            && let Err(error) = self.custody.queue(&refresh, LOOK_AGAIN).await
        {
            // The next call, or the sweep, finds the mark.
            warn!(error = chain(&error), "refresh not queued");
        }
        let write = self.claim.lost(is_dead, Trouble::Lost.retry_after(), self.now());
        match self.custody.tables.write(self.wa_id, &write).await {
            Ok(Written::Done) => Refreshing::Failed(Trouble::Lost),
            Ok(Written::Refused(_)) => Refreshing::Changed,
            Err(error) => Refreshing::Failed(error.into()),
        }
    }

    /// Ends the lease, as far as is known of the token. Callers share what has gone wrong: none of them asks again at once.
    async fn give_back(&self, trouble: &Trouble) {
        if let (true, Some(host)) = (trouble.is_silence(), self.hosts.first()) {
            self.custody.silences.note(host);
        }
        let (pause, now) = (trouble.retry_after(), self.now());
        let write = if self.is_unused { self.claim.release(pause, now) } else { self.claim.leave(pause, now) };
        if let Err(error) = self.custody.tables.write(self.wa_id, &write).await {
            warn!(error = chain(&error), "lease not released: the row is free when it ends");
        }
    }

    fn now(&self) -> Timestamp {
        (self.custody.clock)()
    }
}

/// Why no tokens came.
enum Stop {
    Over(EndReason),
    /// Its successor may come; whether it is known to be dead.
    Lost {
        is_dead: bool,
    },
    /// The row is another than the one that was claimed.
    Changed,
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}
