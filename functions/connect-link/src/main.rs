//! The `connect-link` function: reads its configuration, opens its connections, and runs.

use std::convert::Infallible;

use connect_link::{Config, ConnectLink, SERVICES};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use shared::{aws, process};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let (aws, connections) = aws::connect(&settings, &SERVICES).await?;
    process::start_logging(&settings)?;
    let connect_link = ConnectLink::new(Config::read(&settings)?, &aws, process::now, process::random);
    Box::pin(connect_link.warm_up()).await;
    connections.opened().await;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, Infallible>(Box::pin(connect_link.handle(event.payload)).await)
    }))
    .await
}
