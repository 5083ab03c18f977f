//! A model of the protocol, from the callback to the announcement, that is checked in every order
//! of events and faults up to a bound. It speaks to nobody and knows no clock.
//!
//! What may be written and what an answer means is not modelled but the functions' own: the writes
//! of [`shared::attempt::ledger`], made in memory, and [`token_exchanger::course::Course`]. Modelled are the
//! steps between them, in [`exchanger`] and [`notifier`], which name the code that they mirror, and
//! the world around, in [`protocol`]:
//!
//! - **SQS** delivers in any order, twice at a time, again after it was deleted, and again when an
//!   invocation was killed. A dead letter can be redriven at any later time.
//! - **The exchanger** runs twice at a time. It is killed, or runs out of time, between any two
//!   steps. A write is made, refused, or made with its answer lost; then the SDK may ask again.
//! - **Salesforce** trades a code once. It is down, refuses for good, blames the settings, or its
//!   answer is lost, with the code used or not.
//! - **The stream** brings each outcome in order, at least once. **The notifier** is killed between
//!   the message and its mark; WhatsApp refuses, or takes a message and is not heard.
//! - **Time** is what is asked about it: has a lease run out (never under a holder that is running:
//!   it is longer than a function may run), and are 14 minutes over? The pauses of the schedule are
//!   such that a message that was held back, or comes after its tries, finds the lease ended. And an
//!   exchanger's first write follows its receive at once; what comes before it is a matter of order.
//! - **The person** reloads the callback, approves again with another code, or denies.
//! - **An operator** redrives a dead letter once, at any time.
//!
//! Two tries and three receives after them stand for eight and three. Left out are other attempts
//! (they share but the token table, whose newest tokens stay), messages that cannot be read, the
//! account's name, messages that WhatsApp cannot deliver, and how often the bot is told.
//!
//! An attempt remembers its last code alone. So after two approvals it is not promised that a code
//! is not sent again once the other has had its outcome, nor that its reason is the exact one.

pub mod exchanger;
pub mod notifier;
pub mod properties;
pub mod protocol;
pub mod rules;
pub mod table;
