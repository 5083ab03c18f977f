//! The lower bound of a receiver: the callback receiver's work without the AWS SDK. It verifies, sends, counts, logs and responds
//! as the receiver does, over a connection that it opened itself, with requests that it signs itself, and prepares one at its
//! start. It does not retry, refuses nobody politely, and knows one kind of state.

use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use maud::html;
use receiver_sdk_free::Connection;
use serde_json::{Value, json};
use shared::{
    AuthorizationCode, Language, LoginUrls,
    binding::{BrowserSecret, UsedLogin},
    exchange::{Consent, ExchangeMessage, StateText},
    logging,
    metrics::{Measurement, Meter, Metric},
    page::{Brand, Frame, Mood},
    process,
    state::{Claims, State, StateKey},
    texts::{self, CallbackWaitTextNamed},
    timestamp::millis,
    web::{Content, Parameter, Request, Response},
};
use tokio::time::timeout;
use tracing::info;

const SEND_MESSAGE: &str = "AmazonSQS.SendMessage";
const DEADLINE: Duration = Duration::from_secs(9);

struct Receiver {
    queue: Connection,
    queue_url: String,
    key: StateKey,
    login_urls: LoginUrls,
    meter: Meter,
    brand: Brand,
    default_language: Language,
}

impl Receiver {
    fn send(&self, body: &str) -> Value {
        json!({ "QueueUrl": self.queue_url, "MessageBody": body })
    }

    async fn receive(&self, request: Request<'_>) -> Result<(Claims, String), Error> {
        let now = process::now();
        let [state, code, error, _, issuer] =
            request.parameters(["state", "code", "error", "error_description", "iss"]).values;
        let (Parameter::Once(text), Parameter::Once(code)) = (state, code) else { return Err("no callback".into()) };
        if error != Parameter::Absent {
            return Err("denied".into());
        }
        let State::Signed(state) = State::parse(&text)? else { return Err("not signed".into()) };
        let claims = state.verify(std::slice::from_ref(&self.key), now)?;
        let is_bound = claims.binding.is_none_or(|binding| {
            BrowserSecret::find(request.cookies(), claims.cookie_name())
                .is_some_and(|secret| secret.binding(claims.attempt_id).matches(&binding))
        });
        if !is_bound {
            return Err("another browser".into());
        }
        if let Parameter::Once(issuer) = issuer
            && !self.login_urls.contains(&issuer.parse()?)
        {
            return Err("another issuer".into());
        }
        let code = AuthorizationCode::parse(code)?;
        let used = UsedLogin::of(claims.attempt_id).set_cookie(&code.sha256(), None);
        let consent = Consent::Granted { code, proof: None };
        let message = ExchangeMessage { state: StateText::new(text), received_at: now, consent };
        timeout(DEADLINE, self.queue.call(SEND_MESSAGE, &self.send(&message.to_body()))).await??;
        Ok((claims, used))
    }

    async fn handle(&self, request: &ApiGatewayV2httpRequest) -> Result<ApiGatewayV2httpResponse, Error> {
        let (request, started) = (Request::new(request), process::now());
        let (claims, used) = self.receive(request).await?;
        let now = process::now();
        let (result, attempt_id) = ("accepted", tracing::field::display(claims.attempt_id));
        info!(target: "callback_receiver", result, attempt_id, duration_ms = millis(now.since(started)), "callback accepted");
        let returned = Measurement::one(Metric::Logins, &[("Step", "returned")]);
        self.meter.record(now, &[Measurement::one(Metric::Callbacks, &[("Result", result)]), returned]);
        let cookies = vec![claims.cookie_name().clear(), used];
        let content = if request.wants_json() {
            Content::Json(json!({ "status": result, "attempt_id": claims.attempt_id }).to_string())
        } else {
            let of_link = claims.link.as_ref().and_then(|link| link.language);
            let language = of_link.or_else(|| request.language()).unwrap_or(self.default_language);
            let frame = Frame { brand: &self.brand, language, bot: None };
            let text = match claims.wa_id.masked_number() {
                Some(number) => CallbackWaitTextNamed { number: frame.masked_number(&number) }.markup(language),
                None => frame.say(&texts::CALLBACK_WAIT_TEXT),
            };
            let body = html! { p { (text) } (frame.back_to_whatsapp()) };
            Content::Page(frame.following_page(Mood::Good, &texts::CALLBACK_WAIT, &body, claims.attempt_id))
        };
        Ok(Response { status: 200, content, retry_after: None, cookies }.into_event(false))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = process::environment();
    logging::start(&settings)?;
    let receiver = Receiver {
        queue: Connection::open(&settings, "sqs").await?,
        queue_url: settings.required("EXCHANGE_QUEUE_URL")?,
        key: StateKey::from_base64(&settings.required("STATE_PUBLIC_KEYS")?)?,
        login_urls: settings.parsed("LOGIN_URLS")?,
        meter: Meter::read(&settings)?,
        brand: Brand::read(&settings),
        default_language: settings.parsed("DEFAULT_LANGUAGE")?,
    };
    receiver.queue.signed(SEND_MESSAGE, receiver.send("").to_string())?;
    run(service_fn(async |event: LambdaEvent<_>| receiver.handle(&event.payload).await)).await
}
