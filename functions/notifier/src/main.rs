//! Starts the notifier.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use notifier::{Config, Notifier, SERVICES};
use shared::process;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let (aws, connections) = shared::aws::connect(&settings, &SERVICES).await?;
    process::start_logging(&settings)?;
    let notifier = Notifier::new(Config::read(&settings)?, &aws, process::now, process::random)?;
    Box::pin(notifier.warm_up()).await;
    connections.opened().await;
    Box::pin(run(service_fn(async |event: LambdaEvent<_>| Ok::<_, Error>(notifier.handle(event.payload).await)))).await
}
