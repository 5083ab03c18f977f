//! The users who can log in: three with names, and any number of visitors.

use std::{collections::BTreeMap, sync::Mutex};

use crate::lock;

/// Everyone's password.
pub(crate) const PASSWORD: &str = "sandbox";

/// Someone with a Salesforce account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) username: &'static str,
    pub(crate) name: &'static str,
    pub(crate) company: &'static str,
    /// 18 characters: 15 and a checksum of their case.
    pub(crate) id: &'static str,
    pub(crate) org_id: &'static str,
}

/// Two users of one organization, and one of another.
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

/// The user with that name: one of the three, or `visitor-<number>@example.com`.
pub(crate) fn find(username: &str) -> Option<&'static User> {
    let username = username.trim();
    USERS.iter().find(|user| user.username.eq_ignore_ascii_case(username)).or_else(|| visitor(username))
}

fn visitor(username: &str) -> Option<&'static User> {
    static SEEN: Mutex<BTreeMap<u32, &User>> = Mutex::new(BTreeMap::new());
    let number: u32 = username.strip_prefix("visitor-")?.strip_suffix("@example.com")?.parse().ok()?;
    let user = || User {
        username: format!("visitor-{number}@example.com").leak(),
        name: "A Visitor",
        company: USERS[2].company,
        id: format!("005Hs{number:010}IAA").leak(),
        org_id: USERS[2].org_id,
    };
    Some(*lock(&SEEN).entry(number).or_insert_with(|| Box::leak(Box::new(user()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_is_the_same_one_each_time() {
        let (seven, eight) = (find("visitor-7@example.com").unwrap(), find("visitor-8@example.com").unwrap());
        assert_eq!(find("visitor-7@example.com"), Some(seven));
        assert_eq!((seven.id, eight.id), ("005Hs0000000007IAA", "005Hs0000000008IAA"));
        for nobody in ["visitor-@example.com", "visitor-x@example.com", "visitor-7@example.org", "eve@example.com"] {
            assert_eq!(find(nobody), None, "{nobody}");
        }
    }
}
