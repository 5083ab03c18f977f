//! The token table as a sweep reads it: its size, and page by page. It may be the customer's: no index of it is asked for.

use aws_sdk_dynamodb::{
    operation::{describe_table::DescribeTableInput, scan::ScanInput},
    types::AttributeValue,
};
use shared::{
    attempt::attr,
    aws::{AwsError, Service, dynamodb},
    conditional_write::Attributes,
    connection::{ENDED_AT, ISSUED_AT, LEASE_UNTIL, LOST_AT, REFRESH_TOKEN, REFRESHED_AT, VERSION},
    custody::upkeep::Page,
};

use crate::sweep::plan::{PAGE_ROWS, Size};

/// What a sweep reads of a row.
const PROJECTION: [&str; 8] =
    [attr::WA_ID, REFRESH_TOKEN, REFRESHED_AT, ISSUED_AT, ENDED_AT, LEASE_UNTIL, LOST_AT, VERSION];

/// The table `salesforce_tokens`.
#[derive(Clone, Debug)]
pub(crate) struct TokenTable {
    dynamodb: Service,
    name: String,
}

/// The rows of a page.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Attributes>,
    /// Where the next page begins; `None` at the segment's end.
    pub(crate) next_key: Option<String>,
}

impl TokenTable {
    pub(crate) fn new(dynamodb: Service, name: String) -> Self {
        Self { dynamodb, name }
    }

    /// Its size, some hours old.
    pub(crate) async fn size(&self) -> Result<Size, AwsError> {
        let operation = "DescribeTable";
        let request = DescribeTableInput::builder().table_name(&self.name);
        let answer = self.dynamodb.call(request).await.map_err(AwsError::of(operation))?;
        let table = answer.table.ok_or_else(|| AwsError::unexpected(operation))?;
        let number = |value: Option<i64>| value.and_then(|value| value.try_into().ok()).unwrap_or_default();
        Ok(Size { bytes: number(table.table_size_bytes), rows: number(table.item_count) })
    }

    /// The rows of a page, eventually consistent: whatever follows looks at the row again.
    pub(crate) async fn page(&self, page: &Page) -> Result<Rows, AwsError> {
        let names: Vec<_> = (0..PROJECTION.len()).map(|number| format!("#{number}")).collect();
        let mut scan = ScanInput::builder()
            .table_name(&self.name)
            .segment(number(page.segment))
            .total_segments(number(page.segments))
            .limit(i32::try_from(PAGE_ROWS).unwrap_or(i32::MAX))
            .projection_expression(names.join(","));
        for (placeholder, name) in names.into_iter().zip(PROJECTION) {
            scan = scan.expression_attribute_names(placeholder, name);
        }
        if let Some(key) = &page.start_key {
            scan = scan.exclusive_start_key(attr::WA_ID, AttributeValue::S(key.clone()));
        }
        let answer = self.dynamodb.call(scan).await.map_err(AwsError::of("Scan"))?;
        let next_key = match answer.last_evaluated_key {
            None => None,
            Some(mut key) => match key.remove(attr::WA_ID) {
                Some(AttributeValue::S(key)) => Some(key),
                // The key of another table than ours.
                _ => return Err(AwsError::unexpected("Scan")),
            },
        };
        Ok(Rows { rows: answer.items.unwrap_or_default().into_iter().map(dynamodb::attributes).collect(), next_key })
    }
}

fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
