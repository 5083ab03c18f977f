//! The `token-keeper` function: opens its connection, reads its configuration, and runs.

use std::convert::Infallible;

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{aws::Start, process};
use token_keeper::{Config, SERVICES, TokenKeeper};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let start = Start::begin(&settings, &SERVICES).await?;
    let token_keeper = TokenKeeper::new(Config::read(&settings)?, start.aws(), process::now, process::random);
    start.finish(token_keeper.warm_up()).await;
    run(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, Infallible>(Box::pin(token_keeper.handle(&event.payload)).await)
    }))
    .await
}
