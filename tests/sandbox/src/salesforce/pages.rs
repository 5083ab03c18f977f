//! Salesforce's pages. They carry the request's parameters in hidden fields.

use axum::{
    http::header,
    response::{Html, IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    User,
    authorize::{Authorization, OAuthError},
    users,
};
use crate::fields::Fields;

const STYLE: &str = include_str!("salesforce.css");

/// Fields of the forms that are not parameters of the request.
const OWN: [&str; 5] = ["username", "password", "ticket", "decision", START_URL];

/// Where Salesforce's login leads on to, which tells its page from anybody's.
const START_URL: &str = "startURL";
const AUTHORIZATION: &str = "/setup/secur/RemoteAccessAuthorizationPage.apexp";

/// The login page, with the previous try's error.
pub(super) fn login(authorization: &Authorization, fields: &Fields, problem: Option<&str>) -> Response {
    let username = fields.get("username").or(authorization.login_hint.as_deref()).unwrap_or(users::USERS[0].username);
    page(
        "Login | Salesforce sandbox",
        &html! {
            form method="post" action=(authorization.form_action()) {
                @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
                (request(fields))
                input type="hidden" name=(START_URL) value=(AUTHORIZATION);
                label for="username" { "Username" }
                input #username name="username" type="email" autocomplete="off" list="users" value=(username) required;
                datalist #users { @for user in &users::USERS { option value=(user.username) { (user.name) } } }
                label for="password" { "Password" }
                input #password name="password" type="password" autocomplete="off" value=(users::PASSWORD) required;
                button #Login.primary type="submit" { "Log In" }
            }
            p.note { "Not the real Salesforce. Everyone's password is “" (users::PASSWORD) "”." }
        },
    )
}

/// The consent page for someone who has logged in.
pub(super) fn consent(authorization: &Authorization, fields: &Fields, user: &User, ticket: &str) -> Response {
    page(
        "Allow Access? | Salesforce sandbox",
        &html! {
            form method="post" action=(authorization.form_action()) {
                h1 { "Allow Access?" }
                p { strong { "WhatsApp assistant" } " is asking to:" }
                ul { @for scope in authorization.scope.split(' ') { li { (meaning(scope)) } } }
                p { "Do you want to allow access for " strong { (user.username) } "?" }
                (request(fields))
                input type="hidden" name="ticket" value=(ticket);
                div.choice {
                    button #oadeny type="submit" name="decision" value="deny" { "Deny" }
                    button #oaapprove.primary type="submit" name="decision" value="allow" { "Allow" }
                }
            }
            p.note { "Signed in as " (user.name) ", " (user.company) "." }
        },
    )
}

/// The error page for a request without a trusted redirect address.
pub(super) fn error(error: OAuthError) -> Response {
    page(
        "Error | Salesforce sandbox",
        &html! {
            form {
                h1 { "We can’t authorize you because of an OAuth error" }
                p { "For more information, contact your Salesforce administrator." }
                p.problem { code { (error.error) } ": " (error.description) }
            }
        },
    )
}

fn request(fields: &Fields) -> Markup {
    html! {
        @for (name, value) in fields.iter().filter(|(name, _)| !OWN.contains(name)) {
            input type="hidden" name=(name) value=(value);
        }
    }
}

fn meaning(scope: &str) -> &str {
    match scope {
        "api" => "Manage user data via APIs",
        "refresh_token" | "offline_access" => "Perform requests at any time",
        "full" => "Full access",
        "web" => "Manage user data via Web browsers",
        "openid" => "Access unique user identifiers",
        "id" | "profile" | "email" | "address" | "phone" => "Access the identity URL service",
        other => other,
    }
}

fn page(title: &str, content: &Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    div.logo aria-label="Salesforce sandbox" {
                        svg viewBox="0 0 64 44" aria-hidden="true" {
                            path d="M26 8a11 11 0 0 1 18-1 13 13 0 1 1 3 25 10 10 0 0 1-13 4 11 11 0 0 1-20-1 9 9 0 0 1-9-14A11 11 0 0 1 26 8z" {}
                        }
                        span { "salesforce" small { "sandbox" } }
                    }
                    (content)
                }
            }
        }
    };
    ([(header::CACHE_CONTROL, "no-cache, no-store")], Html(markup.into_string())).into_response()
}
