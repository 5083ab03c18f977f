//! `wasf dlq stats`, `list` and `show`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    dead_letter::{DeadLetter, Filter, json_of, table},
    queues::Queues,
};
use crate::{
    args::Selection,
    error::{Error, Exit},
    report::{Report, Table, count},
};

pub(super) async fn stats(queues: &Queues) -> Result<Report, Error> {
    let mut counts = vec![
        ("exchange queue", "exchange_queue", queues.source.counts().await?),
        ("dead letters", "dead_letters", queues.dead.counts().await?),
        ("to be told", "notifier_retries", queues.retries.counts().await?),
        ("never told", "notifier_dead_letters", queues.untold.counts().await?),
        ("notifier failures", "notifier_failures", queues.failures.counts().await?),
    ];
    if let Some((upkeep, dead)) = &queues.upkeep {
        counts.push(("upkeep queue", "upkeep_queue", upkeep.counts().await?));
        counts.push(("upkeep dead letters", "upkeep_dead_letters", dead.counts().await?));
    }
    let dead_letters = queues.read(&Filter { unreadable: true, ..Filter::default() }, usize::MAX).await?;
    let mut table = Table::with_header(["QUEUE", "WAITING", "IN FLIGHT", "DELAYED"]);
    let mut json = json!({});
    for (name, key, counts) in counts {
        let numbers = [counts.waiting, counts.in_flight, counts.delayed];
        let [waiting, held, delayed] = numbers.map(|number| number.to_string());
        table.row([name.to_owned(), waiting, held, delayed]);
        json[key] = json!({"waiting": counts.waiting, "held": counts.in_flight, "delayed": counts.delayed});
    }
    let mut kinds: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for dead_letter in &dead_letters {
        *kinds.entry((dead_letter.content.as_str(), dead_letter.reason())).or_default() += 1;
    }
    let mut text = table.text();
    if !kinds.is_empty() {
        let mut table = Table::with_header(["DEAD LETTERS", "REASON", "NUMBER"]);
        for ((content, reason), number) in &kinds {
            table.row([(*content).to_owned(), (*reason).to_owned(), number.to_string()]);
        }
        text = format!("{text}\n{}", table.text());
    }
    let kind = |((content, reason), number)| json!({"holds": content, "reason": reason, "number": number});
    json["kinds"] = kinds.into_iter().map(kind).collect();
    Ok(Report::new(text, json, Exit::Done))
}

pub(super) async fn list(queues: &Queues, selection: &Selection) -> Result<Report, Error> {
    let dead_letters = queues.read(&selection.filter(true), selection.limit()).await?;
    let exit = match dead_letters.as_slice() {
        [] => Exit::NothingMatched,
        some if some.iter().any(DeadLetter::has_unreadable_record) => Exit::InPart,
        _ => Exit::Done,
    };
    let text = if dead_letters.is_empty() {
        format!("{}{}.\n", nothing_text(selection), queues.held_by_others().await?)
    } else {
        format!("{}\n{}.\n", table(&dead_letters), count(dead_letters.len(), "dead letter"))
    };
    Ok(Report::new(text, json!({"messages": json_of(&dead_letters), "found": dead_letters.len()}), exit))
}

/// That nothing was found: there may be dead letters that were not asked for.
fn nothing_text(selection: &Selection) -> &'static str {
    let is_of_all = selection.reason.is_none() && !selection.only_alive;
    if is_of_all { "No dead letters" } else { "No dead letters match" }
}

pub(super) async fn show(queues: &Queues, id: &str) -> Result<Report, Error> {
    let dead_letters = queues.read(&Filter { unreadable: true, ..Filter::default() }, usize::MAX).await?;
    let is_it = |dead_letter: &&DeadLetter| {
        dead_letter.message_id == id || dead_letter.attempt_id().is_some_and(|attempt_id| attempt_id.to_string() == id)
    };
    let dead_letter = dead_letters
        .iter()
        .find(is_it)
        .ok_or_else(|| Error::NothingMatched("no dead letter has this id".to_owned()))?;
    let json = dead_letter.json();
    let mut fields = Table::default();
    for (name, value) in json.as_object().into_iter().flatten() {
        let shown = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        fields.field(&name.replace('_', " "), shown);
    }
    Ok(Report::new(fields.text(), json, Exit::Done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_there_are_no_dead_letters_is_said_where_all_were_asked_for() {
        assert_eq!(nothing_text(&Selection::default()), "No dead letters");
        let of_reason = Selection { reason: Some("misconfigured".to_owned()), ..Selection::default() };
        let alive = Selection { only_alive: true, ..Selection::default() };
        for some in [of_reason, alive] {
            assert_eq!(nothing_text(&some), "No dead letters match");
        }
    }
}
