//! `samconfig.toml`: the stack's name, and the parameters of `sam deploy`. Comments and order are kept.

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

/// A file of this checkout, wherever in it we are.
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
        text.parse().map(Self).map_err(|_| Error::failed(format!("read {FILE}"), "it is not TOML"))
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        // A reader sees the old file or the new one.
        let unfinished = path.with_extension("toml.new");
        fs::write(&unfinished, self.0.to_string())?;
        fs::rename(unfinished, path)
    }

    /// The stack's name.
    pub(crate) fn stack_name(&self) -> Option<&str> {
        [DEPLOY, GLOBAL].into_iter().find_map(|path| self.section(path)?.get(STACK_NAME)?.as_str())
    }

    /// The template's parameters.
    pub(crate) fn parameters(&self) -> BTreeMap<String, String> {
        let given = self.section(DEPLOY).and_then(|section| section.get(OVERRIDES));
        let words: Vec<String> = match given {
            Some(Item::Value(Value::Array(list))) => {
                list.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect()
            }
            Some(Item::Value(Value::String(text))) => split(text.value()),
            _ => Vec::new(),
        };
        let pairs = words.iter().filter_map(|word| word.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
    }

    /// Gives the template these parameters, beside those that are there already; `None` takes one away.
    pub(crate) fn set_parameters(&mut self, parameters: &BTreeMap<&str, Option<String>>) {
        let mut all = self.parameters();
        for (name, value) in parameters {
            match value {
                Some(value) => all.insert((*name).to_owned(), value.clone()),
                None => all.remove(*name),
            };
        }
        let mut list = Array::new();
        for (name, value) in all {
            // The SAM CLI splits an entry at its spaces unless the value is quoted.
            let value = if value.contains(' ') { format!("\"{value}\"") } else { value };
            let mut word = Value::from(format!("{name}={value}"));
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
    }

    fn section(&self, path: [&str; 3]) -> Option<&Item> {
        path.into_iter().try_fold(self.0.as_item(), |item, key| item.get(key))
    }
}

/// `A=1 B="2 3"` as its words.
fn split(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' | '\n' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap_or(&mut String::new()).push(character),
        }
    }
    words.retain(|word| !word.is_empty());
    words
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
        config.set_parameters(&BTreeMap::from([
            ("Scopes", given("api refresh_token")),
            ("LogLevel", given("info")),
            ("AlarmEmail", given("ops@example.com")),
        ]));
        config.set_parameters(&BTreeMap::from([("LogLevel", given("warn")), ("AlarmEmail", None)]));
        let written = config.0.to_string();
        assert!(written.starts_with(TEXT), "{written}");
        let read = SamConfig::parse(&written).unwrap();
        assert_eq!(read.parameters(), with(&[("LogLevel", "warn"), ("Scopes", "api refresh_token")]));
        assert!(written.contains("\n  \"LogLevel=warn\",\n"), "{written}");
    }

    #[test]
    fn reads_parameters_in_one_text_too() {
        let text = "[default.deploy.parameters]\nparameter_overrides = 'A=1 B=\"2 3\"'\n";
        assert_eq!(SamConfig::parse(text).unwrap().parameters(), with(&[("A", "1"), ("B", "2 3")]));
    }
}
