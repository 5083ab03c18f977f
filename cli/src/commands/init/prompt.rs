//! Asking the operator on the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use secrecy::SecretString;

use crate::{args::InitArgs, error::Error};

pub(super) struct Prompt {
    pub(super) interactive: bool,
}

impl Prompt {
    pub(super) fn new(args: &InitArgs) -> Self {
        Self { interactive: !args.no_input && io::stdin().is_terminal() }
    }

    /// Asks for an answer; an empty one is the default.
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
        default.ok_or_else(|| Error::Usage(format!("missing: {question}; give {flag}")))
    }

    /// Asks for a secret, without echo.
    pub(super) fn hidden(&self, variable: &str, question: &str) -> Result<SecretString, Error> {
        if !self.interactive {
            return Err(Error::Usage(format!("missing: {question}; set {variable} in the environment")));
        }
        let answer = rpassword::prompt_password(format!("{question} (hidden): "));
        let answer = answer.map_err(|error| Error::failed("read the answer", error.to_string()))?;
        match answer.trim() {
            "" => Err(Error::Usage(format!("missing: {question}"))),
            secret => Ok(secret.into()),
        }
    }
}
