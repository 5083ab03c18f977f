//! Asking the operator: on the terminal, or for secrets in the environment. No secret is an argument, because other
//! users of a machine see those in the process list.

use std::{
    cell::RefCell,
    io::{self, BufRead, IsTerminal as _, Write},
};

use secrecy::SecretString;
use shared::printable::printable;

use crate::{Variable, error::Error};

/// An optional answer that takes away what was there.
pub(crate) const NONE: &str = "-";

pub(crate) struct Prompt {
    pub(crate) interactive: bool,
    lines: RefCell<Box<dyn BufRead>>,
    /// Where questions are printed.
    questions: RefCell<Box<dyn Write>>,
    environment: Variable,
}

impl Prompt {
    /// Asks on the terminal, where there is one and `ask` allows it.
    pub(crate) fn new(ask: bool, environment: Variable) -> Self {
        let interactive = ask && io::stdin().is_terminal();
        let lines = RefCell::new(Box::new(io::BufReader::new(io::stdin())) as _);
        Self { interactive, lines, questions: RefCell::new(Box::new(io::stderr())), environment }
    }

    /// An answer that follows a rule: given by the flag, or else typed. On a terminal an answer that breaks the rule, or is
    /// missing, is asked for again.
    pub(crate) fn answer<T>(
        &self,
        given: Option<&str>,
        flag: &str,
        question: &str,
        default: Option<&str>,
        rule: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let mut given = given.map(str::to_owned);
        loop {
            let text = match given.take() {
                Some(text) => text,
                None => self.text(flag, question, default)?,
            };
            match rule(&text) {
                Ok(answer) => return Ok(answer),
                Err(why) if self.interactive && text.is_empty() => self.say(&why),
                Err(why) if self.interactive => self.say(&format!("{text}: {why}")),
                Err(why) => return Err(Error::Usage(format!("invalid {flag}: {why}"))),
            }
        }
    }

    /// Prints a line where the questions are.
    pub(crate) fn say(&self, note: &str) {
        let _ = writeln!(self.questions.borrow_mut(), "{}", printable(note));
    }

    /// Asks for an answer; an empty one is the default, where there is one. The end of the input is none.
    fn text(&self, flag: &str, question: &str, default: Option<&str>) -> Result<String, Error> {
        let missing = || self.missing(question, flag);
        if self.interactive {
            let offered = default.map(|default| format!(" [{}]", printable(default))).unwrap_or_default();
            let mut questions = self.questions.borrow_mut();
            let _ = write!(questions, "{question}{offered}: ").and_then(|()| questions.flush());
            let mut line = String::new();
            let read = self.lines.borrow_mut().read_line(&mut line);
            if read.map_err(|error| Error::failed("read the answer", error.to_string()))? == 0 {
                return Err(missing());
            }
            if !line.trim().is_empty() || default.is_none() {
                return Ok(line.trim().to_owned());
            }
        }
        default.map(str::to_owned).ok_or_else(missing)
    }

    /// The end of the input on a terminal ends the questions; elsewhere the others are missing, too, perhaps.
    fn missing(&self, question: &str, way: &str) -> Error {
        let missing = format!("{question} ({way})");
        if self.interactive { Error::Usage(format!("missing: {missing}")) } else { Error::Missing(vec![missing]) }
    }

    /// A secret that follows a rule: from the environment, or typed without echo.
    pub(crate) fn hidden(
        &self,
        variable: &'static str,
        question: &str,
        rule: impl Fn(&str) -> Result<SecretString, &'static str>,
    ) -> Result<SecretString, Error> {
        if let Some(secret) = (self.environment)(variable) {
            return rule(&secret).map_err(|why| Error::Usage(format!("invalid {variable}: {why}")));
        }
        if !self.interactive {
            return Err(self.missing(question, &format!("{variable} in the environment")));
        }
        loop {
            let answer = rpassword::prompt_password(format!("{question} (hidden): "));
            let answer = answer.map_err(|error| Error::failed("read the answer", error.to_string()))?;
            match rule(&answer) {
                Ok(secret) => return Ok(secret),
                Err("it is empty") => return Err(Error::Usage(format!("missing: {question}"))),
                Err(why) => self.say(&format!("Not stored: {why}.")),
            }
        }
    }
}

/// The answers that nobody gave, so that all are named at once.
#[derive(Debug, Default)]
pub(crate) struct Missing(Vec<String>);

impl Missing {
    /// The answer; `None` where it is missing, which is noted.
    pub(crate) fn or_note<T>(&mut self, answer: Result<T, Error>) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Missing(missing)) => {
                self.0.extend(missing);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes what is missing beside an answer that is.
    pub(crate) fn note(&mut self, missing: String) {
        self.0.push(missing);
    }

    /// Fails where an answer is missing.
    pub(crate) fn end(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Missing(self.0)) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An operator who types these lines, or one without a terminal.
    pub(crate) fn typing(lines: Option<&'static str>) -> Prompt {
        let text = RefCell::new(Box::new(lines.unwrap_or_default().as_bytes()) as Box<dyn BufRead>);
        let questions = RefCell::new(Box::new(io::sink()) as Box<dyn Write>);
        Prompt { interactive: lines.is_some(), lines: text, questions, environment: |_| None }
    }

    fn number(text: &str) -> Result<u8, String> {
        text.parse().map_err(|_| "not a number".to_owned())
    }

    #[test]
    fn an_invalid_answer_is_asked_for_again_on_a_terminal() {
        let answer = |given, lines| typing(lines).answer(given, "--number", "A number", Some("7"), number);
        assert_eq!(answer(None, Some("x\ny\n5\n")).unwrap(), 5);
        assert_eq!(answer(Some("x"), Some("5\n")).unwrap(), 5);
        assert_eq!(answer(None, Some("\n")).unwrap(), 7);
        assert_eq!(typing(Some("\n\n5\n")).answer(None, "--number", "A number", None, number).unwrap(), 5);
        assert_eq!(answer(None, None).unwrap(), 7);
    }

    #[test]
    fn an_invalid_answer_without_a_terminal_names_its_flag() {
        let error = typing(None).answer(Some("x"), "--number", "A number", None, number).unwrap_err();
        assert_eq!(error.to_string(), "invalid --number: not a number");
    }

    #[test]
    fn answers_that_are_missing_are_named_together_with_how_to_give_each() {
        let (prompt, mut missing) = (typing(None), Missing::default());
        assert_eq!(missing.or_note(prompt.answer(None, "--number", "A number", None, number)).unwrap(), None);
        let hidden = prompt.hidden("WASF_SECRET", "A secret", |text| Ok(text.into()));
        assert!(missing.or_note(hidden).unwrap().is_none());
        let error = missing.end().unwrap_err();
        assert_eq!(error.to_string(), "missing: A number (--number); A secret (WASF_SECRET in the environment)");
        assert!(Missing::default().end().is_ok());
    }

    #[test]
    fn an_end_of_the_answers_is_no_answer() {
        assert!(typing(Some("x\n")).answer(None, "--number", "A number", Some("x"), number).is_err());
    }
}
