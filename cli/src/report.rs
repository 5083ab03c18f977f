//! What a command prints: text for people and JSON for programs, made from the same values; and the progress of long
//! operations, on standard error.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use serde_json::{Value, json};
use shared::{
    Timestamp,
    printable::{has_hidden, printable, printable_json},
};

use crate::error::{Error, Exit};

/// A command's output and how it ended.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) json: Value,
    pub(crate) exit: Exit,
}

impl Report {
    /// The text may quote other parties: only its line breaks reach the terminal as they are.
    pub(crate) fn new(text: String, json: Value, exit: Exit) -> Self {
        let is_printable = !text.split('\n').any(has_hidden);
        let text = if is_printable { text } else { text.split('\n').map(printable).collect::<Vec<_>>().join("\n") };
        Self { text, json, exit }
    }

    pub(crate) fn of_error(error: &Error) -> Self {
        Self::new(String::new(), json!({"error": error.to_string()}), error.exit())
    }
}

/// Prints an error to standard error.
pub(crate) fn print_error(error: &Error) {
    print_note(&format!("wasf: {error}"));
}

/// Prints a line to standard error, where it is no part of the output.
pub(crate) fn print_note(note: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(note));
}

/// Prints a report, and says how the command ended: not well where its output could not be written. A closed pipe
/// (`| head`) is no error to speak of, and no success.
pub(crate) fn print(report: &Report, as_json: bool, output: &mut impl io::Write) -> Exit {
    let written = if as_json && report.json.is_null() {
        Ok(()) // The command has printed its output itself.
    } else if as_json {
        writeln!(output, "{}", printable_json(&format!("{:#}", report.json)))
    } else {
        output.write_all(report.text.as_bytes())
    };
    match written.and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            print_error(&Error::failed("write the output", error.to_string()));
            Exit::Failed
        }
        Err(_) if report.exit == Exit::Done => Exit::Unread,
        _ => report.exit,
    }
}

/// A table with a header, or fields with their values. Each column is as wide as its widest cell.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    pub(crate) fn with_header<const N: usize>(header: [&str; N]) -> Self {
        Self(vec![header.map(str::to_owned).to_vec()])
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.map(|cell| printable(&cell).into_owned()).into());
    }

    /// A field and its value; no row without a value.
    pub(crate) fn field(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.push(vec![name.to_owned(), printable(&value.to_string()).into_owned()]);
        }
    }

    pub(crate) fn text(&self) -> String {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.0.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.0 {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{cell:width$}  ");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The progress of a long operation: on a terminal one line that is overwritten, elsewhere a line for every
/// [`STEPS_IN_A_LINE`] steps.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    terminal: bool,
    shown: usize,
}

const STEPS_IN_A_LINE: usize = 100;

impl Progress {
    pub(crate) fn of(what: &'static str) -> Self {
        Self { what, terminal: io::stderr().is_terminal(), shown: 0 }
    }

    pub(crate) fn show(&mut self, done: usize, total: Option<usize>) {
        let of_total = total.map(|total| format!(" of {total}")).unwrap_or_default();
        if self.terminal {
            self.shown = done;
            let _ = write!(io::stderr(), "\r\x1b[K{}: {done}{of_total}", self.what);
        } else if done >= self.shown + STEPS_IN_A_LINE {
            self.shown = done;
            let _ = writeln!(io::stderr(), "{}: {done}{of_total}", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && self.shown > 0 {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// A time in RFC 3339, to the second.
pub(crate) fn clock_time(at: Timestamp) -> String {
    Timestamp::from_seconds(at.seconds()).rfc3339()
}

/// A duration in its two largest units: `2 h 5 min`.
pub(crate) fn duration_text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(units.len() - 1);
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, name) in &units[first..units.len().min(first + 2)] {
        if left >= *unit || parts.is_empty() {
            parts.push(format!("{} {name}", left / unit));
        }
        left %= unit;
    }
    parts.join(" ")
}

/// `1 message`, `2 messages`.
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_widest_cell() {
        let mut table = Table::with_header(["NAME", "AGE"]);
        table.row(["☎ 4567".to_owned(), "5 min".to_owned()]);
        table.row(["x".to_owned(), String::new()]);
        assert_eq!(table.text(), "NAME    AGE\n☎ 4567  5 min\nx\n");
    }

    #[test]
    fn an_absent_value_has_no_row() {
        let mut table = Table::default();
        table.field("user", Some("ada"));
        table.field("org", None::<String>);
        assert_eq!(table.text(), "user  ada\n");
    }

    #[test]
    fn a_duration_is_written_in_its_two_largest_units() {
        for (seconds, text) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_725, "1 h 2 min"), (86_400, "1 d"), (90_061, "1 d 1 h")]
        {
            assert_eq!(duration_text(Duration::from_secs(seconds)), text);
        }
    }

    /// A name that clears a screen, starts a line of its own, and is written from right to left.
    const HOSTILE: &str = "ada\u{1b}[2J\nwrong\u{202e}";

    #[test]
    fn text_of_other_parties_is_escaped_in_tables_and_sentences() {
        let mut table = Table::default();
        table.field("user", Some(HOSTILE));
        table.row([HOSTILE.to_owned(), "x".to_owned()]);
        let report = Report::new(format!("{}Revoked {HOSTILE}.\n", table.text()), Value::Null, Exit::Done);
        let hidden = |character: char| character != '\n' && shared::printable::has_hidden(&character.to_string());
        assert!(!report.text.contains(hidden), "{:?}", report.text);
        assert!(report.text.contains(" ada\\u{1b}[2J\\nwrong\\u{202e}\n"), "{}", report.text);
    }

    #[test]
    fn json_is_escaped_and_keeps_its_values() {
        let report = Report::new(String::new(), json!({"user": HOSTILE}), Exit::Done);
        let mut output = Vec::new();
        print(&report, true, &mut output);
        let printed = String::from_utf8(output).unwrap();
        assert!(!printed.contains('\u{202e}') && !printed.contains('\u{1b}'), "{printed}");
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap()["user"], HOSTILE);
    }

    struct Refusing(io::ErrorKind);

    impl io::Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn output_that_cannot_be_written_fails_the_command() {
        for (text, as_json) in [("line\n", false), ("", false), ("", true)] {
            let report = Report::new(text.to_owned(), json!({}), Exit::NothingMatched);
            assert_eq!(print(&report, as_json, &mut Refusing(io::ErrorKind::StorageFull)), Exit::Failed);
            assert_eq!(print(&report, as_json, &mut Refusing(io::ErrorKind::BrokenPipe)), Exit::NothingMatched);
            let done = Report { exit: Exit::Done, ..report };
            assert_eq!(print(&done, as_json, &mut Refusing(io::ErrorKind::BrokenPipe)), Exit::Unread);
        }
    }

    #[test]
    fn a_command_that_has_printed_its_output_prints_no_more() {
        for as_json in [false, true] {
            let mut output = Vec::new();
            assert_eq!(print(&Report::new(String::new(), Value::Null, Exit::Done), as_json, &mut output), Exit::Done);
            assert!(output.is_empty());
        }
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(count(1, "message"), "1 message");
        assert_eq!(count(0, "message"), "0 messages");
    }
}
