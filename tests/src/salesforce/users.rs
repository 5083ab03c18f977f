//! The people who can log in.

/// Everyone's password.
pub(crate) const PASSWORD: &str = "sandbox";

/// Someone with a Salesforce account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) username: &'static str,
    pub(crate) name: &'static str,
    pub(crate) company: &'static str,
    /// 18 characters: 15 and a check of their upper and lower case.
    pub(crate) id: &'static str,
    pub(crate) org_id: &'static str,
}

/// Two colleagues, and one of another company.
pub(crate) static USERS: [User; 3] = [
    User {
        username: "ada@example.com",
        name: "Ada Lovelace",
        company: "Analytical Engines Ltd",
        id: "0055g00000AdaLvAAJ",
        org_id: "00D5g00000EngneEAB",
    },
    User {
        username: "grace@example.com",
        name: "Grace Hopper",
        company: "Analytical Engines Ltd",
        id: "0055g00000GrcHpAAJ",
        org_id: "00D5g00000EngneEAB",
    },
    User {
        username: "alan@example.com",
        name: "Alan Turing",
        company: "Bletchley Park Trust",
        id: "005Hs00000AlnTrIAJ",
        org_id: "00DHs00000BltchMAB",
    },
];

/// The user of that name.
pub(crate) fn find(username: &str) -> Option<&'static User> {
    USERS.iter().find(|user| user.username.eq_ignore_ascii_case(username.trim()))
}
