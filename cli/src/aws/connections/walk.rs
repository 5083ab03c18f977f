//! A walk through the token table, which has no index. No token leaves DynamoDB: what form a refresh token has is told by the
//! filter that its row passes, so that each page is read once for each form.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use shared::{
    attempt::attr,
    aws::dynamodb,
    conditional_write::{Attributes, Value},
    connection::REFRESH_TOKEN,
};

use super::{ConnectionTable, projection};
use crate::{args::Part, error::Error, records::Form, report::Progress};

/// The most rows of a page.
const PAGE: usize = 500;

type Key = HashMap<String, AttributeValue>;

/// Whether a table has sealed refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HasSealed {
    Yes,
    No,
    /// None of so many rows has one, and the table has more.
    Unknown {
        rows_read: usize,
    },
}

/// The rows that a walk came by.
#[derive(Debug)]
pub(crate) struct Walked {
    /// The part of the table that it went through.
    pub(crate) part: Part,
    pub(crate) rows: Vec<(Attributes, Form)>,
    /// How many rows were read.
    pub(crate) rows_read: usize,
    /// Whether the limit has ended it before the part's end.
    pub(crate) has_more: bool,
}

/// Which rows have a refresh token of this form.
const fn filter(form: Form) -> &'static str {
    match form {
        Form::Sealed => "begins_with(#refresh_token, :sealed)",
        Form::Plain => {
            "attribute_exists(#refresh_token) AND #refresh_token <> :empty AND NOT begins_with(#refresh_token, :sealed)"
        }
        Form::Missing => "attribute_not_exists(#refresh_token) OR #refresh_token = :empty",
    }
}

impl ConnectionTable {
    /// Reads up to so many rows of a part, without their tokens.
    pub(crate) async fn walk(&self, part: Part, limit: usize) -> Result<Walked, Error> {
        let mut walked = Walked { part, rows: Vec::new(), rows_read: 0, has_more: false };
        let (mut seen, mut start) = (HashSet::new(), None);
        let mut progress = Progress::of("rows read");
        loop {
            let size = PAGE.min(limit - walked.rows_read);
            if size == 0 {
                walked.has_more = start.is_some();
                return Ok(walked);
            }
            let mut next = None;
            for form in Form::ALL {
                let page = self.page(form, part, start.clone(), size).await?;
                // A row that is written between two readings may pass two filters.
                let key = |row: &Attributes| row.get(attr::WA_ID).and_then(Value::as_text).map(str::to_owned);
                let new = page.rows.into_iter().filter(|row| seen.insert(key(row)));
                walked.rows.extend(new.map(|row| (row, form)));
                if form == Form::ALL[0] {
                    walked.rows_read += page.rows_read;
                    next = page.next;
                }
            }
            progress.show(walked.rows_read, None);
            if next.is_none() {
                return Ok(walked);
            }
            start = next;
        }
    }

    /// Whether any row has a sealed refresh token, as far as so many rows tell.
    pub(crate) async fn has_sealed(&self, limit: usize) -> Result<HasSealed, Error> {
        let (mut start, mut rows_read) = (None, 0);
        let mut progress = Progress::of("rows read");
        loop {
            let page = self.page(Form::Sealed, Part::WHOLE, start, PAGE.min(limit - rows_read)).await?;
            rows_read += page.rows_read;
            progress.show(rows_read, None);
            match page.next {
                _ if !page.rows.is_empty() => return Ok(HasSealed::Yes),
                None => return Ok(HasSealed::No),
                Some(_) if rows_read >= limit => return Ok(HasSealed::Unknown { rows_read }),
                next => start = next,
            }
        }
    }

    /// About how many rows there are: DynamoDB counts them every six hours.
    pub(crate) async fn about(&self) -> Result<u64, Error> {
        let described = self.client.describe_table().table_name(&self.table).send().await;
        let table = described.map_err(Error::aws("read the table's settings", "DescribeTable"))?.table;
        let items = table.and_then(|table| table.item_count);
        Ok(items.and_then(|items| u64::try_from(items).ok()).unwrap_or_default())
    }

