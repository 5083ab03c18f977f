//! `wasf connection list`.

use std::time::Duration;

use serde_json::{Value as Json, json};
use shared::{
    Timestamp, WaId,
    attempt::attr,
    conditional_write::{Attributes, Value},
};

use crate::{
    args::{ConnectionStatus, Part},
    aws::Walked,
    error::Exit,
    records::{Connection, Custody, Form},
    report::{Report, Table, count},
};

/// Parts are smaller than the limit by so many hundredths: their sizes differ, and tables grow between DynamoDB's counts.
const HEADROOM: u64 = 25;

const HEADER: [&str; 8] = ["CHAT", "STATUS", "USER", "ORG", "REFRESHED", "EXPIRES", "REFRESH TOKEN", "MARKS"];

/// The first part of a table of about so many rows, each of which is of no more rows than the limit.
pub(super) fn first_part(about: Option<u64>, limit: usize) -> Part {
    let (about, limit) = (about.unwrap_or_default(), u64::try_from(limit).unwrap_or(u64::MAX).max(1));
    if about <= limit {
        return Part::WHOLE;
    }
    let parts = about.saturating_mul(100 + HEADROOM).div_ceil(limit.saturating_mul(100));
    Part { number: 1, of: u32::try_from(parts).unwrap_or(u32::MAX).min(Part::MOST) }
}

/// The connections of a walk that have this status.
pub(super) fn report(
    walked: &Walked,
    wanted: Option<ConnectionStatus>,
    keep_alive: Option<Duration>,
    about: Option<u64>,
    now: Timestamp,
) -> Report {
    let (mut table, mut foreign) = (Table::with_header(HEADER), Table::with_header(["UNREADABLE", "WHY"]));
    let (mut connections, mut unreadable): (Vec<Json>, Vec<Json>) = (Vec::new(), Vec::new());
    for (row, form) in &walked.rows {
        match read(row, *form, keep_alive, now) {
            Ok((connection, custody)) => {
                if wanted.is_none_or(|wanted| is(wanted, &connection, &custody)) {
                    table.row(cells(&connection, &custody));
                    connections.push(json_of(&connection, &custody));
                }
            }
            Err((chat, why)) => {
                foreign.row([chat.clone(), why.clone()]);
                unreadable.push(json!({"chat": chat, "why": why}));
            }
        }
    }
    let exit = match (connections.len(), unreadable.len()) {
        (_, 1..) => Exit::InPart,
        (0, 0) => Exit::NothingMatched,
        _ => Exit::Done,
    };
    let mut text = if connections.is_empty() { "No connections".to_owned() } else { table.text() + "\n" };
    if !connections.is_empty() {
        text.push_str(&count(connections.len(), "connection"));
    }
    text = format!("{text}. {}\n", how_far(walked, about));
    if !unreadable.is_empty() {
        text = format!("{text}\n{}", foreign.text());
    }
    let json = json!({
        "connections": connections,
        "unreadable": unreadable,
        "rows_read": walked.rows_read,
        "rows_about": about,
        "part": walked.part.to_string(),
        "next": walked.part.next().map(|part| part.to_string()),
        "part_complete": !walked.has_more,
        "complete": walked.part == Part::WHOLE && !walked.has_more,
    });
    Report::new(text, json, exit)
}

fn how_far(walked: &Walked, about: Option<u64>) -> String {
    let (read, part) = (count(walked.rows_read, "row"), walked.part);
    if part == Part::WHOLE && !walked.has_more {
        return format!("{read} read: the whole table.");
    }
    let about = about.filter(|about| *about > 0);
    let of = about.map(|about| format!(" of about {about} (as DynamoDB last counted)")).unwrap_or_default();
    let read = format!("{read}{of} read: part {part} of the table.");
    match (walked.has_more, part.next()) {
        (true, _) => format!(
            "{read} This part has more: raise --limit, or read smaller parts, as --part 1/{}.",
            part.of.saturating_mul(2)
        ),
        (false, Some(next)) => format!("{read} Go on with --part {next}"),
        (false, None) => format!("{read} It is the last."),
    }
}

/// A row, or why it cannot be read: its masked chat, and what is wrong with it.
fn read(
    row: &Attributes,
    form: Form,
    keep_alive: Option<Duration>,
    now: Timestamp,
) -> Result<(Connection, Custody), (String, String)> {
    let key = row.get(attr::WA_ID).and_then(Value::as_text).unwrap_or_default();
    let Some(wa_id) = key.parse().ok().filter(|wa_id: &WaId| wa_id.as_str() == key) else {
        return Err((ending(key), "the key is no chat's address".to_owned()));
    };
    let connection = Connection::read(&wa_id, row, form != Form::Missing);
    if connection.unreadable.is_empty() {
        Ok((connection, Custody::read(row, form, keep_alive, now)))
    } else {
        Err((wa_id.masked(), format!("of another form: {}", connection.unreadable.join(", "))))
    }
}

/// The end of a key, which may have a phone number in a form of its own.
fn ending(key: &str) -> String {
    let end: String = key.chars().rev().take(4).collect();
    format!("…{}", end.chars().rev().collect::<String>())
}

fn is(wanted: ConnectionStatus, connection: &Connection, custody: &Custody) -> bool {
    match wanted {
        ConnectionStatus::Connected => connection.ended.is_none(),
        ConnectionStatus::Ended => connection.ended.is_some(),
        ConnectionStatus::Due => custody.is_due,
    }
}

