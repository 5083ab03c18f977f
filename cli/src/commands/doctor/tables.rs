//! Whether the two tables are set up as the stack needs them: one that was restored from a backup is not, until somebody
//! does it. Pure.

use shared::attempt::{attr, index};

use super::finding::Finding;
use crate::{
    aws::{EventSource, TableSettings},
    report::count,
};

const CHECK: &str = "tables";
/// How a restored or adopted table gets its settings.
const HOW: &str = "as docs/UPGRADE.md says of a restored table";

/// The table of attempts, and what invokes the notifier.
pub(super) fn attempts(
    name: &str,
    table: Option<&TableSettings>,
    notifier: &[EventSource],
    adopted: bool,
) -> Vec<Finding> {
    let Some(table) = table else { return vec![missing(name)] };
    let mut findings = vec![stream(name, table, notifier)];
    findings.extend(key(name, table, attr::ATTEMPT_ID));
    if table.expiry.as_deref() != Some(attr::EXPIRES_AT) {
        findings.push(Finding::note(
            CHECK,
            format!("items of {name} do not expire"),
            "Attempts are kept for longer than 90 days.",
            format!(
                "Run aws dynamodb update-time-to-live --table-name {name} --time-to-live-specification \
                 Enabled=true,AttributeName={}",
                attr::EXPIRES_AT
            ),
        ));
    }
    if !has_indexes(table) {
        findings.push(Finding::note(
            CHECK,
            format!("{name} lacks an index, or DynamoDB still fills it"),
            "wasf lists attempts by scanning the whole table (--scan).",
            if adopted {
                "The stack did not make the table: add them to it by hand, as docs/UPGRADE.md says."
            } else {
                "Add the indexes: set AttemptIndexes as docs/UPGRADE.md says, and deploy."
            },
        ));
    }
    findings.extend(safety(name, table));
    findings
}

/// The table of tokens; `adopted` is one that the stack did not make, whose backups are its owner's business.
pub(super) fn tokens(name: &str, table: Option<&TableSettings>, adopted: bool) -> Vec<Finding> {
    match table {
        None => vec![missing(name)],
        Some(table) => {
            let mut findings = key(name, table, attr::WA_ID).into_iter().collect::<Vec<_>>();
            match (adopted, findings.is_empty()) {
                (true, true) => findings.push(Finding::ok(CHECK, format!("{name} exists"))),
                (true, false) => {}
                (false, _) => findings.extend(safety(name, table)),
            }
            findings
        }
    }
}

/// Whether lists need not scan.
pub(super) fn has_indexes(table: &TableSettings) -> bool {
    [index::BY_CHAT, index::BY_STATUS].into_iter().all(|name| table.indexes.contains(name))
}

/// Attempts that no list by status has; `None` where there are none.
pub(super) fn not_indexed(name: &str, items: u64) -> Option<Finding> {
    (items > 0).then(|| {
        let items = count(usize::try_from(items).unwrap_or(usize::MAX), "item");
        Finding::note(
            "attempts",
            format!("{items} of {name} not in the index {} (as counted within the last six hours)", index::BY_STATUS),
            "Lists by status lack them: they are older than the index, and expire within 90 days, or are unreadable.",
            "Run wasf attempt list --scan --since 90d, and wasf events redeliver --scan --since 90d.",
        )
    })
}

pub(super) fn missing(name: &str) -> Finding {
    Finding::problem(
        CHECK,
        format!("the table {name} does not exist"),
        "Nobody can connect.",
        format!("Restore it from a backup, and set it up {HOW}."),
    )
}

/// A key that no function can use.
pub(super) fn key(name: &str, table: &TableSettings, wanted: &str) -> Option<Finding> {
    (!table.has_key(wanted)).then(|| {
        Finding::problem(
            CHECK,
            format!("the key of {name} is {}, and not {wanted} (S)", table.key),
            "Nobody can connect.",
            format!("Deploy with the name of another table, whose key is {wanted} (S) alone."),
        )
    })
}

/// Whether the notifier follows the table.
fn stream(name: &str, table: &TableSettings, notifier: &[EventSource]) -> Finding {
    let meaning = "People and the bot are not notified of how attempts end.";
    match &table.stream_arn {
        None => Finding::problem(
            CHECK,
            format!("{name} has no stream of new images"),
            meaning,
            format!(
                "Run aws dynamodb update-table --table-name {name} --stream-specification \
                 StreamEnabled=true,StreamViewType=NEW_IMAGE, and deploy with the new stream {HOW}."
            ),
        ),
        Some(stream) if notifier.iter().all(|source| source.source_arn != *stream) => Finding::problem(
            CHECK,
            format!("the notifier does not follow the stream of {name}"),
            meaning,
            format!("Deploy with CreateAttemptTable=No AttemptTableName={name} AttemptStreamArn={stream}, {HOW}."),
        ),
        Some(_) => Finding::ok(CHECK, format!("the notifier follows the stream of {name}")),
    }
}

