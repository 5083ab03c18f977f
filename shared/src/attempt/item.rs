//! The row of an attempt: the names of its attributes.

/// The attributes of an item of `connection_attempts`. All times are numbers, in milliseconds
/// since the epoch, but [`attr::EXPIRES_AT`].
pub mod attr {
    /// Key (S): [`crate::attempt::AttemptId`].
    pub const ATTEMPT_ID: &str = "attempt_id";
    /// S: [`crate::WaId`].
    pub const WA_ID: &str = "wa_id";
    /// S: [`crate::attempt::Status`].
    pub const STATUS: &str = "status";
    /// S: [`crate::attempt::Reason`], with `failed` and `delayed`.
    pub const REASON: &str = "reason";
    /// S: Salesforce's own `error`, where there was one.
    pub const SALESFORCE_ERROR: &str = "salesforce_error";
    /// S: which code it is about.
    pub const CODE_SHA256: &str = "code_sha256";
    /// N: until when an exchanger holds the attempt.
    pub const LEASE_UNTIL: &str = "lease_until";
    /// N: how often the message was received.
    pub const RECEIVES: &str = "receives";
    /// S: the Salesforce user name.
    pub const USERNAME: &str = "username";
    /// S: the Salesforce org's id.
    pub const ORG_ID: &str = "org_id";
    /// S: where the org's API is.
    pub const INSTANCE_URL: &str = "instance_url";
    /// S: the scopes granted.
    pub const SCOPE: &str = "scope";
    /// S: where the person logged in.
    pub const LOGIN_URL: &str = "login_url";
    /// BOOL: was there a connection before?
    pub const RENEWED: &str = "renewed";
    /// N.
    pub const CREATED_AT: &str = "created_at";
    /// N.
    pub const UPDATED_AT: &str = "updated_at";
    /// N: an operator asked for the announcement again. Only the write counts: it makes a record of the stream.
    pub const REDELIVERED_AT: &str = "redelivered_at";
    /// N: both the person and the bot know.
    pub const NOTIFIED_AT: &str = "notified_at";
    /// N: the person knows.
    pub const MESSAGED_AT: &str = "messaged_at";
    /// N: the bot knows.
    pub const BOT_TOLD_AT: &str = "bot_told_at";
    /// S: WhatsApp's code for why the person cannot be told; then there is no [`MESSAGED_AT`].
    pub const MESSAGE_ERROR: &str = "message_error";
    /// N: the person knows that it takes longer. Unlike the marks it lasts until the attempt is over, because each of
    /// several messages of one attempt may find that out.
    pub const DELAY_TOLD_AT: &str = "delay_told_at";
    /// What an outcome loses when a later one takes its place, so that the later is announced.
    pub const MARKS: [&str; 4] = [NOTIFIED_AT, MESSAGED_AT, BOT_TOLD_AT, MESSAGE_ERROR];
    /// N: when the item may be deleted, in **seconds** since the epoch (DynamoDB's TTL).
    pub const EXPIRES_AT: &str = "expires_at";
}