fn cells(connection: &Connection, custody: &Custody) -> [String; 8] {
    let status = match &connection.ended {
        Some(end) => end.reason.as_ref().map_or_else(|| "ended".to_owned(), |reason| format!("ended: {reason}")),
        None => "connected".to_owned(),
    };
    [
        connection.wa_id.masked(),
        status,
        connection.username.clone().unwrap_or_default(),
        connection.org_id.clone().unwrap_or_default(),
        Some(custody.age_text()).filter(|age| !age.is_empty()).map(|age| format!("{age} ago")).unwrap_or_default(),
        custody.expiry_text(),
        custody.form().as_str().to_owned(),
        custody.marks(),
    ]
}

fn json_of(connection: &Connection, custody: &Custody) -> Json {
    let mut json = custody.json();
    for (name, value) in [
        ("chat", json!(connection.wa_id.masked())),
        ("status", json!(if connection.ended.is_some() { "ended" } else { "connected" })),
        ("ended_reason", json!(connection.ended.as_ref().and_then(|end| end.reason.as_deref()))),
        ("username", json!(connection.username)),
        ("org_id", json!(connection.org_id)),
    ] {
        json.insert(name.to_owned(), value);
    }
    Json::Object(json)
}

#[cfg(test)]
mod tests {
    use shared::connection::{ENDED_AT, ENDED_REASON, REFRESHED_AT};

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn row(wa_id: &str, changes: &[(&str, Value)]) -> Attributes {
        let mut row = Attributes::from([(attr::WA_ID.to_owned(), wa_id.into())]);
        row.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        row
    }

    fn walked() -> Walked {
        let at = |age| (REFRESHED_AT, NOW.minus(age).into());
        let ended = [(ENDED_AT, NOW.into()), (ENDED_REASON, "expired".into())];
        let rows = vec![
            (row("whatsapp:+15551234561", &[at(WEEK / 2)]), Form::Sealed),
            (row("whatsapp:+15551234562", &[at(WEEK * 2)]), Form::Plain),
            (row("whatsapp:+15551234563", &ended), Form::Missing),
        ];
        Walked { part: Part::WHOLE, rows_read: rows.len(), rows, has_more: false }
    }

    fn listed(walked: &Walked, wanted: Option<ConnectionStatus>) -> Report {
        report(walked, wanted, Some(WEEK), Some(12), NOW)
    }

    #[test]
    fn a_list_has_the_connections_of_one_status() {
        for (status, number) in [
            (None, 3),
            (Some(ConnectionStatus::Connected), 2),
            (Some(ConnectionStatus::Ended), 1),
            (Some(ConnectionStatus::Due), 1),
        ] {
            let listed = listed(&walked(), status);
            assert_eq!(listed.json["connections"].as_array().unwrap().len(), number, "{status:?}");
            assert_eq!(listed.exit, Exit::Done);
        }
    }

    #[test]
    fn a_list_shows_no_phone_number() {
        let listed = listed(&walked(), None);
        assert!(!listed.text.contains("1555123") && !listed.json.to_string().contains("1555123"), "{}", listed.text);
    }

    #[test]
    fn the_form_of_a_refresh_token_is_shown() {
        let listed = listed(&walked(), None);
        let forms: Vec<_> = (0..3).map(|place| listed.json["connections"][place]["refresh_token"].clone()).collect();
        assert_eq!(forms, ["sealed", "plain", "none"]);
    }

    #[test]
    fn a_walk_that_its_limit_has_ended_says_how_far_it_got() {
        let listed = listed(&Walked { has_more: true, ..walked() }, None);
        let read = "3 rows of about 12 (as DynamoDB last counted) read: part 1/1 of the table. This part has more";
        assert!(listed.text.contains(read) && listed.text.contains("--part 1/2"), "{}", listed.text);
        assert_eq!(listed.json["complete"], false);
    }

    #[test]
    fn a_part_says_which_is_the_next() {
        let of = |part: &str| listed(&Walked { part: part.parse().unwrap(), ..walked() }, None);
        assert!(of("1/4").text.ends_with("part 1/4 of the table. Go on with --part 2/4\n"), "{}", of("1/4").text);
        assert_eq!((&of("1/4").json["next"], &of("1/4").json["complete"]), (&json!("2/4"), &json!(false)));
        assert!(of("4/4").text.ends_with("It is the last.\n") && of("4/4").json["next"].is_null());
        assert!(of("1/1").text.ends_with("3 rows read: the whole table.\n"));
    }

    #[test]
    fn a_table_is_read_in_as_many_parts_as_its_limit_asks_for() {
        for (about, limit, part) in [
            (None, 1_000, "1/1"),
            (Some(1_000), 1_000, "1/1"),
            (Some(1_001), 1_000, "1/2"),
            (Some(9_600), 1_000, "1/12"),
            (Some(u64::MAX), 0, "1/1000000"),
        ] {
            assert_eq!(first_part(about, limit).to_string(), part, "{about:?} {limit}");
        }
        for wrong in ["0/4", "5/4", "4", "1/0", "a/b", "1/1000001"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_of_a_foreign_form_are_unreadable() {
        let rows = vec![
            (row("+15551234567", &[]), Form::Plain),
            (row("whatsapp:%2B15551234568", &[]), Form::Plain),
            (row("whatsapp:+15551234561", &[(attr::USERNAME, 7.into())]), Form::Plain),
        ];
        let listed = listed(&Walked { rows_read: 3, rows, ..walked() }, None);
        assert_eq!(listed.exit, Exit::InPart);
        assert_eq!(listed.json["unreadable"][0], json!({"chat": "…4567", "why": "the key is no chat's address"}));
        assert_eq!(listed.json["unreadable"][1], json!({"chat": "…4568", "why": "the key is no chat's address"}));
        assert_eq!(listed.json["unreadable"][2]["why"], "of another form: username");
        assert!(!listed.text.contains("1555123"), "{}", listed.text);
    }
}
