//! The `token-exchanger` function: opens its connections, reads its configuration, and runs.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{Timestamp, aws::Start, process};
use token_exchanger::{Config, SERVICES, TokenExchanger};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let start = Start::begin(&settings, &SERVICES).await?;
    let exchanger = TokenExchanger::new(Config::read(&settings)?, start.aws(), process::now, process::random);
    start.finish(exchanger.warm_up()).await;
    Box::pin(run(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, Error>(Box::pin(exchanger.handle(event.payload, Timestamp::from_millis(event.context.deadline))).await?)
    })))
    .await
}
