//! DynamoDB: how a table is set up.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    Client,
    error::ProvideErrorMetadata as _,
    types::{IndexStatus, PointInTimeRecoveryStatus, StreamViewType, TimeToLiveStatus},
};
use aws_types::SdkConfig;

use crate::error::Error;

/// A table's settings. A table that was restored from a backup has none of them but its indexes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Restore.Tutorial.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableSettings {
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

/// The tables of the account.
#[derive(Clone, Debug)]
pub(crate) struct Tables(Client);

impl Tables {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// A table's stream of new images, in `Some` where the table exists.
    pub(crate) async fn stream(&self, name: &str) -> Result<Option<Option<String>>, Error> {
        Ok(self.describe(name).await?.map(|settings| settings.stream_arn))
    }

    /// A table's settings; `None` where there is no such table.
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

    async fn describe(&self, name: &str) -> Result<Option<TableSettings>, Error> {
        let answer = match self.0.describe_table().table_name(name).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(Error::aws("read the table's settings", "DescribeTable")(error)),
        };
        let table = answer.table.ok_or_else(|| Error::failed("read the table's settings", "unexpected response"))?;
        let has_images = table.stream_specification.is_some_and(|stream| {
            let images = [StreamViewType::NewImage, StreamViewType::NewAndOldImages];
            stream.stream_enabled && stream.stream_view_type.is_some_and(|view| images.contains(&view))
        });
        let indexes = table.global_secondary_indexes.unwrap_or_default();
        let is_active = |status: Option<IndexStatus>| status.is_none_or(|status| status == IndexStatus::Active);
        Ok(Some(TableSettings {
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
