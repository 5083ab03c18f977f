//! `samconfig.toml`: the stack's name and the parameters of `sam deploy`. Comments and order are preserved.

mod words;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use toml_edit::{Array, DocumentMut, Item, TableLike, TomlError, Value, table};

use self::words::{quoted, unquoted, words};
use crate::error::Error;

pub(crate) const FILE: &str = "samconfig.toml";
/// The environment that is read where none is named.
pub(crate) const DEFAULT_ENVIRONMENT: &str = "default";
/// The sections of an environment that `sam deploy` reads, the nearer first.
const DEPLOY: [&str; 2] = ["deploy", "parameters"];
const GLOBAL: [&str; 2] = ["global", "parameters"];
/// What a section says of the place of a stack.
pub(crate) const STACK_NAME: &str = "stack_name";
pub(crate) const REGION: &str = "region";
pub(crate) const PROFILE: &str = "profile";
const OVERRIDES: &str = "parameter_overrides";

/// The file, of which one environment is read and written (`sam --config-env`): the tables under its name.
#[derive(Clone, Debug)]
pub(crate) struct SamConfig {
    document: DocumentMut,
    environment: String,
}

/// The nearest file of this name, in the current folder or above it.
pub(crate) fn in_or_above(file: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(file)).find(|path| path.exists())
}

impl SamConfig {
    /// Reads an environment of the file. Every file has the default one.
    pub(crate) fn read(path: &Path, environment: &str) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|error| Error::failed(format!("read {FILE}"), error.to_string()))?;
        Self::parse(&text, environment)
    }

    pub(crate) fn parse(text: &str, environment: &str) -> Result<Self, Error> {
        let document: DocumentMut = text.parse().map_err(|error| invalid(text, &error))?;
        let tables = document.iter().filter(|(_, item)| item.is_table_like()).map(|(name, _)| name);
        let known: Vec<_> = tables.collect();
        if environment != DEFAULT_ENVIRONMENT && !known.contains(&environment) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let why = format!("{FILE} has no environment {environment}; it has {known}, see --config-env");
            return Err(Error::Usage(why));
        }
        Ok(Self { document, environment: environment.to_owned() })
    }

    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        // A rename is atomic: readers see the old file or the new one.
        let unfinished = path.with_extension("toml.new");
        fs::write(&unfinished, self.document.to_string())?;
        fs::rename(unfinished, path)
    }

    /// A text of the environment, such as [`STACK_NAME`].
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        [DEPLOY, GLOBAL].into_iter().find_map(|path| self.section(path)?.get(name)?.as_str())
    }

    /// The template's parameters. Of what the SAM CLI takes, these forms are read: one text or a list of texts, both
    /// split into `Name=value` or `ParameterKey=Name,ParameterValue=value`, and tables. Any other is an error: what is
    /// not read would be lost when the file is written.
    pub(crate) fn parameters(&self) -> Result<BTreeMap<String, String>, Error> {
        let overrides = [DEPLOY, GLOBAL].into_iter().find_map(|path| self.section(path)?.get(OVERRIDES));
        let mut parameters = BTreeMap::new();
        match overrides {
            None => {}
            Some(Item::Value(value)) => read_value(value, &mut parameters)?,
            Some(Item::Table(table)) => read_table(table, &mut parameters)?,
            Some(_) => return Err(unreadable("has an unknown form")),
        }
        Ok(parameters)
    }

    /// Sets parameters; the others stay.
    pub(crate) fn set_parameters(&mut self, parameters: &BTreeMap<&str, String>) -> Result<(), Error> {
        let mut all = self.parameters()?;
        all.extend(parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut list = Array::new();
        for (name, value) in all {
            let value = quoted(&value).ok_or_else(|| {
                Error::Usage(format!(
                    "{name} has a backslash at its end or before a quotation mark, which the SAM CLI cannot take"
                ))
            })?;
            let mut word = Value::from(format!("{name}={value}"));
            word.decor_mut().set_prefix("\n  ");
            list.push_formatted(word);
        }
        list.set_trailing("\n");
        list.set_trailing_comma(true);
        let mut section = self.document.as_item_mut();
        for key in [self.environment.as_str(), DEPLOY[0], DEPLOY[1]] {
            section = &mut section[key];
            if section.is_none() {
                *section = table();
            }
        }
        section[OVERRIDES] = Item::Value(Value::Array(list));
        Ok(())
    }

    fn section(&self, path: [&str; 2]) -> Option<&Item> {
        path.into_iter().try_fold(self.document.get(&self.environment)?, |item, key| item.get(key))
    }
}

