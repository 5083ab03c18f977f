//! The `callback-receiver` function: opens its connections, reads its configuration, and runs.

use callback_receiver::{Config, Receiver, services};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{aws::Start, process};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let start = Start::begin(&settings, services(&settings)).await?;
    let receiver = Receiver::new(Config::read(&settings)?, start.aws(), process::now);
    start.finish(receiver.warm_up()).await;
    // Boxed, since a page of stack costs as much as a page of heap, and stack frames are touched whole.
    Box::pin(run(service_fn(async |event: LambdaEvent<_>| Ok::<_, Error>(receiver.handle(&event.payload).await)))).await
}
