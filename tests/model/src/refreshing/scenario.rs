//! What happens to the connection, and how many faults beside.

/// What happens from outside, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A bot asks for a token.
    Call,
    /// A bot asks for another than the one in the row, which Salesforce has answered 401 to.
    CallRejecting,
    /// The sweep has found the row, and queued its refresh.
    Refresh,
    /// The sweep has read the row, and seals its refresh token.
    Seal,
    /// The bot ends the connection.
    Disconnect,
    /// The exchanger brings a new consent.
    Consent,
    /// An administrator revokes the grant.
    Revoked,
    /// An administrator freezes the user, and undoes it.
    Frozen,
    /// See [`Self::Frozen`].
    Thawed,
    /// The row's access token ends: what is told of a dead refresh token has no proof until there is a newer one.
    AccessEnds,
    /// The app may ask about tokens from now on.
    Told,
}

impl Event {
    /// Whether somebody is at work on it.
    #[must_use]
    pub const fn is_of_job(self) -> bool {
        !matches!(self, Self::Revoked | Self::Frozen | Self::Thawed | Self::AccessEnds | Self::Told)
    }
}

/// One course of events, in any order.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent conditions")]
pub struct Scenario {
    /// For the report.
    pub name: &'static str,
    /// What happens.
    pub events: &'static [Event],
    /// Whether the access token is so young that only a rejection refreshes it.
    pub is_young: bool,
    /// Whether the refresh token stands in the row in plain.
    pub is_plain: bool,
    /// Whether Salesforce rotates.
    pub rotates: bool,
    /// Whether it tells the app from the beginning whether a token is alive: where it does not, each is inactive.
    pub tells: bool,
    /// Whether one refresh serves all.
    pub is_served_by_one: bool,
    /// How many faults, and how many in a wide check.
    pub faults: [u8; 2],
}

const PLAIN_COURSE: Scenario = Scenario {
    name: "",
    events: &[],
    is_young: false,
    is_plain: false,
    rotates: true,
    tells: true,
    is_served_by_one: false,
    faults: [2, 3],
};

/// Two calls and the sweep want one refresh.
pub const TWO_CALLS: Scenario = Scenario {
    name: "two calls and the sweep",
    events: &[Event::Call, Event::Call, Event::Refresh],
    is_served_by_one: true,
    faults: [1, 2],
    ..PLAIN_COURSE
};
/// A call, and one that rejects what it finds.
pub const REFRESHED_TWICE: Scenario = Scenario {
    name: "a call, and a token that is rejected",
    events: &[Event::Call, Event::CallRejecting],
    faults: [1, 2],
    ..PLAIN_COURSE
};
/// A new consent comes meanwhile.
pub const CONSENT: Scenario =
    Scenario { name: "a call and a new consent", events: &[Event::Call, Event::Consent], ..PLAIN_COURSE };
/// The connection is ended meanwhile.
pub const DISCONNECT: Scenario =
    Scenario { name: "a call and a disconnect", events: &[Event::Call, Event::Disconnect], ..PLAIN_COURSE };
/// All three.
pub const CONSENT_AND_DISCONNECT: Scenario = Scenario {
    name: "a call, a new consent and a disconnect",
    events: &[Event::Call, Event::Consent, Event::Disconnect],
    faults: [0, 1],
    ..PLAIN_COURSE
};
/// An administrator ends it.
pub const REVOKED: Scenario = Scenario {
    name: "two calls and an administrator's revocation",
    events: &[Event::Call, Event::CallRejecting, Event::Revoked],
    faults: [1, 2],
    ..PLAIN_COURSE
};
/// Salesforce does not rotate.
pub const NOT_ROTATING: Scenario = Scenario {
    name: "without rotation",
    events: &[Event::Call, Event::Disconnect],
    rotates: false,
    faults: [1, 2],
    ..PLAIN_COURSE
};
/// The same, and the user is frozen for a while.
pub const FROZEN: Scenario = Scenario {
    name: "without rotation, and a user who is frozen for a while",
    events: &[Event::Call, Event::CallRejecting, Event::Frozen, Event::Thawed],
    rotates: false,
    faults: [1, 2],
    ..PLAIN_COURSE
};
/// The row is of an earlier version, and is sealed by the sweep.
pub const OF_AN_EARLIER_VERSION: Scenario = Scenario {
    name: "a plain refresh token that the sweep seals",
    events: &[Event::Call, Event::Refresh, Event::Seal],
    is_plain: true,
    faults: [1, 2],
    ..PLAIN_COURSE
};

/// The app may not ask about tokens.
pub const UNTOLD: Scenario = Scenario {
    name: "two calls of an app that may not introspect",
    events: &[Event::Call, Event::Call],
    tells: false,
    ..PLAIN_COURSE
};

/// The same, and later it may.
pub const TOLD_LATER: Scenario = Scenario {
    name: "a call of an app that may not introspect, and later may",
    events: &[Event::Call, Event::Told],
    tells: false,
    ..PLAIN_COURSE
};
/// The access token ends by which Salesforce proves a death.
pub const ACCESS_ENDS: Scenario = Scenario {
    name: "a call, and the end of the access token",
    events: &[Event::Call, Event::AccessEnds],
    ..PLAIN_COURSE
};

/// Each of them.
pub const ALL: [&Scenario; 12] = [
    &TWO_CALLS,
    &REFRESHED_TWICE,
    &CONSENT,
    &DISCONNECT,
    &CONSENT_AND_DISCONNECT,
    &REVOKED,
    &NOT_ROTATING,
    &FROZEN,
    &OF_AN_EARLIER_VERSION,
    &UNTOLD,
    &TOLD_LATER,
    &ACCESS_ENDS,
];
