//! Links: makes them for the bot, shows the page behind them, and sends the browser to Salesforce.
//!
//! Nothing is stored but a count of presses, and the reference that a bot gives with a link. A link is sealed under a key that is derived once per process; KMS signs the
//! state of the login that the link starts, and computes the PKCE verifier as a MAC. Showing a link changes nothing,
//! however often it happens: link previews and scanners open links before people do. Only the button binds a browser and
//! starts a login. No link, chat address, name, reference or state is ever logged.

mod after;
mod authorization;
mod config;
#[cfg(test)]
mod contract;
mod link_request;
mod login_status;
mod notice;
mod pages;
mod refusal;
mod request;

use std::{sync::Arc, time::Duration};

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use serde_json::json;
use shared::{
    AttemptId, CallbackUri, Language, LinkId, LoginUrl, Timestamp,
    aws::{
        SdkConfig, dynamodb,
        kms::{Kms, KmsError},
        limits::Limits,
        progress::Progress,
        references::References,
        secrets::{SecretStore, Secrets},
    },
    binding::{BrowserSecret, CookieName},
    link::{Link, LinkKey, SealedLink},
    logging::chain,
    metrics::Metric,
    page::Frame,
    process::Random,
    state::{Claims, LinkOrigin, State, StateKey},
    timestamp::{Clock, millis},
    web::{Content, Response},
};
use tokio::sync::OnceCell;
use tracing::{error, info, warn};

pub use crate::{after::AfterFirst, config::Config};
use crate::{
    authorization::AuthorizationRequest,
    link_request::LinkRequest,
    login_status::LoginStatus,
    refusal::{Explanation, OfLink, Refusal, Unavailable},
    request::{Initiator, Request, Route},
};

/// The AWS services that connections are opened to at the start, as [`shared::aws::Start`] names them: the page needs the
/// key of links, and nothing else.
pub const SERVICES: [&str; 1] = ["kms"];
/// Those that connections are opened to after the first response: the button makes two calls of KMS at once.
pub const LATER: [&str; 3] = ["kms", "secretsmanager", "dynamodb"];

/// The cookie outlives the state by the lifetime of a code, so that a late callback is refused as expired and not
/// as one from the wrong browser.
const COOKIE_GRACE: Duration = Duration::from_mins(15);

/// For how long after its state has expired a page may ask how a login stands: a code lives for 15 minutes from the callback,
/// which comes before that, and a chat has up to 15 minutes to confirm.
const STATUS_GRACE: Duration = Duration::from_mins(30);

/// For counting a press. After it the press is allowed: nobody is to wait for a count.
const COUNT_TIME: Duration = Duration::from_secs(1);

/// For one request. It is less than the function's time-out, at which API Gateway would answer with an error page of
/// its own.
const DEADLINE: Duration = Duration::from_secs(9);

/// The function, ready for requests.
pub struct ConnectLink {
    config: Config,
    kms: Kms,
    secrets: SecretStore,
    limits: Limits,
    references: References,
    progress: Progress,
    state_key: OnceCell<StateKey>,
    link_key: OnceCell<LinkKey>,
    clock: Clock,
    random: Random,
}

/// A request that is served.
struct Served {
    status: u16,
    result: &'static str,
    link_id: LinkId,
    /// With a press.
    attempt_id: Option<AttemptId>,
    content: Content,
    /// The values of `Set-Cookie`.
    cookies: Vec<String>,
}

impl ConnectLink {
    /// A function that has fetched nothing and opened no connection yet.
    #[must_use]
    pub fn new(config: Config, aws: &SdkConfig, clock: Clock, random: Random) -> Self {
        let dynamodb = dynamodb::service(aws);
        Self {
            kms: Kms::new(aws),
            secrets: SecretStore::new(aws, config.sources()),
            limits: Limits::new(dynamodb.clone(), config.limit_table.clone()),
            references: References::new(dynamodb.clone(), config.attempt_table.clone()),
            progress: Progress::new(dynamodb, config.attempt_table.clone()),
            config,
            state_key: OnceCell::new(),
            link_key: OnceCell::new(),
            clock,
            random,
        }
    }

