//! What becomes of a connection while bots ask for its token: faults at each step of a refresh, a new consent in between, and its
//! end.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Begun, PATIENCE, Walk};
use crate::{
    bots::Bots,
    plan::{Ending, Life},
};
use system::{
    Restriction, now_ms,
    reckoning::{Brought, Planned, Span},
};

/// How many workers ask at once while a fault lasts.
const AT_ONCE: usize = 3;

impl Walk<'_> {
    /// The connection's life, once there is one.
    pub(super) async fn live(&mut self) {
        let life: &Life = &self.person.life;
        let consented = self.logins.iter().flat_map(|login| &login.arrivals).any(|it| it.brought == Brought::Consent);
        if !consented || !self.stands().await {
            return;
        }
        for steps in &life.faults {
            for fault in steps {
                self.inject(fault, "", None).await;
            }
            self.bots.press(&self.person.chat, AT_ONCE).await;
        }
        if life.is_renewed {
            self.is_renewed_meanwhile().await;
        }
        if let Some(ending) = life.ending {
            self.ends(ending).await;
            if life.returns {
                // A link's time is known to the second.
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                let link = self.link().await;
                let login = self.consents(&link).await;
                self.is_connected(&login).await;
                self.bots.press(&self.person.chat, AT_ONCE).await;
            }
        }
    }

    /// Waits for a row with a refresh token, but not for ever; whether there is one.
    async fn stands(&self) -> bool {
        let (began, table) = (Instant::now(), self.cloud.stack("main").output("TokenTableName"));
        while began.elapsed() < PATIENCE {
            let row = self.cloud.item(table, "wa_id", &self.person.chat).await;
            if row.is_some_and(|row| row.get("refresh_token").is_some()) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        false
    }

    /// A new consent comes while Salesforce takes its time over a refresh.
    async fn is_renewed_meanwhile(&mut self) {
        let link = self.link().await;
        let login: Begun<'_> = self.begin(&link).await;
        let callback = self.approve(&login).await;
        self.cloud.fault(&self.person.chat, "salesforce.refresh", 1, json!({"delay_ms": 1_800})).await;
        let bots: &Bots<'_> = self.bots;
        let chat = self.person.chat.clone();
        futures::join!(bots.press(&chat, AT_ONCE), self.come_back(&login, &callback));
        self.is_connected(&login).await;
    }

    async fn ends(&mut self, ending: Ending) {
        let (chat, from) = (self.person.chat.clone(), now_ms());
        let reason = match ending {
            Ending::Disconnects => {
                self.bots.disconnect(&chat).await;
                "disconnected"
            }
            Ending::AdministratorRevokes => {
                self.cloud.revoke_at_salesforce(&chat).await;
                "expired"
            }
            Ending::UserIsDeactivated => {
                self.cloud.restrict(&chat, Restriction::InactiveUser).await;
                "user_inactive"
            }
        };
        self.ends.push(Planned { reason, span: Span { from, to: now_ms() } });
        self.bots.press(&chat, AT_ONCE).await;
        if ending == Ending::UserIsDeactivated && self.person.life.returns {
            self.cloud.lift_restrictions(&chat).await;
        }
    }
}
