//! What the rules decide, remembered: many states ask the same of them.

use std::{cell::RefCell, collections::HashMap, hash::Hash};

/// Answers by what was asked.
#[derive(Debug)]
pub struct Memo<Asked, Answer>(RefCell<HashMap<Asked, Answer>>);

impl<Asked: Eq + Hash, Answer: Clone> Memo<Asked, Answer> {
    /// The answer, found by asking the rules the first time. It must follow from what was asked alone.
    pub fn get(&self, asked: Asked, ask: impl FnOnce(&Asked) -> Answer) -> Answer {
        if let Some(known) = self.0.borrow().get(&asked) {
            return known.clone();
        }
        let answer = ask(&asked);
        self.0.borrow_mut().insert(asked, answer.clone());
        answer
    }
}

impl<Asked, Answer> Default for Memo<Asked, Answer> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}
