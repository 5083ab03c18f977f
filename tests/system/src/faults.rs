//! Answers that the sandbox gives in place of its own, or of AWS's.

use serde_json::{Value, json};

/// A refusal by Salesforce's token endpoint.
pub fn refusal(error: &str, description: &str) -> Value {
    json!({"status": 400, "body": {"error": error, "error_description": description}})
}

/// DynamoDB's answer when it throttles.
pub fn throttled() -> Value {
    let name = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
    json!({"status": 400, "body": {"__type": name, "message": "too much"}, "content_type": "application/x-amz-json-1.0"})
}

/// An AWS service's internal error.
pub fn server_error() -> Value {
    json!({"status": 500, "body": {"__type": "InternalServerError"}, "content_type": "application/x-amz-json-1.0"})
}

/// `EventBridge`'s answer where it refuses the only entry of a call.
pub fn entry_refused() -> Value {
    let entry = json!({"ErrorCode": "InternalFailure", "ErrorMessage": "Unexpected internal failure"});
    json!({"status": 200, "body": {"FailedEntryCount": 1, "Entries": [entry]}, "content_type": "application/x-amz-json-1.1"})
}
