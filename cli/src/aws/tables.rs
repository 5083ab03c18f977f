//! DynamoDB: how a table is set up.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    Client,
    error::ProvideErrorMetadata as _,
    types::{IndexStatus, PointInTimeRecoveryStatus, StreamViewType, TableDescription, TimeToLiveStatus},
};
use aws_types::SdkConfig;

use crate::error::Error;

/// A table's settings. A table that was restored from a backup has none of them but key, indexes and encryption
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableToPointInTime.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableSettings {
    /// The attributes of its key with their types: `wa_id (S)`.
    pub(crate) key: String,
    /// The ARN of the KMS key that encrypts it; `None` for DynamoDB's own.
    pub(crate) encryption_key: Option<String>,
    /// The stream of new images; `None` where there is none, or it has something else.
    pub(crate) stream_arn: Option<String>,
    pub(crate) is_protected: bool,
    /// The indexes that can be read.
    pub(crate) indexes: BTreeSet<String>,
    /// The attribute by which items expire.
    pub(crate) expiry: Option<String>,
    /// Whether it can be restored to any point in time.
    pub(crate) is_recoverable: bool,
}

impl TableSettings {
    /// Whether this attribute, a string, is the whole key: the functions read and write by it alone.
    pub(crate) fn has_key(&self, attribute: &str) -> bool {
        self.key == format!("{attribute} (S)")
    }
}

/// The tables of the account.
#[derive(Clone, Debug)]
pub(crate) struct Tables(Client);

impl Tables {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// A table's settings, with backups and expiry; `None` where there is no such table.
    pub(crate) async fn settings(&self, name: &str) -> Result<Option<TableSettings>, Error> {
        let Some(mut settings) = self.describe(name).await? else { return Ok(None) };
        let expiry = self.0.describe_time_to_live().table_name(name).send().await;
        let expiry = expiry.map_err(Error::aws("read the table's settings", "DescribeTimeToLive"))?;
        settings.expiry = expiry.time_to_live_description.and_then(|expiry| {
            let is_on =
                matches!(expiry.time_to_live_status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
            expiry.attribute_name.filter(|_| is_on)
        });
        let backups = self.0.describe_continuous_backups().table_name(name).send().await;
        let backups = backups.map_err(Error::aws("read the table's settings", "DescribeContinuousBackups"))?;
        settings.is_recoverable = backups
            .continuous_backups_description
            .and_then(|backups| backups.point_in_time_recovery_description?.point_in_time_recovery_status)
            == Some(PointInTimeRecoveryStatus::Enabled);
        Ok(Some(settings))
    }

    /// A table's settings without backups and expiry; `None` where there is no such table.
    pub(crate) async fn describe(&self, name: &str) -> Result<Option<TableSettings>, Error> {
        let answer = match self.0.describe_table().table_name(name).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(Error::aws("read the table's settings", "DescribeTable")(error)),
        };
        let table = answer.table.ok_or_else(|| Error::failed("read the table's settings", "unexpected response"))?;
        let key = key(&table);
        let has_images = table.stream_specification.is_some_and(|stream| {
            let images = [StreamViewType::NewImage, StreamViewType::NewAndOldImages];
            stream.stream_enabled && stream.stream_view_type.is_some_and(|view| images.contains(&view))
        });
        let indexes = table.global_secondary_indexes.unwrap_or_default();
        let is_active = |status: Option<IndexStatus>| status.is_none_or(|status| status == IndexStatus::Active);
        Ok(Some(TableSettings {
            key,
            encryption_key: table.sse_description.and_then(|encryption| encryption.kms_master_key_arn),
            stream_arn: table.latest_stream_arn.filter(|_| has_images),
            is_protected: table.deletion_protection_enabled.unwrap_or_default(),
            indexes: indexes
                .into_iter()
                .filter(|index| is_active(index.index_status.clone()))
                .filter_map(|index| index.index_name)
                .collect(),
            ..TableSettings::default()
        }))
    }
}

/// A table's key: the attributes with their types.
fn key(table: &TableDescription) -> String {
    let types = table.attribute_definitions();
    let of_type = |name: &str| types.iter().find(|attribute| attribute.attribute_name == name);
    let attributes = table.key_schema().iter().map(|element| {
        let name = &element.attribute_name;
        format!("{name} ({})", of_type(name).map_or("?", |attribute| attribute.attribute_type.as_str()))
    });
    attributes.collect::<Vec<_>>().join(", ")
}
