//! What Salesforce's answers to one code mean for its attempt, try by try.
//!
//! Pure, and shared with the model of the protocol: it neither sends nor waits.

use std::time::Duration;

use shared::{Reason, attempt::ledger::Lease, salesforce::Class};

/// A code that is refused before this age has not expired: Salesforce's codes live for 15 minutes.
pub const YOUNG: Duration = Duration::from_mins(10);

/// The tries of one invocation with one code.
#[derive(Debug)]
pub struct Course<'a> {
    lease: &'a Lease,
    /// How old the code is.
    age: Duration,
    /// Whether the code may be used up, as known before it was last sent.
    maybe_redeemed: bool,
    lost: bool,
    refetched: bool,
    /// Why a young code is refused.
    while_young: Reason,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// No further try: the attempt has failed.
    Fail(Reason),
    /// Another try after a pause.
    Retry {
        /// The shortest pause, where Salesforce asked for one.
        retry_after: Option<Duration>,
    },
    /// Another try at once, with credentials that are fetched again: they may have been rotated.
    Refetch,
    /// No further try in this invocation: the message goes back to the queue.
    Return,
}

impl<'a> Course<'a> {
    /// Begins under this lease, which says whether an earlier answer was lost.
    #[must_use]
    pub fn new(lease: &'a Lease) -> Self {
        Self {
            lease,
            age: Duration::MAX,
            maybe_redeemed: lease.maybe_redeemed.get(),
            lost: false,
            refetched: false,
            while_young: Reason::WrongLoginHost,
        }
    }

    /// The same with a code of this age.
    #[must_use]
    pub fn of_age(self, age: Duration) -> Self {
        Self { age, ..self }
    }

    /// The same where, with `true`, no other login host is allowed that the code could be of.
    #[must_use]
    pub fn at_only_host(self, is_only_host: bool) -> Self {
        let while_young = if is_only_host { Reason::Unknown } else { Reason::WrongLoginHost };
        Self { while_young, ..self }
    }

    /// Why an attempt fails whose code the login host refuses.
    fn refused(&self) -> Reason {
        match self.expired() {
            Reason::CodeExpired if self.age < YOUNG => self.while_young,
            reason => reason,
        }
    }

    /// Why an attempt fails whose code Salesforce does not know, or no longer knows.
    #[must_use]
    pub fn expired(&self) -> Reason {
        if self.maybe_redeemed || self.lease.doubted.get() { Reason::Unknown } else { Reason::CodeExpired }
    }

    /// Records that the code is about to be sent. Until the answer arrives the lease says that the code may
    /// be used up, so that an interruption, even a kill, leaves the truth behind.
    pub fn send(&self) {
        self.lease.maybe_redeemed.set(true);
        self.lease.sent.set(true);
    }

    /// Why an attempt fails whose code expires before Salesforce wants to be asked again.
    #[must_use]
    pub fn outlasted(&self) -> Reason {
        if self.maybe_redeemed { Reason::Unknown } else { Reason::SalesforceUnavailable }
    }

    /// Takes an answer that a gateway may have put in place of the tokens, whatever its status, before [`Self::answered`].
    pub fn doubt(&self) {
        self.lease.doubted.set(true);
    }

    /// Takes an answer without tokens, and says what comes next.
    pub fn answered(&mut self, class: Class) -> Step {
        let (expired, refused) = (self.expired(), self.refused());
        self.maybe_redeemed |= class == Class::Ambiguous;
        self.lease.maybe_redeemed.set(self.maybe_redeemed);
        match class {
            Class::Final(Reason::CodeExpired) => Step::Fail(expired),
            Class::Final(Reason::WrongLoginHost) => Step::Fail(refused),
            Class::Final(reason) => Step::Fail(reason),
            Class::Transient { retry_after } => Step::Retry { retry_after },
            Class::Ambiguous if !std::mem::replace(&mut self.lost, true) => Step::Retry { retry_after: None },
            Class::Operator if !std::mem::replace(&mut self.refetched, true) => Step::Refetch,
            Class::Ambiguous | Class::Operator => Step::Return,
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::{
        AttemptId,
        attempt::ledger::{Attempt, Delivery, DeliveryId},
        conditional_write::Attributes,
    };

    use super::*;

    fn lease() -> Lease {
        let (wa_id, login_url) =
            ("whatsapp:+15551234567".parse().unwrap(), "https://login.salesforce.com".parse().unwrap());
        let attempt = Attempt {
            id: AttemptId::from_bytes([7; 16]),
            link_id: None,
            reference: None,
            language: None,
            is_plain: false,
            wa_id: &wa_id,
            login_url: &login_url,
            code_sha256: Some("a".to_owned()),
            received_at: shared::Timestamp::from_millis(0),
            delivery: Delivery { id: DeliveryId::from_bytes([1; 16]), receives: 1, max_tries: 8 },
        };
        attempt.lease(&Attributes::new())
    }

    /// What becomes of a code of this age that the login host refuses, after these answers.
    fn refused(age: Duration, before: &[Class]) -> Step {
        let lease = lease();
        let mut course = Course::new(&lease).of_age(age);
        for class in before {
            course.send();
            course.answered(*class);
        }
        course.send();
        course.answered(Class::Final(Reason::WrongLoginHost))
    }

    #[test]
    fn a_young_code_that_is_refused_was_issued_by_another_host() {
        let second = Duration::from_secs(1);
        assert_eq!(refused(2 * second, &[]), Step::Fail(Reason::WrongLoginHost));
        assert_eq!(refused(Duration::from_mins(9), &[]), Step::Fail(Reason::WrongLoginHost));
        assert_eq!(refused(YOUNG, &[]), Step::Fail(Reason::CodeExpired));
    }

    #[test]
    fn where_there_is_one_host_a_young_code_is_not_anothers() {
        let lease = lease();
        let mut course = Course::new(&lease).of_age(Duration::ZERO).at_only_host(true);
        course.send();
        assert_eq!(course.answered(Class::Final(Reason::WrongLoginHost)), Step::Fail(Reason::Unknown));
    }

    #[test]
    fn a_young_code_that_may_have_been_redeemed_is_nobodys_mistake() {
        assert_eq!(refused(Duration::ZERO, &[Class::Ambiguous]), Step::Fail(Reason::Unknown));
        let outage = Class::Transient { retry_after: None };
        assert_eq!(refused(Duration::ZERO, &[outage]), Step::Fail(Reason::WrongLoginHost));
    }

    #[test]
    fn a_code_that_is_refused_after_an_answer_of_somebody_in_between_is_nobodys_mistake() {
        for class in [Reason::WrongLoginHost, Reason::CodeExpired].map(Class::Final) {
            let lease = lease();
            let mut course = Course::new(&lease).of_age(Duration::ZERO);
            course.send();
            course.doubt();
            course.answered(Class::Transient { retry_after: None });
            assert_eq!((course.expired(), course.outlasted()), (Reason::Unknown, Reason::SalesforceUnavailable));
            course.send();
            assert_eq!(course.answered(class), Step::Fail(Reason::Unknown));
        }
    }

    #[test]
    fn a_code_of_another_link_is_no_matter_of_hosts() {
        let lease = lease();
        let mut course = Course::new(&lease).of_age(Duration::ZERO);
        course.send();
        assert_eq!(course.answered(Class::Final(Reason::CodeExpired)), Step::Fail(Reason::CodeExpired));
    }
}
