//! The `token-exchanger` function: reads its configuration, opens its connections, and runs.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use shared::{Timestamp, aws, process};
use token_exchanger::{Config, SERVICES, TokenExchanger};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let (aws, connections) = aws::connect(&settings, &SERVICES).await?;
    process::start_logging(&settings)?;
    let exchanger = TokenExchanger::new(Config::read(&settings)?, &aws, process::now)?;
    Box::pin(exchanger.warm_up()).await;
    connections.opened().await;
    Box::pin(lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, Error>(Box::pin(exchanger.handle(event.payload, Timestamp::from_millis(event.context.deadline))).await?)
    })))
    .await
}
