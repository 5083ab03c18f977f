//! Asking a person.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use secrecy::SecretString;

use crate::{args::InitArgs, error::Error};

/// Asks a person, if there is one.
pub(super) struct Prompt {
    pub(super) interactive: bool,
}

impl Prompt {
    pub(super) fn new(order: &InitArgs) -> Self {
        Self { interactive: !order.no_input && io::stdin().is_terminal() }
    }

    /// Asks for something that may be seen; an empty answer is the default.
    pub(super) fn text(&self, flag: &str, question: &str, default: Option<String>) -> Result<String, Error> {
        if self.interactive {
            let offered = default.as_ref().map(|default| format!(" [{default}]")).unwrap_or_default();
            let _ = write!(io::stderr(), "{question}{offered}: ");
            let mut line = String::new();
            io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|error| Error::failed("read the answer", error.to_string()))?;
            if !line.trim().is_empty() {
                return Ok(line.trim().to_owned());
            }
        }
        default.ok_or_else(|| Error::Usage(format!("{question}? Give {flag}")))
    }

    /// Asks for a secret, without an echo.
    pub(super) fn hidden(&self, variable: &str, question: &str) -> Result<SecretString, Error> {
        if !self.interactive {
            return Err(Error::Usage(format!("{question}? Give {variable} in the environment")));
        }
        let answer = rpassword::prompt_password(format!("{question} (not shown): "));
        let answer = answer.map_err(|error| Error::failed("read the answer", error.to_string()))?;
        match answer.trim() {
            "" => Err(Error::Usage(format!("{question} is missing"))),
            secret => Ok(secret.into()),
        }
    }
}