    /// Fetches what the page needs. What fails is tried again when a request needs it.
    pub async fn warm_up(&self) {
        if let Err(error) = self.link_key().await {
            warn!(%error, "link key not derived");
        }
    }

    /// Fetches what the button needs, while the person reads the page. What fails is tried again when a request needs it.
    pub async fn get_ready(&self) {
        let (state_key, secrets) = tokio::join!(self.state_key(), self.secrets.current((self.clock)()));
        if let Err(error) = state_key {
            warn!(%error, "public key not fetched");
        }
        if let Err(error) = secrets {
            warn!(%error, "secrets not fetched");
        }
    }

    /// The public half of the key that signs.
    async fn state_key(&self) -> Result<&StateKey, KmsError> {
        self.state_key.get_or_try_init(|| self.kms.state_key(&self.config.state_key_id)).await
    }

    /// The key that seals and opens links.
    async fn link_key(&self) -> Result<&LinkKey, KmsError> {
        self.link_key.get_or_try_init(|| self.kms.link_key(&self.config.link_key_id)).await
    }

    /// Answers a request, and logs one line about it.
    pub async fn handle(&self, event: &ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let started = (self.clock)();
        let Request { route, api_id, wants_json, language, is_head } = Request::read(event);
        if let Some((status, content)) = route.asset() {
            return Response { status, content, retry_after: None, cookies: Vec::new() }.into_event(is_head);
        }
        let name = route.label();
        if let Route::ShowStatus { state, language: of_page } = &route {
            let frame = self.frame(of_page.or(language));
            return self.answer_status(state.as_deref(), frame, name).await.into_event(is_head);
        }
        let served = tokio::time::timeout(DEADLINE, self.serve(route, &api_id, language))
            .await
            .unwrap_or_else(|_| Err(Unavailable::Deadline.into()));
        let now = (self.clock)();
        let duration_ms = millis(now.since(started));
        let result = served.as_ref().map_or_else(|refusal| refusal.explain().label, |served| served.result);
        self.config.meter.count(now, Metric::Requests, &[("Result", result)]);
        let response = match served {
            Ok(Served { status, result, link_id, attempt_id, content, cookies }) => {
                let attempt_id = attempt_id.map(tracing::field::display);
                info!(route = name, status, result, %link_id, attempt_id, duration_ms, "request served");
                Response { status, content, retry_after: None, cookies }
            }
            Err(refusal) => {
                let explanation = refusal.explain();
                let status = explanation.status;
                let link_id = refusal.link_id().map(tracing::field::display);
                if let Some(fault) = refusal.fault() {
                    let error = chain(fault);
                    error!(route = name, status, result, link_id, duration_ms, error, "request failed");
                } else {
                    info!(route = name, status, result, link_id, duration_ms, "request refused");
                }
                let content = if wants_json {
                    Content::Json(refusal.json())
                } else {
                    Content::Page(pages::refusal(self.frame(refusal.language().or(language)), &explanation))
                };
                Response { status, content, retry_after: refusal.retry_after(), cookies: Vec::new() }
            }
        };
        response.into_event(is_head)
    }

    async fn serve(&self, route: Route, api_id: &str, language: Option<Language>) -> Result<Served, Refusal> {
        match route {
            Route::MakeLink { authorised: false, .. } => Err(Refusal::Unauthorised),
            Route::MakeLink { authorised: true, body } => self.make_link(&body, api_id).await,
            Route::ShowPage { link } => self.show_page(&link, language).await,
            Route::StartLogin { link, initiator, login_url, surplus } => {
                self.start_login(&link, &initiator, login_url.as_deref(), &surplus, api_id).await
            }
            Route::ShowStatus { .. } | Route::Icon | Route::Robots | Route::Unknown => Err(Refusal::UnknownRoute),
        }
    }

