//! Looking at a refresh token without using it (RFC 7662).

use super::{INTROSPECTION, Inputs, Stop, Work};
use crate::{
    conditional_write::{Value, text},
    connection,
    custody::{Trouble, holder::left},
    salesforce::{Introspection, TokenKind},
};

/// What is known of a refresh token that was looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Alive,
    Dead,
    Unknown,
}

impl Work<'_> {
    /// Whether the refresh token is alive.
    ///
    /// An app that may not introspect a token is told that it is inactive (RFC 7662 §2.2). So that is believed only of a
    /// Salesforce that tells this app the truth: it knows the access token of now, or has told when it ends.
    pub(super) async fn look(&self, inputs: &Inputs) -> Result<Look, Stop> {
        match self.introspect((TokenKind::Refresh, inputs.token.secret()), inputs).await? {
            Some(Introspection::Active { .. }) => return Ok(Look::Alive),
            Some(Introspection::Inactive) => {}
            None => return Ok(Look::Unknown),
        }
        let access = text(self.row, connection::ACCESS_TOKEN).unwrap_or_default();
        if self.was_told_the_end_of(access) && !self.is_of_another_app(inputs) {
            return Ok(Look::Dead);
        }
        let access = self.introspect((TokenKind::Access, access), inputs).await?;
        Ok(if matches!(access, Some(Introspection::Active { .. })) { Look::Dead } else { Look::Unknown })
    }

    /// Whether this stack has stored when Salesforce said that the access token ends. A JWT says it by itself, and what stands in a
    /// row that was never refreshed here is a bot's.
    fn was_told_the_end_of(&self, access: &str) -> bool {
        let is_time = |name| self.row.get(name).and_then(Value::as_time).is_some();
        is_time(connection::EXPIRES_AT) && is_time(connection::REFRESHED_AT) && access.split('.').count() != 3
    }

    /// Asks one host after the other about a token, until one knows it. Another than its own may call it inactive: it is so where all
    /// of them say it. `None` where one refuses to say. Who cannot say it now may yet.
    async fn introspect(&self, token: (TokenKind, &str), inputs: &Inputs) -> Result<Option<Introspection>, Stop> {
        let credentials = self.custody.config.credentials(&inputs.secrets).map_err(Trouble::from)?;
        let (mut is_inactive, mut not_now) = (!self.hosts.is_empty(), None);
        for host in &self.hosts {
            let time = left(self.until).min(INTROSPECTION);
            match self.salesforce.introspect(host, token, credentials, time).await {
                Ok(active @ Introspection::Active { .. }) => return Ok(Some(active)),
                Ok(Introspection::Inactive) => {}
                Err(error) => {
                    is_inactive = false;
                    if error.is_silence() {
                        self.custody.silences.note(host);
                    }
                    if error.is_transient() {
                        not_now = Some(error);
                    }
                }
            }
        }
        match not_now {
            Some(error) => Err(Trouble::from(error).into()),
            None => Ok(is_inactive.then_some(Introspection::Inactive)),
        }
    }
}
