//! The text about a new connection: whose it is, and how to end it. Pure.
//!
//! A connection may be to another account than the person had in mind, or than they know of: its name shows that. Username and
//! org are another party's text, so nothing of them becomes a link, a line or formatting in the chat, and the text has one
//! line, because WhatsApp refuses line breaks in the variable of a template.

use shared::{
    Language,
    attempt::Account,
    printable::printable,
    proof::ProofPolicy,
    texts::{
        CONNECTED, CONNECTED_UNDO, ConnectedAs, ConnectedAsIn, ConnectedTo, OrgDemo, OrgDeveloper, OrgFree, OrgPatch,
        OrgSandbox, OrgSandboxNamed, OrgScratch, OrgTrailhead,
    },
};
use url::Url;

/// How many characters of a username are shown. Salesforce's usernames have no more.
const USERNAME_LENGTH: usize = 80;

/// What follows the names in the hosts of an org's My Domain ("My Domain URL Formats" in Salesforce Help).
const MY_DOMAINS: [&str; 5] =
    [".my.salesforce.com", ".my.site.com", ".my.salesforce.mil", ".my.crmforce.mil", ".my.sfcrmproducts.cn"];

/// The text for an account. How to undo it is part of it where the bot takes part in the proof: only then is it known to
/// pass messages on.
pub(super) fn text(account: &Account, proof: ProofPolicy, language: Language) -> String {
    let username = account.username.as_deref().filter(|username| !username.is_empty()).map(shown);
    let org = org(&account.instance_url, language);
    let whose = match (username.as_deref(), org.as_deref()) {
        (Some(username), Some(org)) => Some(ConnectedAsIn { org, username }.text(language)),
        (Some(username), None) => Some(ConnectedAs { username }.text(language)),
        (None, Some(org)) => Some(ConnectedTo { org }.text(language)),
        (None, None) => None,
    };
    let undo = match proof {
        ProofPolicy::Required => Some(CONNECTED_UNDO.text(language)),
        ProofPolicy::Off => None,
    };
    [Some(CONNECTED.text(language)), whose.as_deref(), undo].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The org by the host of its API, such as `acme`, `acme, sandbox uat`; `None` where the host does not name it.
fn org(instance_url: &str, language: Language) -> Option<String> {
    let url = Url::parse(instance_url).ok()?;
    let host = url.host_str()?;
    let names = MY_DOMAINS.iter().find_map(|domain| host.strip_suffix(domain))?;
    let (label, partition) = names.split_once('.').map_or((names, None), |(label, rest)| (label, Some(rest)));
    if !is_name(label) {
        return None;
    }
    let org = label;
    Some(match partition {
        None | Some("sandbox") => match (label.rsplit_once("--"), partition) {
            (Some((org, sandbox)), _) => OrgSandboxNamed { org, sandbox }.text(language),
            (None, Some(_)) => OrgSandbox { org }.text(language),
            (None, None) => label.to_owned(),
        },
        Some("develop") => OrgDeveloper { org }.text(language),
        Some("scratch") => OrgScratch { org }.text(language),
        Some("trailblaze") => OrgTrailhead { org }.text(language),
        Some("demo") => OrgDemo { org }.text(language),
        Some("free") => OrgFree { org }.text(language),
        Some("patch") => OrgPatch { org }.text(language),
        Some(_) => return None,
    })
}

/// Whether it is the first label of a My Domain. A host may have other characters, WhatsApp's marks of formatting among them.
fn is_name(label: &str) -> bool {
    let has_ends = |end: char| label.starts_with(end) || label.ends_with(end);
    let is_encoded = label.starts_with("xn--");
    !label.is_empty()
        && !has_ends('-')
        && !is_encoded
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A username as it is shown: an address as it is. In anything else every character that could belong to a link or to
/// formatting is an escape, and what is too long ends in `…`.
fn shown(username: &str) -> String {
    if is_address(username) {
        return username.to_owned();
    }
    let mut shown = String::new();
    let mut left = USERNAME_LENGTH;
    for character in printable(username).chars() {
        // The escapes of `printable` stay.
        let stays = is_of_word(character) || matches!(character, '@' | '-' | '\\' | '{' | '}');
        let piece = if stays { character.to_string() } else { character.escape_unicode().to_string() };
        match left.checked_sub(piece.chars().count()) {
            Some(rest) => left = rest,
            None => return shown + "…",
        }
        shown += &piece;
    }
    shown
}

/// Whether WhatsApp shows the text as it is and takes it for an e-mail address, which is what most usernames look like.
/// Salesforce takes others too: with several `@`, or with characters that end the address before its own end.
fn is_address(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let is_in_word = |place: usize| {
        let is_of_word_at = |at: Option<usize>| at.and_then(|at| characters.get(at)).is_some_and(|it| is_of_word(*it));
        is_of_word_at(place.checked_sub(1)) && is_of_word_at(Some(place + 1))
    };
    let is_fine = |(place, character): (usize, &char)| match character {
        // WhatsApp formats what stands between two of them that are not within words.
        '_' => is_in_word(place),
        '.' | '-' | '+' | '@' => true,
        other => is_of_word(*other),
    };
    let has_two_parts =
        text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    has_two_parts && characters.len() <= USERNAME_LENGTH && characters.iter().enumerate().all(is_fine)
}

/// Whether it is a digit or a Latin letter: letters of other scripts look like them, or turn the direction of what follows.
fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || (matches!(character, '\u{c0}'..='\u{24f}') && character.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::printable::has_hidden;

    use super::*;

    /// The sentence of the older system, which bots and people know.
    const CONNECTED: &str = "✅ Your Salesforce account is now connected!";
    const UNDO: &str = " Not you? Reply *disconnect*.";
    const ACME: &str = "https://acme.my.salesforce.com";
    /// The limit of a template's body with its variables, at Meta and at Twilio
    /// (<https://developers.facebook.com/docs/whatsapp/business-management-api/message-templates/components>).
    const TEMPLATE_LENGTH: usize = 1_024;

    fn text_for(username: Option<&str>, instance_url: &str, proof: ProofPolicy) -> String {
        let username = username.map(str::to_owned);
        let account =
            Account { org_id: "00D1".to_owned(), instance_url: instance_url.to_owned(), username, scope: None };
        text(&account, proof, Language::English)
    }

    #[test]
    fn the_text_names_the_account_and_its_org() {
        assert_eq!(
            text_for(Some("ada@example.com"), "https://acme--uat.sandbox.my.salesforce.com", ProofPolicy::Off),
            "✅ Your Salesforce account is now connected! Connected as ada@example.com (acme, sandbox uat)."
        );
    }

    #[test]
    fn where_the_bot_passes_messages_on_the_text_says_how_to_undo_it() {
        assert_eq!(
            text_for(Some("ada@example.com"), ACME, ProofPolicy::Required),
            "✅ Your Salesforce account is now connected! Connected as ada@example.com (acme). Not you? Reply *disconnect*."
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let of = |username, instance_url| text_for(username, instance_url, ProofPolicy::Off);
        assert_eq!(
            of(Some("ada@example.com"), "http://localhost:8080"),
            format!("{CONNECTED} Connected as ada@example.com.")
        );
        assert_eq!(of(None, ACME), format!("{CONNECTED} Connected to the org acme."));
        assert_eq!(of(Some(""), ACME), format!("{CONNECTED} Connected to the org acme."));
        assert_eq!(of(None, "nonsense"), CONNECTED);
        assert_eq!(text_for(None, "nonsense", ProofPolicy::Required), format!("{CONNECTED}{UNDO}"));
    }

    #[test]
    fn an_org_is_named_by_its_my_domain() {
        for (host, name) in [
            ("acme.my.salesforce.com", "acme"),
            ("acme-eu.my.salesforce.com", "acme-eu"),
            ("ACME.my.salesforce.com", "acme"),
            ("acme--uat.sandbox.my.salesforce.com", "acme, sandbox uat"),
            ("acme--uat.my.salesforce.com", "acme, sandbox uat"),
            ("acme.sandbox.my.salesforce.com", "acme, sandbox"),
            ("acme-dev-ed.develop.my.salesforce.com", "acme-dev-ed, developer org"),
            ("acme.scratch.my.salesforce.com", "acme, scratch org"),
            ("acme.trailblaze.my.salesforce.com", "acme, Trailhead playground"),
            ("acme.demo.my.salesforce.com", "acme, demo org"),
            ("acme.free.my.salesforce.com", "acme, free org"),
            ("acme.patch.my.salesforce.com", "acme, patch org"),
            ("acme.my.site.com/portal", "acme"),
            ("acme--uat.sandbox.my.site.com/portal", "acme, sandbox uat"),
            ("acme.my.salesforce.mil", "acme"),
            ("acme.my.crmforce.mil", "acme"),
            ("acme.my.sfcrmproducts.cn", "acme"),
        ] {
            assert_eq!(org(&format!("https://{host}"), Language::English).as_deref(), Some(name), "{host}");
        }
    }

    #[test]
    fn a_host_that_names_no_org_is_left_out() {
        for host in [
            "na1.salesforce.com",
            "login.salesforce.com",
            "my.salesforce.com",
            "acme.lightning.force.com",
            "acme.cloudforce.com",
            "acme.unknown.my.salesforce.com",
            "acme--uat.cs1.my.salesforce.com",
            "a.b.sandbox.my.salesforce.com",
            "*acme*.my.salesforce.com",
            "_acme_.my.salesforce.com",
            "xn--acm-epa.my.salesforce.com",
            "acme--.my.salesforce.com",
            "--uat.sandbox.my.salesforce.com",
            "acme.my.salesforce.com.evil.example",
            "evilmy.salesforce.com",
            "127.0.0.1:8080",
        ] {
            assert_eq!(org(&format!("https://{host}"), Language::English), None, "{host}");
        }
    }

    #[test]
    fn a_username_that_is_an_address_is_shown_as_it_is() {
        let longest = format!("{}@example.com", "a".repeat(68));
        for username in
            ["ada@example.com", "ada_king.lovelace+sf@example.com.uat", "zoë@example.com", "ADA@EXAMPLE", &longest]
        {
            assert_eq!(shown(username), username);
        }
    }

    #[test]
    fn in_any_other_username_no_link_and_no_formatting_is_left() {
        for (username, expected) in [
            ("evil.example", r"evil\u{2e}example"),
            ("https://evil.example/x@y", r"https\u{3a}\u{2f}\u{2f}evil\u{2e}example\u{2f}x@y"),
            ("evil.example'x@example.com", r"evil\u{2e}example\u{27}x@example\u{2e}com"),
            ("a@b.example@c.example", r"a@b\u{2e}example@c\u{2e}example"),
            ("*ada*@example.com", r"\u{2a}ada\u{2a}@example\u{2e}com"),
            ("_ada_@example.com", r"\u{5f}ada\u{5f}@example\u{2e}com"),
            ("~ada~`x`@y", r"\u{7e}ada\u{7e}\u{60}x\u{60}@y"),
            ("ada\n\u{202e}moc@y", r"ada\n\u{202e}moc@y"),
            ("\u{430}da@y", r"\u{430}da@y"),
            ("ada@y). Log in", r"ada@y\u{29}\u{2e}\u{20}Log\u{20}in"),
        ] {
            assert_eq!(shown(username), expected);
        }
    }

    #[test]
    fn a_username_that_is_too_long_is_cut_between_two_characters() {
        let name = "a".repeat(69);
        assert_eq!(shown(&format!("{name}@example.com")), format!("{name}@example…"));
        assert_eq!(shown(&"*".repeat(100)), format!("{}…", r"\u{2a}".repeat(13)));
    }

    proptest! {
        #[test]
        fn whatever_the_account_is_the_text_is_one_short_line_that_begins_as_ever(
            username in "\\PC{0,100}|[a-z.*_~`@ \\n]{0,100}",
            host in "[a-z0-9*_~.-]{1,80}",
        ) {
            let text = text_for(Some(&username), &format!("https://{host}.my.salesforce.com"), ProofPolicy::Required);
            prop_assert!(text.starts_with(CONNECTED) && text.ends_with(UNDO), "{}", text);
            prop_assert!(text.chars().count() < TEMPLATE_LENGTH / 2);
            prop_assert!(!has_hidden(&text) && !text.contains("    "));
            let named = text.trim_start_matches(CONNECTED).trim_end_matches(UNDO);
            prop_assert!(!named.contains(['*', '~', '`', '/']), "{}", named);
        }
    }
}