    async fn page(&self, form: Form, part: Part, start: Option<Key>, size: usize) -> Result<Page, Error> {
        let (projection, names) = projection();
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let request = self.client.scan().table_name(&self.table).set_exclusive_start_key(start);
        let mut request = request
            .segment(number(part.number - 1))
            .total_segments(number(part.of))
            .limit(i32::try_from(size).unwrap_or(i32::MAX))
            .projection_expression(projection)
            .set_expression_attribute_names(Some(names))
            .expression_attribute_names("#refresh_token", REFRESH_TOKEN)
            .filter_expression(filter(form));
        for (name, value) in [(":sealed", "sealed:"), (":empty", "")] {
            if filter(form).contains(name) {
                request = request.expression_attribute_values(name, AttributeValue::S(value.to_owned()));
            }
        }
        let answer = request.send().await.map_err(Error::aws("scan the token table", "Scan"))?;
        Ok(Page {
            rows: answer.items.unwrap_or_default().into_iter().map(dynamodb::attributes).collect(),
            rows_read: usize::try_from(answer.scanned_count).unwrap_or_default(),
            next: answer.last_evaluated_key.filter(|key| !key.is_empty()),
        })
    }
}

struct Page {
    rows: Vec<Attributes>,
    rows_read: usize,
    next: Option<Key>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fakes::{Answer, Server};
    use serde_json::json;

    use super::*;
    use crate::aws::tests::config_of;

    /// A table of these rows, each with the form of its refresh token, of which DynamoDB reads so many at once.
    async fn table(rows: &[(&str, Form)], at_once: usize) -> (Server, ConnectionTable) {
        let server = Server::start().await;
        let rows: Vec<_> = rows.iter().map(|(chat, form)| ((*chat).to_owned(), *form)).collect();
        server.on("Scan", move |request| scanned(&request.json(), &rows, at_once));
        let table = ConnectionTable::new(&config_of(&server).await, "tokens");
        (server, table)
    }

    fn scanned(request: &serde_json::Value, rows: &[(String, Form)], at_once: usize) -> Answer {
        let limit = usize::try_from(request["Limit"].as_u64().unwrap()).unwrap().min(at_once);
        let after = request["ExclusiveStartKey"]["wa_id"]["S"].as_str();
        let start = after.map_or(0, |key| rows.iter().position(|(chat, _)| chat == key).unwrap() + 1);
        let page = &rows[start..rows.len().min(start + limit)];
        let wanted = Form::ALL.into_iter().find(|form| request["FilterExpression"] == filter(*form)).unwrap();
        let items: Vec<_> =
            page.iter().filter(|(_, form)| *form == wanted).map(|(chat, _)| json!({"wa_id": {"S": chat}})).collect();
        let mut answer = json!({"Items": items, "Count": items.len(), "ScannedCount": page.len()});
        if start + page.len() < rows.len() {
            answer["LastEvaluatedKey"] = json!({"wa_id": {"S": page.last().unwrap().0}});
        }
        answer.into()
    }

    const ROWS: [(&str, Form); 5] =
        [("a", Form::Sealed), ("b", Form::Missing), ("c", Form::Plain), ("d", Form::Sealed), ("e", Form::Sealed)];

    /// The rows by their keys.
    fn forms(walked: &Walked) -> BTreeMap<String, Form> {
        let key = |row: &Attributes| row[attr::WA_ID].as_text().unwrap().to_owned();
        walked.rows.iter().map(|(row, form)| (key(row), *form)).collect()
    }

    fn known(rows: &[(&str, Form)]) -> BTreeMap<String, Form> {
        rows.iter().map(|(chat, form)| ((*chat).to_owned(), *form)).collect()
    }

