//! The lower bound of a token call: the keeper's work for a token that is fresh, without the AWS SDK. It reads the row over a
//! connection that it opened itself, with a request that it signs itself, and prepares one at its start; it counts and logs as
//! the keeper does. It does not retry, and refreshes nothing.

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use receiver_sdk_free::Connection;
use serde_json::{Value, json};
use shared::{
    LoginUrls, Timestamp, WaId, logging,
    metrics::{Measurement, Meter, Metric},
    process,
    timestamp::millis,
    web::{self, Content, Response},
};
use tokio::time::timeout;
use tracing::info;

const GET_ITEM: &str = "DynamoDB_20120810.GetItem";
const MAX_AGE: Duration = Duration::from_hours(1);
const DEADLINE: Duration = Duration::from_secs(20);

struct Keeper {
    table: Connection,
    table_name: String,
    meter: Meter,
}

impl Keeper {
    fn read(&self, wa_id: &str) -> Value {
        json!({ "TableName": self.table_name, "Key": { "wa_id": { "S": wa_id } }, "ConsistentRead": true })
    }

    async fn token(&self, request: &ApiGatewayV2httpRequest) -> Result<Value, Error> {
        let now = process::now();
        let body: Value = serde_json::from_slice(&web::Request::new(request).body())?;
        let wa_id: WaId = body["wa_id"].as_str().ok_or("no wa_id")?.parse()?;
        let answer = timeout(DEADLINE, self.table.call(GET_ITEM, &self.read(wa_id.as_str()))).await??;
        let row = &serde_json::from_slice::<Value>(&answer)?["Item"];
        let refreshed_at: u64 = row["refreshed_at"]["N"].as_str().ok_or("not connected")?.parse()?;
        if u128::from(now.millis().saturating_sub(refreshed_at)) >= MAX_AGE.as_millis() {
            return Err("old".into());
        }
        Ok(json!({
            "access_token": row["access_token"]["S"],
            "token_type": "Bearer",
            "instance_url": row["instance_url"]["S"],
            "issued_at": Timestamp::from_millis(refreshed_at).rfc3339(),
            "scope": row["scope"]["S"],
        }))
    }

    async fn handle(&self, request: &ApiGatewayV2httpRequest) -> Result<ApiGatewayV2httpResponse, Error> {
        let started = process::now();
        let answer = self.token(request).await?;
        let (now, result) = (process::now(), "token");
        let took = now.since(started);
        let duration = Measurement::duration(Metric::TokenCallDuration, took);
        self.meter.record(now, &[Measurement::one(Metric::Requests, &[("Result", result)]), duration]);
        info!(target: "token_keeper", route = "token", status = 200, result, duration_ms = millis(took), "request served");
        let content = Content::Json(answer.to_string());
        Ok(Response { status: 200, content, retry_after: None, cookies: Vec::new() }.into_event(false))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    logging::start(&settings)?;
    settings.parsed::<LoginUrls>("LOGIN_URLS")?;
    let keeper = Keeper {
        table: Connection::open(&settings, "dynamodb").await?,
        table_name: settings.required("DYNAMODB_PROFILE_TABLE_NAME")?,
        meter: Meter::read(&settings)?,
    };
    keeper.table.signed(GET_ITEM, keeper.read("").to_string())?;
    run(service_fn(async |event: LambdaEvent<_>| keeper.handle(&event.payload).await)).await
}
