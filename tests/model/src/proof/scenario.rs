//! Who approves whose link, and which chat sends what.

/// A chat, and the person in it.
pub type Chat = u8;

/// Whose link is opened by somebody else.
pub const ATTACKER: Chat = 0;
/// Who approves with their own Salesforce.
pub const VICTIM: Chat = 1;
/// How many chats there are.
pub const CHATS: usize = 2;

/// What happens from outside, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The callback of the approval of this number, in the browser that shows its login's code. Callbacks come in their order.
    Callback(u8),
    /// A chat sends the code of this login.
    Sends(Chat, u8),
    /// A chat sends a code that no login has.
    Guesses(Chat),
    /// A later login of the chat is connected.
    Newer(Chat),
    /// An operator gives up a login that waits.
    Withdraw(u8),
    /// The bot ends the chat's connection.
    Disconnect(Chat),
}

/// What the message of an approval says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brings {
    /// The authorization code, and the hash of the code that the chat has to send.
    Code,
    /// The authorization code alone: it was sent before the proof was required, or is forged.
    CodeUnproven,
    /// The same with tokens that an earlier version could not store.
    TokensUnproven,
}

/// One approval at Salesforce.
#[derive(Clone, Copy, Debug)]
pub struct Approval {
    /// The login that it is of.
    pub login: u8,
    /// Whose Salesforce it is.
    pub person: Chat,
    /// What its message says.
    pub brings: Brings,
}

/// One course of events, in any order. Each may also not happen.
#[derive(Debug)]
pub struct Scenario {
    /// For the report.
    pub name: &'static str,
    /// The chat that each login's link is for.
    pub logins: &'static [Chat],
    /// In the order of their callbacks.
    pub approvals: &'static [Approval],
    /// What happens.
    pub events: &'static [Event],
    /// The victim's chat is connected before.
    pub is_connected: bool,
    /// The attacker learns the code of their own login, which the victim's browser shows.
    pub is_told: bool,
    /// What is reached somewhere.
    pub reaches: &'static [Reach],
    /// How many faults, and how many in a wide check.
    pub faults: [u8; 2],
}

/// What a scenario has to reach, so that its properties say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// A login connects its chat.
    Connected,
    /// One fails, because another chat has sent its code.
    WrongChat,
    /// One fails, because nobody has in time.
    Unconfirmed,
    /// A code is sent before its login is held, and connects it.
    SentBefore,
    /// A chat is connected to another person's Salesforce.
    Foreign,
}

const fn own(login: u8) -> Approval {
    Approval { login, person: VICTIM, brings: Brings::Code }
}

const PLAIN_COURSE: Scenario = Scenario {
    name: "",
    logins: &[VICTIM],
    approvals: &[own(0)],
    events: &[],
    is_connected: false,
    is_told: false,
    reaches: &[],
    faults: [2, 3],
};

/// One person, with one browser and one chat.
pub static HONEST: Scenario = Scenario {
    name: "an honest login",
    events: &[Event::Callback(0), Event::Sends(VICTIM, 0)],
    reaches: &[Reach::Connected, Reach::Unconfirmed, Reach::SentBefore],
    ..PLAIN_COURSE
};

/// The attacker's link, approved by the victim in the victim's own browser, whose chat sends the code, or nobody does.
pub static FORWARDED: Scenario = Scenario {
    name: "a forwarded link",
    logins: &[ATTACKER],
    events: &[Event::Callback(0), Event::Sends(VICTIM, 0)],
    reaches: &[Reach::WrongChat, Reach::Unconfirmed],
    ..PLAIN_COURSE
};

/// The same, and the victim tells the attacker the code. The protocol cannot stop that, and there is no other way.
pub static TOLD: Scenario = Scenario {
    name: "a forwarded link, and the code told to its owner",
    logins: &[ATTACKER],
    events: &[Event::Callback(0), Event::Sends(VICTIM, 0), Event::Sends(ATTACKER, 0)],
    is_told: true,
    reaches: &[Reach::WrongChat, Reach::Connected, Reach::Foreign],
    faults: [1, 2],
    ..PLAIN_COURSE
};

/// The victim's link, completed by the attacker in the attacker's browser with the attacker's Salesforce.
pub static STOLEN: Scenario = Scenario {
    name: "a stolen link, over a connection",
    approvals: &[Approval { login: 0, person: ATTACKER, brings: Brings::Code }],
    events: &[Event::Callback(0), Event::Sends(ATTACKER, 0), Event::Guesses(VICTIM)],
    is_connected: true,
    reaches: &[Reach::WrongChat, Reach::Unconfirmed],
    faults: [1, 2],
    ..PLAIN_COURSE
};