    #[tokio::test]
    async fn a_walk_knows_the_form_of_every_refresh_token_and_reads_none() {
        let (server, table) = table(&ROWS, 2).await;
        let walked = table.walk(Part::WHOLE, 100).await.unwrap();
        assert_eq!(forms(&walked), known(&ROWS));
        assert_eq!((walked.rows_read, walked.has_more), (5, false));
        for request in server.requests("Scan") {
            let names = request.json()["ExpressionAttributeNames"].take();
            let shown = request.json()["ProjectionExpression"].as_str().unwrap().to_owned();
            let shown: Vec<_> = shown.split(", ").map(|name| names[name].as_str().unwrap()).collect();
            assert!(!shown.iter().any(|name| name.ends_with("_token")), "{shown:?}");
        }
    }

    #[tokio::test]
    async fn each_page_is_read_once_for_each_form() {
        let (server, table) = table(&ROWS, 2).await;
        table.walk(Part::WHOLE, 100).await.unwrap();
        assert_eq!(server.count("Scan"), 3 * 3);
    }

    #[tokio::test]
    async fn a_walk_ends_at_its_limit_and_says_whether_there_are_more() {
        let (_server, table) = table(&ROWS, 100).await;
        let walked = table.walk(Part::WHOLE, 3).await.unwrap();
        assert_eq!((forms(&walked), walked.rows_read, walked.has_more), (known(&ROWS[..3]), 3, true));
        let walked = table.walk(Part::WHOLE, 5).await.unwrap();
        assert_eq!((walked.rows_read, walked.has_more), (5, false));
    }

    #[tokio::test]
    async fn a_row_that_passes_two_filters_is_listed_once() {
        let (_server, table) = table(&[("a", Form::Plain), ("a", Form::Sealed)], 2).await;
        assert_eq!(table.walk(Part::WHOLE, 100).await.unwrap().rows.len(), 1);
    }

    #[tokio::test]
    async fn a_part_is_a_segment_of_the_table() {
        let (server, table) = table(&ROWS, 100).await;
        let walked = table.walk("2/8".parse().unwrap(), 100).await.unwrap();
        assert_eq!(walked.part.to_string(), "2/8");
        for request in server.requests("Scan") {
            assert_eq!((&request.json()["Segment"], &request.json()["TotalSegments"]), (&json!(1), &json!(8)));
        }
    }

    #[tokio::test]
    async fn a_page_with_a_sealed_token_is_the_last_that_is_read() {
        let (server, sealed) = table(&ROWS, 2).await;
        assert_eq!(sealed.has_sealed(100).await.unwrap(), HasSealed::Yes);
        assert_eq!(server.count("Scan"), 1);
    }

    #[tokio::test]
    async fn a_sealed_token_behind_rows_without_one_is_found() {
        let (_server, sealed) = table(&ROWS[1..], 1).await;
        assert_eq!(sealed.has_sealed(100).await.unwrap(), HasSealed::Yes);
    }

    #[tokio::test]
    async fn a_table_that_was_read_to_its_end_has_no_sealed_token() {
        let (_server, plain) = table(&ROWS[1..3], 1).await;
        assert_eq!(plain.has_sealed(100).await.unwrap(), HasSealed::No);
    }

    #[tokio::test]
    async fn beyond_its_limit_nothing_is_known_of_a_table() {
        let (server, sealed) = table(&ROWS[1..], 1).await;
        assert_eq!(sealed.has_sealed(2).await.unwrap(), HasSealed::Unknown { rows_read: 2 });
        assert_eq!(server.count("Scan"), 2);
    }

    #[tokio::test]
    async fn a_scan_that_fails_says_what_may_not_be_done() {
        let (server, table) = table(&ROWS, 100).await;
        server.next("Scan", fakes::aws::error("AccessDeniedException"));
        let error = table.walk(Part::WHOLE, 100).await.unwrap_err().to_string();
        assert!(error.contains("scan the token table") && error.contains("AccessDeniedException"), "{error}");
    }
}