/// What protects a table's items.
fn safety(name: &str, table: &TableSettings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !table.is_protected {
        findings.push(Finding::note(
            CHECK,
            format!("{name} is not protected from deletion"),
            "A slip deletes it with everything in it.",
            format!("Run aws dynamodb update-table --table-name {name} --deletion-protection-enabled"),
        ));
    }
    if !table.is_recoverable {
        findings.push(Finding::note(
            CHECK,
            format!("{name} has no point-in-time recovery"),
            "What is overwritten by mistake cannot be brought back.",
            format!(
                "Run aws dynamodb update-continuous-backups --table-name {name} --point-in-time-recovery-specification \
                 PointInTimeRecoveryEnabled=true"
            ),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{name} is protected from deletion, and can be restored")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "arn:aws:dynamodb:eu-west-1:123456789012:table/connection_attempts/stream/2026";

    fn whole() -> TableSettings {
        TableSettings {
            key: "attempt_id (S)".to_owned(),
            encryption_key: None,
            stream_arn: Some(STREAM.to_owned()),
            is_protected: true,
            indexes: [index::BY_CHAT, index::BY_STATUS].map(str::to_owned).into(),
            expiry: Some(attr::EXPIRES_AT.to_owned()),
            is_recoverable: true,
        }
    }

    fn source(arn: &str) -> EventSource {
        EventSource { id: String::new(), source_arn: arn.to_owned(), state: "Enabled".to_owned() }
    }

    /// The remedies of what is found, each after whether it is a problem.
    fn found(table: &TableSettings, notifier: &[EventSource]) -> Vec<(bool, String)> {
        let findings = attempts("attempts", Some(table), notifier, false).into_iter();
        let found = findings.filter(|finding| !finding.remedy.is_empty());
        found.map(|finding| (finding.is_problem(), finding.remedy)).collect()
    }

    #[test]
    fn a_table_as_the_stack_makes_it_is_well() {
        assert_eq!(found(&whole(), &[source(STREAM)]), []);
    }

    #[test]
    fn a_restored_table_lacks_a_stream_and_everything_that_protects_it() {
        let restored = TableSettings { key: whole().key, indexes: whole().indexes, ..TableSettings::default() };
        let found = found(&restored, &[source(STREAM)]);
        for (remedy, is_problem) in [
            ("--stream-specification", true),
            ("update-time-to-live", false),
            ("--deletion-protection-enabled", false),
            ("update-continuous-backups", false),
        ] {
            assert!(found.iter().any(|(problem, text)| *problem == is_problem && text.contains(remedy)), "{remedy}");
        }
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_notifier_that_follows_another_table_is_a_problem() {
        let found = found(&whole(), &[source("arn:aws:dynamodb:eu-west-1:123456789012:table/old/stream/2025")]);
        assert!(found[0].0 && found[0].1.contains(&format!("AttemptStreamArn={STREAM}")), "{found:?}");
    }

    #[test]
    fn a_table_without_an_index_is_a_hint() {
        let older = TableSettings { indexes: ["by_chat".to_owned()].into(), ..whole() };
        assert!(
            matches!(&found(&older, &[source(STREAM)])[..], [(false, remedy)] if remedy.contains("AttemptIndexes"))
        );
        let adopted = attempts("attempts", Some(&older), &[source(STREAM)], true);
        assert!(adopted.iter().any(|finding| finding.remedy.contains("by hand")), "no parameter changes such a table");
    }

    #[test]
    fn what_lists_lack_is_a_hint() {
        assert_eq!(not_indexed("attempts", 0), None);
        let hint = not_indexed("attempts", 1).unwrap();
        assert!(!hint.is_problem() && hint.title.starts_with("1 item of attempts") && hint.remedy.contains("--scan"));
    }

    #[test]
    fn a_missing_table_is_a_problem() {
        assert!(attempts("attempts", None, &[], false)[0].is_problem());
        assert!(tokens("tokens", None, true)[0].is_problem());
    }

    #[test]
    fn the_backups_of_a_table_that_the_stack_did_not_make_are_its_owners_business() {
        let bare = TableSettings { key: "wa_id (S)".to_owned(), ..TableSettings::default() };
        assert_eq!(tokens("tokens", Some(&bare), true), [Finding::ok(CHECK, "tokens exists".to_owned())]);
        assert_eq!(tokens("tokens", Some(&bare), false).len(), 2);
    }

    #[test]
    fn a_table_with_another_key_is_a_problem_whoever_made_it() {
        for other in ["wa_id (N)", "chat (S)", "wa_id (S), at (N)"] {
            let table = TableSettings { key: other.to_owned(), ..TableSettings::default() };
            for adopted in [true, false] {
                assert!(tokens("tokens", Some(&table), adopted)[0].is_problem(), "{other}");
            }
            let table = TableSettings { key: other.to_owned(), ..whole() };
            let attempts = attempts("attempts", Some(&table), &[source(STREAM)], false);
            assert!(attempts.iter().any(|finding| finding.is_problem() && finding.title.contains(other)), "{other}");
        }
    }
}
