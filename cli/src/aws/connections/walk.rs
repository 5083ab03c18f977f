//! A walk through the token table, which has no index. No token leaves DynamoDB: what form a refresh token has is told by the
//! filter that its row passes, so that each page is read once for each form.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::AttributeValue;
use shared::{attempt::attr, aws::dynamodb, conditional_write::Attributes, connection::REFRESH_TOKEN};

use super::{ConnectionTable, projection};
use crate::{error::Error, records::Form, report::Progress};

/// The most rows of a page.
const PAGE: usize = 500;

type Key = HashMap<String, AttributeValue>;

/// The rows that a walk came by.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    pub(crate) rows: Vec<(Attributes, Form)>,
    /// How many rows were read.
    pub(crate) rows_read: usize,
    /// Whether the limit has ended it.
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
    /// Reads up to so many rows, without their tokens.
    pub(crate) async fn walk(&self, limit: usize) -> Result<Walked, Error> {
        let (mut walked, mut seen, mut start) = (Walked::default(), HashSet::new(), None);
        let mut progress = Progress::of("rows read");
        loop {
            let size = PAGE.min(limit - walked.rows_read);
            if size == 0 {
                walked.has_more = start.is_some();
                return Ok(walked);
            }
            let mut next = None;
            for form in Form::ALL {
                let page = self.page(form, start.clone(), size).await?;
                // A row that is written between two readings may pass two filters.
                let new = page.rows.into_iter().filter(|row| seen.insert(format!("{:?}", row.get(attr::WA_ID))));
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

    /// About how many rows there are: DynamoDB counts them every six hours.
    pub(crate) async fn about(&self) -> Result<u64, Error> {
        let described = self.client.describe_table().table_name(&self.table).send().await;
        let table = described.map_err(Error::aws("read the table's settings", "DescribeTable"))?.table;
        let items = table.and_then(|table| table.item_count);
        Ok(items.and_then(|items| u64::try_from(items).ok()).unwrap_or_default())
    }

    async fn page(&self, form: Form, start: Option<Key>, size: usize) -> Result<Page, Error> {
        let (projection, names) = projection();
        let request = self.client.scan().table_name(&self.table).set_exclusive_start_key(start);
        let mut request = request
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
