//! Starts the notifier.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use notifier::{Config, Notifier};
use shared::process;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    process::start_logging(&settings)?;
    let aws = shared::aws::config(&settings)?;
    let notifier = Notifier::new(Config::read(&settings)?, &aws, process::now, process::random)?;
    notifier.warm_up().await;
    run(service_fn(async |event: LambdaEvent<_>| Ok::<_, Error>(notifier.handle(event.payload).await))).await
}
