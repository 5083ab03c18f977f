//! The texts of all languages as Rust: read from Fluent's syntax, held against English, and written as statics.
//!
//! Of Fluent there is its syntax alone: messages and their attributes, of text and variables. Selectors, terms and functions
//! would need a parser and plural rules in every function, so the build refuses them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use fluent_syntax::{
    ast::{Entry, Expression, InlineExpression, Pattern, PatternElement},
    parser,
};

/// The languages, English first; the order is that of `Language::ALL`.
pub(crate) const LANGUAGES: [&str; 8] = ["en", "es", "pt-BR", "fr", "de", "hi", "id", "ar"];

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variable(String),
}

/// The texts of a language by name: `message`, or `message.attribute`.
type Texts = BTreeMap<String, Vec<Piece>>;

/// The Rust source, from a source of each language in the order of [`LANGUAGES`].
///
/// # Errors
/// Everything that is wrong, a line each, with its language and text.
pub(crate) fn compile(sources: &[String]) -> Result<String, Vec<String>> {
    let mut wrong = Vec::new();
    let languages: Vec<Texts> =
        LANGUAGES.iter().zip(sources).map(|(tag, source)| read(tag, source, &mut wrong)).collect();
    for (tag, texts) in LANGUAGES.iter().zip(&languages).skip(1) {
        compare(tag, &languages[0], texts, &mut wrong);
    }
    if wrong.is_empty() { Ok(write(&languages)) } else { Err(wrong) }
}

/// Reads the source of a language.
fn read(tag: &str, source: &str, wrong: &mut Vec<String>) -> Texts {
    let entries = match parser::parse(source) {
        Ok(resource) => resource.body,
        Err((resource, errors)) => {
            wrong.extend(errors.iter().map(|error| format!("{tag}: byte {}: {error}", error.pos.start)));
            resource.body
        }
    };
    let mut texts = Texts::new();
    for entry in entries {
        let message = match entry {
            Entry::Message(message) => message,
            Entry::Term(term) => {
                wrong.push(format!("{tag}: -{}: a term is not supported", term.id.name));
                continue;
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) | Entry::Junk { .. } => continue,
        };
        let attributes = message.attributes.iter().map(|it| (format!("{}.{}", message.id.name, it.id.name), &it.value));
        let value = message.value.iter().map(|value| (message.id.name.to_owned(), value));
        for (name, pattern) in value.chain(attributes) {
            match pieces(pattern) {
                Ok(pieces) if is_tidy(&pieces) => {
                    if texts.insert(name.clone(), pieces).is_some() {
                        wrong.push(format!("{tag}: {name}: there twice"));
                    }
                }
                Ok(_) => wrong.push(format!("{tag}: {name}: empty, or blanks that nobody sees")),
                Err(what) => wrong.push(format!("{tag}: {name}: {what} is not supported")),
            }
        }
    }
    texts
}

/// The pieces of a text, without two literals in a row.
fn pieces(pattern: &Pattern<&str>) -> Result<Vec<Piece>, &'static str> {
    let mut pieces = Vec::new();
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } => match pieces.last_mut() {
                Some(Piece::Literal(text)) => text.push_str(value),
                _ => pieces.push(Piece::Literal((*value).to_owned())),
            },
            PatternElement::Placeable { expression } => match expression {
                Expression::Inline(InlineExpression::VariableReference { id }) => {
                    pieces.push(Piece::Variable(id.name.to_owned()));
                }
                Expression::Inline(_) => return Err("a placeable that is no variable"),
                Expression::Select { .. } => return Err("a selector"),
            },
        }
    }
    Ok(pieces)
}

/// Whether there is something to read, and no blank at an end or beside another.
fn is_tidy(pieces: &[Piece]) -> bool {
    let text: String = pieces.iter().map(|piece| if let Piece::Literal(text) = piece { text } else { "x" }).collect();
    !text.is_empty() && text.trim() == text && !text.contains("  ")
}

