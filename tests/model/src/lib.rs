//! A model of the protocol, from the callback to the notification, that is checked in every order of events and faults
//! up to a bound. It does no I/O and reads no clock.
//!
//! What may be written and what a response means is not modelled but the functions' own code: the writes of
//! [`shared::attempt::ledger`], applied in memory, and [`token_exchanger::course::Course`]. Modelled are the steps
//! between them, in [`exchanger`] and [`notifier`], which name the code that they mirror, and the environment, in
//! [`protocol`]:
//!
//! - **SQS** delivers a message in any order, twice concurrently, again after it was deleted, and again when an
//!   invocation was killed. A dead letter can be redriven at any later time.
//! - **The exchanger** has two concurrent invocations. It is killed, or runs out of time, between any two steps. A
//!   write succeeds, is refused, or succeeds with its response lost; then the SDK may retry.
//! - **Salesforce** redeems a code once. It is down, refuses finally, rejects the settings, or its response is lost,
//!   with the code redeemed or not.
//! - **The stream** delivers each outcome in order, at least once. **The notifier** is killed between the message and
//!   its mark; WhatsApp rejects a message, or accepts it and the response is lost.
//! - **Time** has two events: a lease expires (never under a running holder: it is longer than the function's
//!   time-out), and 14 minutes pass. The pauses of the schedule are such that a message that was returned, or is
//!   received after its tries, finds the lease expired. An exchanger's first write follows its receive at once; what
//!   happens before it is a matter of order.
//! - **The person** reloads the callback, approves again with another code, or denies.
//! - **An operator** redrives a dead letter once, at any time.
//!
//! Two tries and three receives after them stand for eight and three. Left out are unreadable messages, the account's
//! name, undeliverable messages, and how often the bot is notified.
//!
//! Other attempts of the chat, the token table and what becomes of tokens that nobody needs are in a model of their own,
//! [`consents`], and how one outcome is told, with the intent before a message, both ways to the bot and the retry queue,
//! is in a third, [`telling`]. A fourth, [`refreshing`], has what becomes of a connection's tokens afterwards: how they are
//! refreshed, rotated, revoked and lost. A fifth, [`proof`], has what becomes of them before, where the chat has to confirm its
//! login. In one, the states would be their product.

pub mod consents;
pub mod entry;
pub mod exchanger;
pub mod faults;
pub mod memo;
pub mod notifier;
pub mod proof;
pub mod properties;
pub mod protocol;
pub mod refreshing;
pub mod rules;
pub mod state;
pub mod table;
pub mod telling;
