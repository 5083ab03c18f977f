//! Refreshes under way: one for each refresh token at a time.

use std::{collections::HashSet, sync::Mutex};

use crate::lock;

/// The refresh tokens whose request is not answered yet.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashSet<String>>);

/// A request's turn, until it is answered.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    token: String,
}

/// Another request with this refresh token is not answered yet.
#[derive(Debug)]
pub(crate) struct Busy;

impl Turns {
    pub(super) fn take(&self, token: &str) -> Result<Turn<'_>, Busy> {
        let is_first = lock(&self.0).insert(token.to_owned());
        if is_first { Ok(Turn { turns: self, token: token.to_owned() }) } else { Err(Busy) }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.turns.0).remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_turn_at_a_time() {
        let turns = Turns::default();
        let turn = turns.take("a").unwrap();
        assert!(turns.take("a").is_err() && turns.take("b").is_ok());
        drop(turn);
        assert!(turns.take("a").is_ok());
    }
}
