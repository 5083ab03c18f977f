//! The `notifier` function: opens its connections, reads its configuration, and runs.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use notifier::{Config, Notifier, SERVICES};
use shared::{aws::Start, process};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let start = Start::begin(&settings, &SERVICES).await?;
    let notifier = Notifier::new(Config::read(&settings)?, start.aws(), process::now, process::random);
    start.finish(notifier.warm_up()).await;
    Box::pin(run(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, Error>(Box::pin(notifier.handle(event.payload)).await?)
    })))
    .await
}