/// The same person begins twice, and confirms both.
pub static NEWER: Scenario = Scenario {
    name: "two logins of one chat",
    logins: &[VICTIM, VICTIM],
    approvals: &[own(0), own(1)],
    events: &[Event::Callback(0), Event::Sends(VICTIM, 0), Event::Callback(1), Event::Sends(VICTIM, 1)],
    reaches: &[Reach::Connected],
    faults: [0, 1],
    ..PLAIN_COURSE
};

/// A later login is connected meanwhile, as fast as can be.
pub static OVERTAKEN: Scenario = Scenario {
    name: "a later login meanwhile",
    events: &[Event::Callback(0), Event::Sends(VICTIM, 0), Event::Newer(VICTIM)],
    reaches: &[Reach::Connected],
    faults: [1, 2],
    ..PLAIN_COURSE
};

/// The victim connects, and approves the attacker's link too.
pub static BOTH: Scenario = Scenario {
    name: "an honest login beside a forwarded link",
    logins: &[VICTIM, ATTACKER],
    approvals: &[own(0), own(1)],
    events: &[Event::Callback(0), Event::Sends(VICTIM, 0), Event::Callback(1), Event::Sends(VICTIM, 1)],
    reaches: &[Reach::Connected, Reach::WrongChat],
    faults: [0, 1],
    ..PLAIN_COURSE
};

/// A connected chat logs in again, and is disconnected meanwhile.
pub static DISCONNECTED: Scenario = Scenario {
    name: "a disconnect meanwhile",
    events: &[Event::Callback(0), Event::Sends(VICTIM, 0), Event::Disconnect(VICTIM)],
    is_connected: true,
    reaches: &[Reach::Connected],
    faults: [1, 2],
    ..PLAIN_COURSE
};

/// An operator erases what is stored of a person whose login waits.
pub static WITHDRAWN: Scenario = Scenario {
    name: "a login that is given up",
    events: &[Event::Callback(0), Event::Sends(VICTIM, 0), Event::Withdraw(0)],
    reaches: &[Reach::Connected, Reach::Unconfirmed],
    faults: [1, 2],
    ..PLAIN_COURSE
};

/// Two tabs of one browser: one code for the chat, two of Salesforce's.
pub static TWO_TABS: Scenario = Scenario {
    name: "two approvals of one login",
    logins: &[ATTACKER],
    approvals: &[own(0), own(0)],
    events: &[Event::Callback(0), Event::Callback(1), Event::Sends(VICTIM, 0)],
    reaches: &[Reach::WrongChat],
    faults: [1, 2],
    ..PLAIN_COURSE
};

/// Messages that no chat can confirm.
pub static UNPROVEN: Scenario = Scenario {
    name: "messages without a proof",
    logins: &[ATTACKER, ATTACKER],
    approvals: &[
        Approval { login: 0, person: VICTIM, brings: Brings::CodeUnproven },
        Approval { login: 1, person: VICTIM, brings: Brings::TokensUnproven },
    ],
    events: &[Event::Callback(0), Event::Callback(1)],
    reaches: &[Reach::Unconfirmed],
    ..PLAIN_COURSE
};

/// All of them.
pub static ALL: [&Scenario; 11] =
    [&HONEST, &FORWARDED, &TOLD, &STOLEN, &NEWER, &OVERTAKEN, &BOTH, &DISCONNECTED, &WITHDRAWN, &TWO_TABS, &UNPROVEN];

impl Scenario {
    /// The login of an approval.
    #[must_use]
    pub fn login_of(&self, approval: u8) -> u8 {
        self.approvals[usize::from(approval)].login
    }

    /// The chat that an approval's link is for.
    #[must_use]
    pub fn chat_of(&self, approval: u8) -> Chat {
        self.logins[usize::from(self.login_of(approval))]
    }

    /// Whose Salesforce a token is of.
    #[must_use]
    pub fn person_of(&self, token: u8) -> Chat {
        self.approvals.get(usize::from(token)).map_or(VICTIM, |approval| approval.person)
    }

    /// The token of a login that is connected meanwhile.
    #[must_use]
    pub fn newer_token(&self) -> u8 {
        self.old_token() + 1
    }

    /// The token of the connection that was there before.
    #[must_use]
    pub fn old_token(&self) -> u8 {
        u8::try_from(self.approvals.len()).unwrap_or(u8::MAX)
    }
}
