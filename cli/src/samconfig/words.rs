//! The texts of `parameter_overrides`, as the SAM CLI reads them (`CfnParameterOverridesType`), which is not as a shell does: a
//! backslash stays, unless it is before a space or a quotation mark; and it keeps a quote from closing. Pure.

/// What the SAM CLI unescapes, in this order, each once.
const ESCAPED: [(&str, &str); 3] = [("\\ ", " "), ("\\\"", "\""), ("\\'", "'")];

/// The parameters in a text: `Name=value` or `ParameterKey=Name,ParameterValue=value`, separated by white space. What the SAM CLI would
/// drop, or read as something else, is an error.
pub(super) fn words(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    const FORM: &str = "has something else than Name=value or ParameterKey=Name,ParameterValue=value; write it so";
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, value) = match rest.strip_prefix("ParameterKey=") {
            Some(pair) => pair.split_once(",ParameterValue="),
            None => rest.split_once('='),
        }
        .filter(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .ok_or(FORM)?;
        let end = end_of(value)?;
        found.push((name.to_owned(), unquoted(&value[..end])));
        rest = value[end..].trim_start();
    }
    Ok(found)
}

/// How long the value is that a text begins with.
fn end_of(text: &str) -> Result<usize, &'static str> {
    let quote = text.chars().next().filter(|first| "\"'".contains(*first));
    if let Some(quote) = quote
        && let Some(end) = closing(&text[1..], quote)
    {
        let end = end + 2;
        let is_alone = text[end..].chars().next().is_none_or(char::is_whitespace);
        return if is_alone { Ok(end) } else { Err("has something right after a closing quote") };
    }
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next().ok_or("has a backslash at the end of a value, which the SAM CLI drops")?),
            '"' => return Err("has an unclosed quote"),
            _ if character.is_whitespace() => return Ok(place),
            _ => {}
        }
    }
    Ok(text.len())
}

/// Where the quote is that closes a text; an escaped one does not.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' => drop(characters.next()?),
            _ if character == quote => return Some(place),
            _ => {}
        }
    }
    None
}

/// A value as the template gets it: without the quotes around it, and with what is escaped as itself.
pub(super) fn unquoted(text: &str) -> String {
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    let text = inner('"').or_else(|| inner('\'')).unwrap_or(text);
    ESCAPED.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

/// A value in double quotes, unless it is one word without them; `None` where nothing that is written is read as this value. An
/// empty value takes the stack's previous one away.
pub(super) fn quoted(value: &str) -> Option<String> {
    let is_special = |character: char| character.is_whitespace() || "\"'\\".contains(character);
    if !value.is_empty() && !value.contains(is_special) {
        return Some(value.to_owned());
    }
    let mut written = String::from("\"");
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            // The SAM CLI takes one of them away.
            ('\\', Some(' ' | '\'')) => written.push_str("\\\\"),
            ('"', _) => written.push_str("\\\""),
            _ => written.push(character),
        }
    }
    written.push('"');
    (words(&format!("A={written}")).ok()? == [("A".to_owned(), value.to_owned())]).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values, and how they are written. tests/checks has the SAM CLI read them.
    const WRITTEN: &str = include_str!("words.json");

    #[test]
    fn a_value_is_written_so_that_it_is_read_again() {
        let written: Vec<(String, Option<String>)> = serde_json::from_str(WRITTEN).unwrap();
        assert!(written.len() > 10);
        for (value, expected) in written {
            assert_eq!(quoted(&value), expected, "{value:?}");
            if let Some(written) = expected {
                assert_eq!(words(&format!("A=1 B={written} C=3")).unwrap()[1].1, value, "{written}");
            }
        }
    }

    #[test]
    fn what_the_sam_cli_would_drop_or_change_is_an_error() {
        for text in [r"A=a\", r#"A="a"b"#, r#"A="a"#, r#"A=a"b"#, "A", "=a", "A=1 b c=2"] {
            assert!(words(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_backslash_outside_quotes_is_itself() {
        assert_eq!(words(r"A=C:\d B=x\ y").unwrap(), [("A".into(), r"C:\d".into()), ("B".into(), "x y".to_owned())]);
    }
}
