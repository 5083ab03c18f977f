//! `wasf connection revoke`, step by step: `end_connection` of its `connection.rs`.

use shared::{
    attempt::EndReason,
    connection::{ConnectionEnd, recorded_end, was_connected},
};

use super::{
    message::chat,
    state::{Item, State, Token, Told},
};

/// A revocation under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revoking {
    /// The row is read next.
    Read,
    /// The tokens of this row are revoked at Salesforce next.
    AtSalesforce(Item),
    /// The row is written next.
    Write(Item),
}

impl Revoking {
    /// Takes the next step. `None` when it was the last.
    #[must_use]
    pub fn step(self, state: &mut State) -> Option<Self> {
        match self {
            Self::Read => Self::read(state),
            Self::AtSalesforce(before) => {
                if let Some(token) = before.token() {
                    state.tokens[usize::from(token)] = Token::Revoked;
                }
                Some(Self::Write(before))
            }
            Self::Write(before) => {
                let (row, at) = (before.attributes(), state.now());
                let reason = EndReason::Revoked;
                let end = ConnectionEnd { wa_id: chat(), row: &row, reason, link_id: None, at };
                if !state.row.write(&end.tombstone()) {
                    return Some(Self::Read);
                }
                state.told = Told::Revoked;
                state.seen.revoked_at = Some(at.millis());
                None
            }
        }
    }

    /// It is killed.
    pub fn kill(&self, state: &mut State) {
        state.seen.revocation_broken |= matches!(self, Self::Write(before) if before.token().is_some());
    }

    fn read(state: &State) -> Option<Self> {
        let attributes = state.row.attributes();
        if !was_connected(&attributes) || recorded_end(&attributes).is_some() {
            return None;
        }
        let row = state.row.clone();
        Some(if row.token().is_some() { Self::AtSalesforce(row) } else { Self::Write(row) })
    }
}
