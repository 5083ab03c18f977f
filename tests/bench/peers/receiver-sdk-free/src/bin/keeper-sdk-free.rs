//! The lower bound of a token call: the keeper's work for a token that is fresh, without the AWS SDK. It reads the row over a
//! connection that it opened itself, with a request that it signs itself. It does not retry, and refreshes nothing.

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use receiver_sdk_free::Connection;
use serde_json::{Value, json};
use shared::{WaId, logging, process};

const MAX_AGE: Duration = Duration::from_hours(1);

struct Keeper {
    table: Connection,
    table_name: String,
}

impl Keeper {
    async fn token(&self, request: &ApiGatewayV2httpRequest) -> Result<Value, Error> {
        let now = process::now();
        let body: Value = serde_json::from_str(request.body.as_deref().ok_or("no body")?)?;
        let wa_id: WaId = body["wa_id"].as_str().ok_or("no wa_id")?.parse()?;
        let key = json!({ "wa_id": { "S": wa_id.as_str() } });
        let read = json!({ "TableName": self.table_name, "Key": key, "ConsistentRead": true });
        let answer = self.table.call("DynamoDB_20120810.GetItem", &read).await?;
        let row = &serde_json::from_slice::<Value>(&answer)?["Item"];
        let refreshed_at: u64 = row["refreshed_at"]["N"].as_str().ok_or("not connected")?.parse()?;
        if u128::from(now.millis().saturating_sub(refreshed_at)) >= MAX_AGE.as_millis() {
            return Err("old".into());
        }
        Ok(json!({
            "access_token": row["access_token"]["S"],
            "token_type": "Bearer",
            "instance_url": row["instance_url"]["S"],
            "issued_at": refreshed_at,
            "scope": row["scope"]["S"],
        }))
    }

    async fn handle(&self, request: &ApiGatewayV2httpRequest) -> Result<ApiGatewayV2httpResponse, Error> {
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = 200;
        for (name, value) in [("content-type", "application/json"), ("cache-control", "no-store")] {
            response.headers.insert(name, value.parse()?);
        }
        response.body = Some(self.token(request).await?.to_string().into());
        Ok(response)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    logging::start(&settings)?;
    let table = Connection::open(&settings, "dynamodb").await?;
    let keeper = Keeper { table, table_name: settings.required("DYNAMODB_PROFILE_TABLE_NAME")? };
    run(service_fn(async |event: LambdaEvent<_>| keeper.handle(&event.payload).await)).await
}
