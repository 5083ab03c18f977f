//! What becomes of somebody's connection, drawn from the seed.

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Edge, Fault};
use system::{
    faults::{refusal, server_error, throttled},
    reckoning::{Excuse, Excuses},
};

/// What becomes of somebody's connection.
pub(crate) struct Life {
    /// Their access tokens say by themselves when they end.
    pub(crate) has_jwt: bool,
    /// What fails while it is refreshed, one after another: each in one step or two.
    pub(crate) faults: Vec<Vec<Fault>>,
    /// They consent once more while a refresh is under way.
    pub(crate) is_renewed: bool,
    pub(crate) ending: Option<Ending>,
    /// They consent again after the end.
    pub(crate) returns: bool,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The person does not want it any more.
    Disconnects,
    /// The org's administrator revokes it.
    AdministratorRevokes,
    /// The org's administrator deactivates the user.
    UserIsDeactivated,
}

const REFRESH: Edge = Edge::Party("salesforce.refresh");
const INTROSPECT: Edge = Edge::Party("salesforce.introspect");
const ROW: Edge = Edge::Chat("dynamodb.UpdateItem");
const READ: Edge = Edge::Chat("dynamodb.GetItem");
const END: Edge = Edge::Chat("dynamodb.TransactWriteItems");
/// Of the key that seals refresh tokens.
const OPEN: Edge = Edge::Anybody("kms.Decrypt", "refresh-token");
const SEAL: Edge = Edge::Anybody("kms.GenerateDataKey", "refresh-token");
/// Refreshed tokens, as they stand in a call of SQS.
const QUEUE: Edge = Edge::Anybody("sqs.SendMessage", r#"\"store\":"#);

const KILLED_AT_THE_ROW: &str = "refresh: killed before it writes the row";

impl Life {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let faults = (0..[0, 1, 1, 2, 3][rng.usize(..5)]).map(|_| faults(rng)).collect();
        let ending = match rng.u32(..100) {
            0..12 => Some(Ending::Disconnects),
            12..24 => Some(Ending::AdministratorRevokes),
            24..28 => Some(Ending::UserIsDeactivated),
            _ => None,
        };
        Self { has_jwt: rng.u32(..4) == 0, faults, is_renewed: rng.u32(..100) < 15, ending, returns: rng.bool() }
    }

    /// The lines of the report that it counts for.
    pub(super) fn labels(&self) -> impl Iterator<Item = &'static str> {
        let faults = self.faults.iter().flatten().map(|fault| fault.name);
        let ending = self.ending.map(|ending| match (ending, self.returns) {
            (Ending::Disconnects, false) => "= disconnects",
            (Ending::Disconnects, true) => "= disconnects, and connects again",
            (Ending::AdministratorRevokes, false) => "= revoked by an administrator",
            (Ending::AdministratorRevokes, true) => "= revoked by an administrator, and connects again",
            (Ending::UserIsDeactivated, false) => "= deactivated",
            (Ending::UserIsDeactivated, true) => "= deactivated, and connects again",
        });
        faults.chain(self.is_renewed.then_some("= consents during a refresh")).chain(ending)
    }

    /// What cannot be avoided with it.
    pub(super) fn excuse(&self, excuses: &mut Excuses) {
        for fault in self.faults.iter().flatten() {
            // The mark that the person or the bot was told is an update too.
            excuses.repeats += if matches!(fault.edge, Edge::Chat("dynamodb.UpdateItem")) { 2 } else { 0 };
            excuses.may.extend((fault.name == KILLED_AT_THE_ROW).then_some(Excuse::RefreshLost));
        }
        if self.ending == Some(Ending::UserIsDeactivated) {
            excuses.reasons.insert("user_inactive");
        }
    }
}

/// Something that fails in a refresh.
fn faults(rng: &mut Rng) -> Vec<Fault> {
    let few = rng.u32(1..=3);
    let status = |status: u16| json!({"status": status, "body": ""});
    let drop = |when: &str| json!({"drop": when});
    let kill = |when: &str| json!({"kill": when});
    let busy = json!({"status": 429, "body": "", "headers": {"Retry-After": "1"}});
    let refused = json!({"status": 400, "body": {"__type": "AccessDeniedException"},
        "content_type": "application/x-amz-json-1.1"});
    let processing = refusal("invalid_grant", "token request is already being processed");
    // The claim is written, and then nothing.
    let claimed = || ("refresh: row throttled once it is claimed", ROW, 1, json!({"delay_ms": 0}));
    let claimed_then =
        |times: u32| vec![claimed(), ("refresh: row throttled once it is claimed", ROW, times, throttled())];
    let kinds: [Vec<(&'static str, Edge, u32, Value)>; 27] = [
        vec![("refresh: Salesforce 503", REFRESH, rng.u32(1..=9), status(503))],
        vec![("refresh: Salesforce 500", REFRESH, few, status(500))],
        vec![("refresh: Salesforce 429", REFRESH, few, busy)],
        vec![("refresh: Salesforce slow", REFRESH, few, json!({"delay_ms": rng.u32(300..1_800)}))],
        vec![("refresh: Salesforce slower than we wait", REFRESH, 1, json!({"delay_ms": 16_000}))],
        vec![("refresh: request dropped", REFRESH, few, drop("before"))],
        vec![("refresh: answer lost", REFRESH, 1, drop("after"))],
        vec![("refresh: already being processed", REFRESH, few, processing)],
        vec![("refresh: login rate", REFRESH, 1, refusal("invalid_grant", "login rate exceeded"))],
        vec![(
            "refresh: invalid_client",
            REFRESH,
            rng.u32(1..=4),
            refusal("invalid_client", "invalid client credentials"),
        )],
        vec![("refresh: unclear refusal", REFRESH, few, refusal("invalid_grant", "authentication failure"))],
        vec![("refresh: killed before the request", REFRESH, 1, kill("before"))],
        vec![("refresh: killed after the request", REFRESH, 1, kill("after"))],
        vec![("introspection 503", INTROSPECT, few, status(503))],
        vec![("introspection refused", INTROSPECT, few, status(403))],
        vec![("refresh: row throttled", ROW, rng.u32(1..=12), throttled())],
        vec![("refresh: row 500", ROW, few, server_error())],
        vec![("refresh: row's answer lost", ROW, few, drop("after"))],
        vec![("refresh: row not reached", ROW, few, drop("before"))],
        vec![(KILLED_AT_THE_ROW, ROW, 1, kill("before"))],
        vec![("refresh: killed after it has written the row", ROW, 1, kill("after"))],
        claimed_then(rng.u32(6..=40)),
        [claimed_then(rng.u32(6..=40)), vec![("refresh: tokens not queued", QUEUE, few, server_error())]].concat(),
        vec![("refresh: row not read", READ, few, server_error())],
        vec![("refresh: key refused", OPEN, few, refused)],
        vec![("refresh: key not made", SEAL, few, server_error())],
        vec![("end throttled", END, rng.u32(1..=6), throttled())],
    ];
    let steps = kinds[rng.usize(..kinds.len())].iter().cloned();
    steps.map(|(name, edge, times, action)| Fault { name, edge, times, action, login: 0 }).collect()
}
