//! The form of a confirmation code, by docs/API.md ("How to recognise a code"): eight letters and digits in two groups, the
//! first a letter, with anything but letters and digits around.

const SYMBOLS: &str = "CDFHJKMNPRTVWXY23456789";
const LENGTH: usize = 8;
/// After how many symbols a dash may stand, and a space before it or after it.
const GROUP: usize = 4;
const SPACES: [char; 2] = [' ', '\u{a0}'];
const DASHES: [char; 5] = ['-', '\u{2010}', '\u{2011}', '\u{2013}', '\u{2014}'];

/// Whether something in the text has the form of a code.
pub(super) fn is_in(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let begins = |place: usize| place == 0 || !characters[place - 1].is_alphanumeric();
    (0..characters.len()).any(|place| begins(place) && is_at(&characters[place..]))
}

/// Whether these characters begin with a code.
fn is_at(characters: &[char]) -> bool {
    let is_symbol = |character: &char| SYMBOLS.contains(character.to_ascii_uppercase());
    let Some((first, mut rest)) = characters.split_at_checked(GROUP) else { return false };
    for separators in [&SPACES[..], &DASHES[..], &SPACES[..]] {
        rest = rest.split_first().filter(|(one, _)| separators.contains(one)).map_or(rest, |(_, after)| after);
    }
    let Some((last, after)) = rest.split_at_checked(LENGTH - GROUP) else { return false };
    first.iter().chain(last).all(is_symbol)
        && !first[0].is_ascii_digit()
        && after.first().is_none_or(|character| !character.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_recognised_as_people_send_it() {
        for text in [
            "K7PW4MXR",
            "k7pw-4mxr",
            "K7PW 4MXR",
            "K7PW\u{2013}4MXR",
            "K7PW - 4MXR",
            "k7pw- 4mxr",
            "Confirmation code: K7PW-4MXR",
            "*K7PW-4MXR*.",
            "hi, k7pw4mxr is what it says",
        ] {
            assert!(is_in(text), "{text:?}");
        }
    }

    #[test]
    fn other_words_are_none() {
        for text in [
            "",
            "hello",
            "Connect Salesforce",
            "73459823",
            "K7PW--4MXR",
            "K7PW-4MX",
            "K7PW-4MXRX",
            "xK7PW-4MXR",
            "K7PW-4MXO",
            "7KPW-4MXR",
            "K7PW\n4MXR",
        ] {
            assert!(!is_in(text), "{text:?}");
        }
    }
}
