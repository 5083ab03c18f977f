//! The usual way: the callback receiver with the credentials, the TLS and the root certificates that the SDK brings.

use callback_receiver::{Config, Receiver};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::process;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    process::start_logging(&settings)?;
    let aws = aws_config::load_from_env().await;
    let receiver = Receiver::new(Config::read(&settings)?, &aws, process::now);
    receiver.warm_up().await;
    run(service_fn(async |event: LambdaEvent<_>| Ok::<_, Error>(receiver.handle(&event.payload).await))).await
}
