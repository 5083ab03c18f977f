//! `samconfig.toml`: the stack's name and the parameters of `sam deploy`. Comments and order are preserved.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use toml_edit::{Array, DocumentMut, Item, Value, table};

use crate::error::Error;

pub(crate) const FILE: &str = "samconfig.toml";
const GLOBAL: [&str; 3] = ["default", "global", "parameters"];
const DEPLOY: [&str; 3] = ["default", "deploy", "parameters"];
const STACK_NAME: &str = "stack_name";
const OVERRIDES: &str = "parameter_overrides";

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct SamConfig(DocumentMut);

/// The nearest file of this name, in the current folder or above it.
pub(crate) fn in_or_above(file: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(file)).find(|path| path.exists())
}

impl SamConfig {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|error| Error::failed(format!("read {FILE}"), error.to_string()))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, Error> {
        text.parse().map(Self).map_err(|_| Error::failed(format!("read {FILE}"), "invalid TOML"))
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        // A rename is atomic: readers see the old file or the new one.
        let unfinished = path.with_extension("toml.new");
        fs::write(&unfinished, self.0.to_string())?;
        fs::rename(unfinished, path)
    }

    pub(crate) fn stack_name(&self) -> Option<&str> {
        [DEPLOY, GLOBAL].into_iter().find_map(|path| self.section(path)?.get(STACK_NAME)?.as_str())
    }

    /// The template's parameters. The SAM CLI takes one text or a list, and splits both into words.
    pub(crate) fn parameters(&self) -> Result<BTreeMap<String, String>, Error> {
        let texts: Vec<&str> = match self.section(DEPLOY).and_then(|section| section.get(OVERRIDES)) {
            Some(Item::Value(Value::Array(list))) => list.iter().filter_map(Value::as_str).collect(),
            Some(Item::Value(Value::String(text))) => vec![text.value()],
            _ => Vec::new(),
        };
        let mut parameters = BTreeMap::new();
        for text in texts {
            let unclosed = || Error::failed(format!("read {FILE}"), format!("{OVERRIDES} has an unclosed quote"));
            let words = shlex::split(&for_shell(text)).ok_or_else(unclosed)?;
            let pairs = words.iter().filter_map(|word| word.split_once('='));
            parameters.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Ok(parameters)
    }

    /// Sets parameters, or removes those with `None`; the others stay.
    pub(crate) fn set_parameters(&mut self, parameters: &BTreeMap<&str, Option<String>>) -> Result<(), Error> {
        let mut all = self.parameters()?;
        for (name, value) in parameters {
            match value {
                Some(value) => all.insert((*name).to_owned(), value.clone()),
                None => all.remove(*name),
            };
        }
        let mut list = Array::new();
        for (name, value) in all {
            let mut word = Value::from(format!("{name}={}", quoted(value)));
            word.decor_mut().set_prefix("\n  ");
            list.push_formatted(word);
        }
        list.set_trailing("\n");
        list.set_trailing_comma(true);
        let mut section = self.0.as_item_mut();
        for key in DEPLOY {
            section = &mut section[key];
            if section.is_none() {
                *section = table();
            }
        }
        section[OVERRIDES] = Item::Value(Value::Array(list));
        Ok(())
    }

    fn section(&self, path: [&str; 3]) -> Option<&Item> {
        path.into_iter().try_fold(self.0.as_item(), |item, key| item.get(key))
    }
}

/// What the SAM CLI reads, as a shell would have to be told: outside double quotes the SAM CLI takes an apostrophe as it is,
/// and a backslash too unless it comes before a space, a quote or a backslash.
fn for_shell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next_if(|next| " \"\\".contains(*next)) {
                Some(next) => escaped.extend(['\\', next]),
                None => escaped.push_str("\\\\"),
            },
            '\'' if !is_quoted => escaped.push_str("\\'"),
            _ => {
                is_quoted ^= character == '"';
                escaped.push(character);
            }
        }
    }
    escaped
}

/// A value in double quotes, the only ones that the SAM CLI knows, unless it is one word without them.
fn quoted(value: String) -> String {
    if value.contains(|character: char| character.is_whitespace() || "\"'\\".contains(character)) {
        format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""))
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# mine\nversion = 0.1\n\n[default.global.parameters]\nstack_name = \"a\" # the name\n";

    fn with(parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn finds_the_stacks_name() {
        assert_eq!(SamConfig::parse(TEXT).unwrap().stack_name(), Some("a"));
        assert_eq!(SamConfig::parse("version = 0.1").unwrap().stack_name(), None);
    }

    #[test]
    fn adds_parameters_and_keeps_the_rest() {
        let mut config = SamConfig::parse(TEXT).unwrap();
        let given = |value: &str| Some(value.to_owned());
        let changes = BTreeMap::from([
            ("Scopes", given("api refresh_token")),
            ("LogLevel", given("info")),
            ("AlarmEmail", given("ops@example.com")),
            ("WhatsAppTemplate", given(r#"it's "quoted" \ here"#)),
        ]);
        config.set_parameters(&changes).unwrap();
        config.set_parameters(&BTreeMap::from([("LogLevel", given("warn")), ("AlarmEmail", None)])).unwrap();
        let written = config.0.to_string();
        assert!(written.starts_with(TEXT), "{written}");
        let read = SamConfig::parse(&written).unwrap();
        let kept =
            [("LogLevel", "warn"), ("Scopes", "api refresh_token"), ("WhatsAppTemplate", r#"it's "quoted" \ here"#)];
        assert_eq!(read.parameters().unwrap(), with(&kept));
        assert!(written.contains("\n  \"LogLevel=warn\",\n"), "{written}");
    }

    #[test]
    fn refuses_parameters_with_an_unclosed_quote() {
        let text = "[default.deploy.parameters]\nparameter_overrides = 'A=1 B=\"2'\n";
        let error = SamConfig::parse(text).unwrap().parameters().unwrap_err();
        assert_eq!(error.to_string(), "cannot read samconfig.toml: parameter_overrides has an unclosed quote");
    }

    #[test]
    fn apostrophes_and_backslashes_have_no_meaning_outside_quotes() {
        let text = "[default.deploy.parameters]\nparameter_overrides = [\"A=o'neil@example.com\", 'B=C:\\d']\n";
        let expected = with(&[("A", "o'neil@example.com"), ("B", r"C:\d")]);
        assert_eq!(SamConfig::parse(text).unwrap().parameters().unwrap(), expected);
    }

    #[test]
    fn reads_parameters_in_one_text_too() {
        let text = "[default.deploy.parameters]\nparameter_overrides = 'A=1 B=\"2 3\"'\n";
        assert_eq!(SamConfig::parse(text).unwrap().parameters().unwrap(), with(&[("A", "1"), ("B", "2 3")]));
    }
}
