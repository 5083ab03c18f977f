//! Starts the callback receiver.

use callback_receiver::{Config, Receiver, services};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::process;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let (aws, connections) = shared::aws::connect(&settings, services(&settings)).await?;
    process::start_logging(&settings)?;
    let receiver = Receiver::new(Config::read(&settings)?, &aws, process::now);
    // Boxed, since a page of stack costs as much as a page of heap, and whole frames are touched.
    Box::pin(receiver.warm_up()).await;
    connections.opened().await;
    Box::pin(run(service_fn(async |event: LambdaEvent<_>| Ok::<_, Error>(receiver.handle(&event.payload).await)))).await
}
