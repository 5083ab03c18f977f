//! The `connect-link` function: opens its connections, reads its configuration, and runs.

use std::convert::Infallible;

use connect_link::{Config, ConnectLink, SERVICES};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{aws::Start, process};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let start = Start::begin(&settings, &SERVICES).await?;
    let connect_link = ConnectLink::new(Config::read(&settings)?, start.aws(), process::now, process::random);
    start.finish(connect_link.warm_up()).await;
    run(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, Infallible>(Box::pin(connect_link.handle(&event.payload)).await)
    }))
    .await
}
