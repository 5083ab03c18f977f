//! The `connect-link` function: opens its connections, reads its configuration, and runs.

use std::convert::Infallible;

use connect_link::{AfterFirst, Config, ConnectLink, LATER, SERVICES};
use lambda_runtime::{Error, LambdaEvent, Runtime, layers::TracingLayer, service_fn};
use shared::{aws::Start, process};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    let start = Start::begin(&settings, &SERVICES).await?;
    let later = start.later(&settings, &LATER)?;
    let connect_link = ConnectLink::new(Config::read(&settings)?, start.aws(), process::now, process::random);
    start.finish(connect_link.warm_up()).await;
    let runtime = Runtime::new(service_fn(async |event: LambdaEvent<_>| {
        Ok::<_, Infallible>(Box::pin(connect_link.handle(&event.payload)).await)
    }));
    // Boxed, since a page of stack costs as much as a page of heap, and stack frames are touched whole.
    let get_ready = Box::pin(later.open(connect_link.get_ready()));
    runtime.layer(TracingLayer::new()).layer(AfterFirst::new(get_ready)).run().await
}
