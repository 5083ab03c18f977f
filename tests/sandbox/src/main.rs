//! Runs the sandbox until it is stopped. The environment configures it: `SANDBOX_PORT`,
//! `SANDBOX_AWS_PORT` with `SANDBOX_AWS_UPSTREAM`, and the credentials below. What is absent has
//! [`Config`]'s default.

use std::{error::Error, io::Write as _};

use sandbox::{Config, Sandbox};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut sandbox = Sandbox::start(config()?).await?;
    writeln!(std::io::stdout(), "sandbox: {}/", sandbox.base_url)?;

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = sandbox.wait() => Err("the server ended".into()),
        _ = terminate.recv() => Ok(()),
        result = tokio::signal::ctrl_c() => Ok(result?),
    }
}

fn config() -> Result<Config, Box<dyn Error>> {
    let mut config = Config { port: 4580, ..Config::default() };
    if let Some(port) = setting("SANDBOX_PORT") {
        config.port = port.parse().map_err(|_| "SANDBOX_PORT is not a port number")?;
    }
    if let (Some(port), Some(upstream)) = (setting("SANDBOX_AWS_PORT"), setting("SANDBOX_AWS_UPSTREAM")) {
        let port = port.parse().map_err(|_| "SANDBOX_AWS_PORT is not a port number")?;
        config.aws = Some((port, upstream.trim_end_matches('/').to_owned()));
    }
    for (name, value) in [
        ("SANDBOX_CLIENT_ID", &mut config.client_id),
        ("SANDBOX_CLIENT_SECRET", &mut config.client_secret),
        ("SANDBOX_TWILIO_ACCOUNT_SID", &mut config.twilio_account_sid),
        ("SANDBOX_TWILIO_AUTH_TOKEN", &mut config.twilio_auth_token),
        ("SANDBOX_META_TOKEN", &mut config.meta_token),
        ("SANDBOX_META_PHONE_NUMBER_ID", &mut config.meta_phone_number_id),
        ("SANDBOX_WEBHOOK_SECRET", &mut config.webhook_secret),
    ] {
        if let Some(set) = setting(name) {
            *value = set;
        }
    }
    Ok(config)
}

/// An empty value counts as absent.
#[allow(clippy::disallowed_methods)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