/// What is wrong with the file, and where. The text that is wrong may be a value, which is not shown.
fn invalid(text: &str, error: &TomlError) -> Error {
    let line = error.span().and_then(|span| Some(text.get(..span.start)?.matches('\n').count() + 1));
    let place = line.map(|line| format!(" in line {line}")).unwrap_or_default();
    let what = error.message().lines().next().unwrap_or_default();
    Error::failed(format!("read {FILE}"), format!("invalid TOML{place}: {what}"))
}

fn unreadable(why: &str) -> Error {
    Error::failed(format!("read {FILE}"), format!("{OVERRIDES} {why}"))
}

fn read_value(value: &Value, parameters: &mut BTreeMap<String, String>) -> Result<(), Error> {
    match value {
        Value::String(text) => {
            parameters.extend(words(text.value()).map_err(unreadable)?);
            Ok(())
        }
        Value::Array(list) => list.iter().try_for_each(|value| read_value(value, parameters)),
        Value::InlineTable(table) => read_table(table, parameters),
        _ => Err(unreadable("has a value that is neither a text nor a table")),
    }
}

fn read_table(table: &dyn TableLike, parameters: &mut BTreeMap<String, String>) -> Result<(), Error> {
    for (name, value) in table.iter() {
        let value = match value {
            Item::Value(Value::String(text)) => unquoted(text.value()),
            Item::Value(Value::Integer(number)) => number.value().to_string(),
            _ => return Err(unreadable("has a table with a value that is neither a text nor a number")),
        };
        parameters.insert(name.to_owned(), value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# mine\nversion = 0.1\n\n[default.global.parameters]\nstack_name = \"a\" # the name\n";

    fn parse(text: &str) -> Result<SamConfig, Error> {
        SamConfig::parse(text, DEFAULT_ENVIRONMENT)
    }

    fn with(parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn finds_the_stacks_name() {
        assert_eq!(parse(TEXT).unwrap().text(STACK_NAME), Some("a"));
        assert_eq!(parse("version = 0.1").unwrap().text(STACK_NAME), None);
    }

    #[test]
    fn an_environment_is_read_and_written_by_itself() {
        let text = format!("{TEXT}\n[prod.global.parameters]\nstack_name = \"b\"\nregion = \"eu-west-1\"\n");
        let mut prod = SamConfig::parse(&text, "prod").unwrap();
        assert_eq!(
            (prod.text(STACK_NAME), prod.text(REGION), prod.text(PROFILE)),
            (Some("b"), Some("eu-west-1"), None)
        );
        prod.set_parameters(&BTreeMap::from([("LogLevel", "warn".to_owned())])).unwrap();
        let written = prod.document.to_string();
        assert!(written.starts_with(&text) && written.contains("[prod.deploy.parameters]"), "{written}");
        let default = parse(&written).unwrap();
        assert_eq!((default.text(STACK_NAME), default.text(REGION)), (Some("a"), None));
        assert_eq!(default.parameters().unwrap(), with(&[]));
    }

    #[test]
    fn a_file_that_is_no_toml_says_where_and_shows_no_value() {
        let error = parse("a = 1\n\n[default]\nx = \"S3CRET\n").unwrap_err().to_string();
        assert!(error.starts_with("cannot read samconfig.toml: invalid TOML in line 4: "), "{error}");
        assert!(!error.contains("S3CRET") && !error.contains('\n'), "{error}");
    }

    #[test]
    fn a_value_that_the_sam_cli_cannot_take_is_a_usage_error_and_not_another_value() {
        for value in ["a\\", r#"a\"b"#] {
            let error =
                parse(TEXT).unwrap().set_parameters(&BTreeMap::from([("BrandName", value.to_owned())])).unwrap_err();
            assert!(matches!(&error, Error::Usage(why) if why.starts_with("BrandName has a backslash")), "{error}");
        }
    }

    #[test]
    fn an_environment_that_is_not_in_the_file_is_a_usage_error() {
        for unknown in ["prod", "version", ""] {
            let error = SamConfig::parse(TEXT, unknown).unwrap_err();
            assert!(matches!(error, Error::Usage(_)), "{error}");
            assert!(error.to_string().contains("it has default"), "{error}");
        }
    }

    #[test]
    fn adds_parameters_and_keeps_the_rest() {
        let mut config = parse(TEXT).unwrap();
        let changes = BTreeMap::from([
            ("Scopes", "api refresh_token".to_owned()),
            ("LogLevel", "info".to_owned()),
            ("AlarmEmail", "ops@example.com".to_owned()),
            ("WhatsAppTemplate", r#"it's "quoted" \ here"#.to_owned()),
        ]);
        config.set_parameters(&changes).unwrap();
        let later = BTreeMap::from([("LogLevel", "warn".to_owned()), ("AlarmEmail", String::new())]);
        config.set_parameters(&later).unwrap();
        let written = config.document.to_string();
        assert!(written.starts_with(TEXT), "{written}");
        let read = parse(&written).unwrap();
        let kept = [
            ("AlarmEmail", ""),
            ("LogLevel", "warn"),
            ("Scopes", "api refresh_token"),
            ("WhatsAppTemplate", r#"it's "quoted" \ here"#),
        ];
        assert_eq!(read.parameters().unwrap(), with(&kept));
        assert!(written.contains("\n  \"LogLevel=warn\",\n"), "{written}");
        assert!(written.contains(r#"AlarmEmail="""#), "an empty value takes the stack's away: {written}");
    }

    fn read(section: &str) -> Result<BTreeMap<String, String>, Error> {
        parse(&format!("[default.deploy.parameters]\n{section}\n")).unwrap().parameters()
    }

    #[test]
    fn each_form_of_parameters_is_kept() {
        for text in [
            r#"parameter_overrides = "A=x B=y""#,
            r#"parameter_overrides = ["A=x", "B=y"]"#,
            r#"parameter_overrides = "ParameterKey=A,ParameterValue=x ParameterKey=B,ParameterValue=y""#,
            r#"parameter_overrides = ["ParameterKey=A,ParameterValue=x", "B='y'"]"#,
            r#"parameter_overrides = 'ParameterKey=A,ParameterValue="x" ParameterKey=B,ParameterValue=y'"#,
            r#"parameter_overrides = { A = "x", B = "y" }"#,
            r#"parameter_overrides = [{ A = "x" }, ["B=y"]]"#,
            "[default.deploy.parameters.parameter_overrides]\nA = \"x\"\nB = \"y\"",
        ] {
            assert_eq!(read(text).unwrap(), with(&[("A", "x"), ("B", "y")]), "{text}");
        }
    }

    #[test]
    fn parameters_in_another_form_are_refused_and_not_lost() {
        for text in [
            r#"parameter_overrides = "file://parameters.yaml""#,
            r#"parameter_overrides = "A=x B""#,
            r#"parameter_overrides = "A=x # B=y""#,
            r#"parameter_overrides = "ParameterKey=A ParameterValue=x""#,
            r#"parameter_overrides = ["A=x", 1]"#,
            r#"parameter_overrides = { A = ["x"] }"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parameters_of_all_commands_are_kept_too() {
        let text = "[default.global.parameters]\nparameter_overrides = \"A=x\"\n";
        let mut config = parse(text).unwrap();
        config.set_parameters(&BTreeMap::from([("B", "y".to_owned())])).unwrap();
        let read = parse(&config.document.to_string()).unwrap();
        assert_eq!(read.parameters().unwrap(), with(&[("A", "x"), ("B", "y")]));
    }

    #[test]
    fn refuses_parameters_with_an_unclosed_quote() {
        let text = "[default.deploy.parameters]\nparameter_overrides = 'A=1 B=\"2'\n";
        let error = parse(text).unwrap().parameters().unwrap_err();
        assert_eq!(error.to_string(), "cannot read samconfig.toml: parameter_overrides has an unclosed quote");
    }

    #[test]
    fn apostrophes_and_backslashes_have_no_meaning_outside_quotes() {
        let text = "[default.deploy.parameters]\nparameter_overrides = [\"A=o'neil@example.com\", 'B=C:\\d']\n";
        let expected = with(&[("A", "o'neil@example.com"), ("B", r"C:\d")]);
        assert_eq!(parse(text).unwrap().parameters().unwrap(), expected);
    }

    #[test]
    fn reads_parameters_in_one_text_too() {
        let text = "[default.deploy.parameters]\nparameter_overrides = 'A=1 B=\"2 3\"'\n";
        assert_eq!(parse(text).unwrap().parameters().unwrap(), with(&[("A", "1"), ("B", "2 3")]));
    }
}
