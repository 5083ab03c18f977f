//! The usual way: the callback receiver with the SDK's own credentials, TLS and root certificates.

use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use callback_receiver::{Config, Receiver};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::{logging, process};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    logging::start(&settings)?;
    // The SDK's default, made once for both clients.
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
    let aws = aws_config::from_env().http_client(http).load().await;
    let queue =
        aws_sdk_sqs::Client::new(&aws).get_queue_attributes().queue_url(settings.required("EXCHANGE_QUEUE_URL")?);
    queue.attribute_names(QueueAttributeName::QueueArn).send().await?; // opens the connection
    let receiver = Receiver::new(Config::read(&settings)?, &aws, process::now);
    run(service_fn(async |event: LambdaEvent<_>| Ok::<_, Error>(receiver.handle(&event.payload).await))).await
}
