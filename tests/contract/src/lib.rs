//! The tables of `docs/API.md` and `docs/EVENTS.md`, the contract with bots, as tests read them; and what the code makes of
//! the contract, as [samples](assert_samples).
//!
//! Whoever sends something of the contract has a test that compares it with its table, in both directions. What the
//! tables mean is that test's business.

#![allow(clippy::expect_used, clippy::missing_panics_doc, clippy::panic, reason = "a test fails by panicking")]

mod samples;

use std::{collections::BTreeSet, fs, path::Path};

pub use self::samples::{answer, assert_samples, requests};

/// What the stack tells a bot.
pub const EVENTS: Document = Document("docs/EVENTS.md");
/// What a bot or a browser can ask for, and the token table.
pub const API: Document = Document("docs/API.md");
/// The short form for adopters.
pub const README: Document = Document("README.md");

/// A document of the repository, by its path. It is read when a test runs, so that a change to it compiles nothing.
#[derive(Clone, Copy, Debug)]
pub struct Document(&'static str);

impl Document {
    /// All of it.
    #[must_use]
    pub fn text(self) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(self.0);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// A table of a document.
#[derive(Debug)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// The first table under a heading, which is given with its `#`s.
    #[must_use]
    pub fn under(document: Document, heading: &str) -> Self {
        Self::parse(&document.text(), heading)
    }

    fn parse(text: &str, heading: &str) -> Self {
        let mut lines = text.lines().skip_while(|line| *line != heading).skip_while(|line| !line.starts_with('|'));
        let columns = cells(lines.next().unwrap_or_else(|| panic!("no table under {heading}")));
        let rows: Vec<_> = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect();
        assert!(rows.iter().all(|row| row.len() == columns.len()), "a row under {heading} has another number of cells");
        Self { columns, rows }
    }

    /// The rows, reduced to these columns. No two may be equal.
    #[must_use]
    pub fn rows<const N: usize>(&self, columns: [&str; N]) -> BTreeSet<[String; N]> {
        let places = columns.map(|name| {
            self.columns.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"))
        });
        let rows: BTreeSet<_> = self.rows.iter().map(|row| places.map(|place| row[place].clone())).collect();
        assert_eq!(rows.len(), self.rows.len(), "a row occurs twice: {rows:?}");
        rows
    }

    /// What stands in a column.
    #[must_use]
    pub fn column(&self, name: &str) -> BTreeSet<String> {
        self.rows([name]).into_iter().map(|[cell]| cell).collect()
    }

    /// What stands in a column, in those rows whose other column holds this.
    #[must_use]
    pub fn column_where(&self, name: &str, other: &str, holds: &str) -> BTreeSet<String> {
        self.rows([name, other]).into_iter().filter(|[_, cell]| cell == holds).map(|[cell, _]| cell).collect()
    }
}

/// The cells of a row; one that is code as a whole without its backticks.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().strip_prefix('|').and_then(|rest| rest.strip_suffix('|')).expect("a table's row");
    inner.split('|').map(|cell| code(cell.trim()).to_owned()).collect()
}

fn code(cell: &str) -> &str {
    match cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        Some(code) if !code.contains('`') => code,
        _ => cell,
    }
}

/// Names as the tables have them.
#[must_use]
pub fn set<T: Into<String>>(names: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    names.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# One\n\n| name | kind |\n|---|---|\n| `a` | x |\n| `b` and `c` | y |\n\n# Two\n";

    #[test]
    fn a_table_is_read_by_its_heading_and_columns() {
        let table = Table::parse(DOCUMENT, "# One");
        assert_eq!(table.column("name"), set(["a", "`b` and `c`"]));
        assert_eq!(table.column_where("name", "kind", "x"), set(["a"]));
    }

    #[test]
    #[should_panic(expected = "no table under # Two")]
    fn a_heading_without_a_table_fails() {
        let _ = Table::parse(DOCUMENT, "# Two");
    }
}