fn variables(pieces: &[Piece]) -> BTreeSet<&str> {
    pieces.iter().filter_map(|piece| if let Piece::Variable(name) = piece { Some(&**name) } else { None }).collect()
}

/// Holds a language against English.
fn compare(tag: &str, english: &Texts, texts: &Texts, wrong: &mut Vec<String>) {
    for (name, pieces) in english {
        match texts.get(name) {
            None => wrong.push(format!("{tag}: {name}: missing")),
            Some(translated) if variables(translated) != variables(pieces) => {
                wrong.push(format!("{tag}: {name}: other variables than in English"));
            }
            Some(_) => {}
        }
    }
    wrong
        .extend(texts.keys().filter(|name| !english.contains_key(*name)).map(|name| format!("{tag}: {name}: unknown")));
}

/// The languages' texts as Rust: a `Text` for each without variables, and a struct with its variables for each other.
fn write(languages: &[Texts]) -> String {
    let mut rust = String::new();
    for (name, pieces) in &languages[0] {
        let written = if variables(pieces).is_empty() {
            write_text(&mut rust, name, languages)
        } else {
            write_pattern(&mut rust, name, &variables(pieces), languages)
        };
        // A `String` takes whatever is written to it.
        debug_assert!(written.is_ok());
    }
    rust
}

fn write_text(rust: &mut String, name: &str, languages: &[Texts]) -> std::fmt::Result {
    writeln!(rust, "/// `{name}`\npub static {}: Text = Text([", constant(name))?;
    for texts in languages {
        let text: String = texts[name]
            .iter()
            .filter_map(|it| if let Piece::Literal(text) = it { Some(&**text) } else { None })
            .collect();
        writeln!(rust, "    {text:?},")?;
    }
    writeln!(rust, "]);")
}

fn write_pattern(rust: &mut String, name: &str, variables: &BTreeSet<&str>, languages: &[Texts]) -> std::fmt::Result {
    let (kind, pattern) = (kind(name), format!("{}_PATTERN", constant(name)));
    writeln!(rust, "static {pattern}: Pattern = Pattern([")?;
    for texts in languages {
        let pieces = texts[name].iter().map(|piece| match piece {
            Piece::Literal(text) => format!("Piece::Literal({text:?})"),
            Piece::Variable(variable) => {
                format!("Piece::Variable({})", variables.iter().position(|it| it == variable).unwrap_or_default())
            }
        });
        writeln!(rust, "    &[{}],", pieces.collect::<Vec<_>>().join(", "))?;
    }
    writeln!(rust, "]);\n/// `{name}`\npub struct {kind}<Value> {{")?;
    for variable in variables {
        writeln!(rust, "    /// `{{ ${variable} }}`\n    pub {}: Value,", field(variable))?;
    }
    let values: Vec<_> = variables.iter().map(|variable| format!("self.{}", field(variable))).collect();
    let borrowed: Vec<_> = values.iter().map(|value| format!("&{value}")).collect();
    writeln!(
        rust,
        "}}\nimpl {kind}<&str> {{\n    /// The text in a language.\n    #[must_use]\n    pub fn text(&self, language: Language) -> String {{\n        \
         {pattern}.text(language, &[{}])\n    }}\n}}\n#[cfg(feature = \"pages\")]\nimpl {kind}<maud::Markup> {{\n    /// The text in a \
         language, on a page.\n    #[must_use]\n    pub fn markup(&self, language: Language) -> maud::Markup {{\n        \
         {pattern}.markup(language, &[{}])\n    }}\n}}",
        values.join(", "),
        borrowed.join(", ")
    )
}

/// `failed-denied.with-link` as `FAILED_DENIED_WITH_LINK`.
fn constant(name: &str) -> String {
    name.replace(['-', '.'], "_").to_uppercase()
}

/// `connected-as` as `ConnectedAs`.
fn kind(name: &str) -> String {
    name.split(['-', '.'])
        .map(|word| {
            let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            first.to_uppercase() + rest
        })
        .collect()
}

fn field(variable: &str) -> String {
    variable.replace('-', "_")
}
