//! The lower bound of a receiver: the callback receiver's work without the AWS SDK. It verifies, sends and responds as the
//! receiver does, over a connection that it opened itself, with requests that it signs itself. It does not retry.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use receiver_sdk_free::Connection;
use serde_json::json;
use shared::{
    AuthorizationCode, Language,
    binding::BrowserSecret,
    exchange::{Consent, ExchangeMessage, StateText},
    logging,
    page::{self, Brand, Frame, Mood},
    process,
    state::{State, StateKey},
    texts,
};

struct Receiver {
    queue: Connection,
    queue_url: String,
    key: StateKey,
    brand: Brand,
}

impl Receiver {
    async fn receive(&self, request: &ApiGatewayV2httpRequest) -> Result<(), Error> {
        let now = process::now();
        let (mut state, mut code) = (None, None);
        let query = request.raw_query_string.as_deref().unwrap_or_default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "state" => state = Some(value.into_owned()),
                "code" => code = Some(value.into_owned()),
                _ => {}
            }
        }
        let text = state.ok_or("no state")?;
        let State::Signed(state) = State::parse(&text)? else { return Err("not signed".into()) };
        let claims = state.verify(std::slice::from_ref(&self.key), now)?;
        let cookies = request.cookies.iter().flatten().map(String::as_bytes);
        let is_bound = claims.binding.is_none_or(|binding| {
            BrowserSecret::find(cookies, claims.cookie_name())
                .is_some_and(|secret| secret.binding(claims.attempt_id).matches(&binding))
        });
        if !is_bound {
            return Err("another browser".into());
        }
        let code = AuthorizationCode::parse(code.ok_or("no code")?)?;
        let message = ExchangeMessage {
            state: StateText::new(text),
            received_at: now,
            consent: Consent::Granted { code, proof: None },
        };
        let body = json!({ "QueueUrl": self.queue_url, "MessageBody": message.to_body() });
        self.queue.call("AmazonSQS.SendMessage", &body).await.map(drop)
    }

    async fn handle(&self, request: &ApiGatewayV2httpRequest) -> Result<ApiGatewayV2httpResponse, Error> {
        self.receive(request).await?;
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = 200;
        let frame = Frame { brand: &self.brand, language: Language::English, bot: None };
        let page = frame.page(Mood::Good, &texts::CALLBACK_WAIT, &frame.back_to_whatsapp());
        let policy = page.policy("'none'");
        let headers = [("content-type", "text/html; charset=utf-8"), ("content-security-policy", policy.as_str())];
        for (name, value) in headers.into_iter().chain(page::SECURITY_HEADERS) {
            response.headers.insert(name, value.parse()?);
        }
        response.body = Some(page.html.into());
        Ok(response)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    logging::start(&settings)?;
    let key = StateKey::from_base64(&settings.required("STATE_PUBLIC_KEYS")?)?;
    let queue = Connection::open(&settings, "sqs").await?;
    let (queue_url, brand) = (settings.required("EXCHANGE_QUEUE_URL")?, Brand::read(&settings));
    let receiver = Receiver { queue, queue_url, key, brand };
    run(service_fn(async |event: LambdaEvent<_>| receiver.handle(&event.payload).await)).await
}