    /// The frame of a page in this language, else in the default one.
    fn frame(&self, language: Option<Language>) -> Frame<'_> {
        let Config { brand, bot_phone_number, default_language, .. } = &self.config;
        Frame { brand, language: language.unwrap_or(*default_language), bot: bot_phone_number.as_ref() }
    }

    /// Answers the page after a login. It is neither counted nor logged, since a page asks up to 80 times, but for a fault.
    async fn answer_status(&self, state: Option<&str>, frame: Frame<'_>, route: &str) -> Response {
        let asked = tokio::time::timeout(DEADLINE, self.login_status(state)).await;
        let (status, json, retry_after) = match asked.unwrap_or_else(|_| Err(Unavailable::Deadline.into())) {
            Ok(found) => (200, notice::answer(found, frame).to_string(), None),
            Err(refusal) => {
                let Explanation { status, label: result, .. } = refusal.explain();
                if let Some(fault) = refusal.fault() {
                    error!(route, status, result, error = chain(fault), "request failed");
                }
                (status, refusal.json(), refusal.retry_after())
            }
        };
        Response { status, content: Content::Json(json), retry_after, cookies: Vec::new() }
    }

    /// How the login of a state stands. Only a state that this stack has signed, and not long ago, is worth a read.
    async fn login_status(&self, state: Option<&str>) -> Result<LoginStatus, Refusal> {
        let Some(Ok(State::Signed(state))) = state.map(State::parse) else { return Err(Refusal::UnknownLogin) };
        let key = self.state_key().await.map_err(Unavailable::from)?;
        let claims = state.verify_signature(std::slice::from_ref(key)).map_err(|_| Refusal::UnknownLogin)?;
        if (self.clock)() >= claims.expires_at.plus(STATUS_GRACE) {
            return Err(Refusal::UnknownLogin);
        }
        let row = self.progress.read(claims.attempt_id).await.map_err(Unavailable::Progress)?;
        Ok(LoginStatus::read(&row))
    }

    async fn make_link(&self, body: &[u8], api_id: &str) -> Result<Served, Refusal> {
        let LinkRequest { wa_id, login_url, reference, display_name, language } =
            LinkRequest::parse(body, &self.config.login_urls)?;
        let now = (self.clock)();
        let link_id = LinkId::from_bytes(self.random_bytes()?);
        let link = Link::new(link_id, wa_id, login_url, now, self.config.link_lifetime);
        let mut link = Link { display_name, language, ..link };
        let keeping = async {
            match &reference {
                Some(reference) => Ok(self.references.keep(&mut link, reference).await?),
                None => Ok::<_, Unavailable>(()),
            }
        };
        let ((_, callback_uri), key, ()) = tokio::try_join!(
            self.settings(now, api_id),
            async { self.link_key().await.map_err(Unavailable::from) },
            keeping
        )?;
        let sealed = key.seal(&link, self.random_bytes()?);
        let answer = json!({
            "url": callback_uri.connect_url(&sealed),
            "link_id": link_id,
            "expires_at": link.expires_at.rfc3339(),
        });
        Ok(Served {
            status: 200,
            result: "link_made",
            link_id,
            attempt_id: None,
            content: Content::Json(answer.to_string()),
            cookies: Vec::new(),
        })
    }

    async fn show_page(&self, text: &str, language: Option<Language>) -> Result<Served, Refusal> {
        let link = self.open(text).await?;
        let hosts = pages::offered(&link, &self.config.login_urls);
        let page = pages::confirm(self.frame(link.language.or(language)), &link, &hosts);
        let content = Content::Form { page, form_action: pages::form_action(&hosts) };
        Ok(Served {
            status: 200,
            result: "page_shown",
            link_id: link.link_id,
            attempt_id: None,
            content,
            cookies: Vec::new(),
        })
    }

    async fn start_login(
        &self,
        text: &str,
        initiator: &Initiator,
        chosen: Option<&str>,
        surplus: &[CookieName],
        api_id: &str,
    ) -> Result<Served, Refusal> {
        let now = (self.clock)();
        let (settings, link, state_key) = tokio::join!(self.settings(now, api_id), self.open(text), self.state_key());
        let (secrets, callback_uri) = settings?;
        if initiator.is_foreign(callback_uri.origin()) {
            return Err(Refusal::CrossSite(link.ok().as_ref().map(OfLink::from)));
        }
        let link = link?;
        // Last, so that presses which start no login, such as another site's, leave the owner theirs.
        self.count_press(&link).await?;
        let login_url = self.login_url(&link, chosen).clone();
        let Link { link_id, issued_at, has_reference, language, wa_id, .. } = link;
        // Each press is an attempt of its own: two people at one link, or one person twice, do not share an outcome.
        let attempt_id = AttemptId::from_bytes(self.random_bytes()?);
        let state_key = state_key.map_err(Unavailable::from)?;
        // No cookie that the browser sends is read: it may have been planted.
        let secret = BrowserSecret::from_random(&self.random_bytes()?);
        let claims = Claims {
            attempt_id,
            link: Some(LinkOrigin { link_id, issued_at, has_reference, language }),
            wa_id,
            expires_at: now.plus(self.config.link_lifetime),
            login_url: login_url.clone(),
            binding: Some(secret.binding(attempt_id)),
        };
        let (state, verifier) = tokio::try_join!(
            self.kms.sign(&self.config.state_key_id, claims.unsigned(state_key.id())),
            self.kms.pkce_verifier(&self.config.pkce_key_id, attempt_id),
        )
        .map_err(Unavailable::from)?;
        let request = AuthorizationRequest {
            client_id: secrets.get(&self.config.client_id).map_err(Unavailable::from)?,
            redirect_uri: &callback_uri,
            scope: &self.config.scopes,
            state: &state,
            code_challenge: &verifier.challenge(),
            prompt: self.config.prompt,
        };
        let lifetime = self.config.link_lifetime + COOKIE_GRACE;
        let cookie = secret.set_cookie(CookieName::of(attempt_id), lifetime.as_secs());
        let cookies = surplus.iter().map(|name| name.clear()).chain([cookie]).collect();
        self.config.meter.count(now, Metric::Logins, &[("Step", "begun")]);
        let (attempt_id, content) = (Some(attempt_id), Content::Redirect { location: request.at(&login_url) });
        Ok(Served { status: 303, result: "sent_to_salesforce", link_id, attempt_id, content, cookies })
    }

    /// Where the person logs in: at the link's host or, where its page offers every one, at the one that they chose.
    fn login_url<'a>(&'a self, link: &'a Link, chosen: Option<&str>) -> &'a LoginUrl {
        let offered = pages::offered(link, &self.config.login_urls);
        let chosen = chosen.and_then(|chosen| offered.into_iter().find(|host| host.as_str() == chosen));
        chosen.unwrap_or(&link.login_url)
    }

    /// The secrets and the callback address. Callers join this with their call to KMS, because after some quiet
    /// minutes the secrets are stale and have to be fetched.
    async fn settings(&self, now: Timestamp, api_id: &str) -> Result<(Arc<Secrets>, CallbackUri), Unavailable> {
        let secrets = self.secrets.current(now).await?;
        let callback_uri = self.config.callback_uri.resolve(&secrets, api_id)?;
        Ok((secrets, callback_uri))
    }

    /// Opens a link that has not expired and whose login host is still allowed. A text that cannot be a link needs no key.
    async fn open(&self, text: &str) -> Result<Link, Refusal> {
        let sealed: SealedLink = text.parse()?;
        let link = self.link_key().await.map_err(Unavailable::from)?.open(&sealed)?;
        if (self.clock)() >= link.expires_at || !self.config.login_urls.contains(&link.login_url) {
            return Err(Refusal::Expired(Some(OfLink::from(&link))));
        }
        Ok(link)
    }

    /// Refuses a press that is one too many. A press that cannot be counted is allowed: our outage keeps nobody out.
    async fn count_press(&self, link: &Link) -> Result<(), Refusal> {
        let counting = self.limits.allow_press(link.link_id, link.expires_at);
        match tokio::time::timeout(COUNT_TIME, counting).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Refusal::TooManyPresses(OfLink::from(link))),
            Ok(Err(error)) => {
                warn!(link_id = %link.link_id, %error, "press not counted");
                Ok(())
            }
            Err(_) => {
                warn!(link_id = %link.link_id, error = "timed out", "press not counted");
                Ok(())
            }
        }
    }

    fn random_bytes<const N: usize>(&self) -> Result<[u8; N], Unavailable> {
        let mut bytes = [0; N];
        (self.random)(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_request_is_answered_before_the_functions_timeout() {
        assert!(super::DEADLINE < fakes::template::timeout("ConnectLinkFunction"));
    }
}
