//! A phone number as a page may show it: enough for its owner, and too little to call it.

use std::fmt;

use super::WaId;

/// The calling codes of E.164, each with whose it is: a line is a code, a space and a name in English. Codes of networks and
/// services, which are no country's, are left out. None is the beginning of another.
///
/// Source: ITU, "List of ITU-T Recommendation E.164 assigned country codes", annex to Operational Bulletin No. 1114
/// (<https://www.itu.int/pub/T-SP-E.164D>), and its later amendments.
const COUNTRIES: &str = include_str!("countries.txt");
const HIDDEN: char = '•';
/// The last digits, which are shown.
const SHOWN: usize = 4;
/// A number whose national part is shorter is shown without its country: too little of it would be hidden.
const SHORTEST: usize = 7;

/// A chat's phone number with its last four digits only and, where its calling code is known, its country. `Display`
/// shows `+55 •• ••••• 4567 (Brazil)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedNumber {
    /// `+55 •• ••••• 4567`, or `•••• 4567` without a country.
    pub number: String,
    /// `4567`.
    pub last: String,
    /// `Brazil`.
    pub country: Option<&'static str>,
}

impl WaId {
    /// The chat's number, for a person who knows their own. `None` for a business-scoped id, which means nothing to anybody.
    #[must_use]
    pub fn masked_number(&self) -> Option<MaskedNumber> {
        let digits = self.address().strip_prefix('+').unwrap_or(self.address());
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let last = digits[digits.len().saturating_sub(SHOWN)..].to_owned();
        let of_country = country(digits).filter(|(code, _)| digits.len() - code.len() >= SHORTEST);
        Some(match of_country {
            Some((code, country)) => {
                let hidden = groups(digits.len() - code.len() - SHOWN);
                MaskedNumber { number: format!("+{code} {hidden} {last}"), last, country: Some(country) }
            }
            None => MaskedNumber { number: self.masked(), last, country: None },
        })
    }
}

impl fmt::Display for MaskedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.number)?;
        self.country.map_or(Ok(()), |country| write!(f, " ({country})"))
    }
}

/// The calling code that these digits begin with, and whose it is.
fn country(digits: &str) -> Option<(&'static str, &'static str)> {
    let countries = COUNTRIES.lines().filter_map(|line| line.split_once(' '));
    countries.into_iter().find(|(code, _)| digits.starts_with(code))
}

/// So many hidden digits, in groups as people write numbers: an area of two or three, then the rest.
fn groups(count: usize) -> String {
    let area = match count {
        0..=4 => 0,
        5 | 7 => 2,
        _ => 3,
    };
    let dots = |count| HIDDEN.to_string().repeat(count);
    if area == 0 { dots(count) } else { format!("{} {}", dots(area), dots(count - area)) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn shown(wa_id: &str) -> Option<String> {
        wa_id.parse::<WaId>().unwrap().masked_number().map(|number| number.to_string())
    }

    #[test]
    fn a_number_is_shown_with_its_country_and_last_digits() {
        for (wa_id, expected) in [
            ("whatsapp:+5511987654567", "+55 •• ••••• 4567 (Brazil)"),
            ("whatsapp:+15551234567", "+1 ••• ••• 4567 (United States, Canada or the Caribbean)"),
            ("whatsapp:15551234567", "+1 ••• ••• 4567 (United States, Canada or the Caribbean)"),
            ("whatsapp:+79161234567", "+7 ••• ••• 4567 (Russia or Kazakhstan)"),
            ("whatsapp:+447911123456", "+44 ••• ••• 3456 (United Kingdom)"),
            ("whatsapp:+4915123456789", "+49 •• ••••• 6789 (Germany)"),
            ("whatsapp:+5215512345678", "+52 •• ••••• 5678 (Mexico)"),
            ("whatsapp:+4512345678", "+45 •••• 5678 (Denmark)"),
            ("whatsapp:+38349123456", "+383 •••• 3456 (Kosovo)"),
        ] {
            assert_eq!(shown(wa_id).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_number_of_no_country_or_too_short_a_one_has_its_last_digits_only() {
        for wa_id in ["whatsapp:+99912344567", "whatsapp:+88312344567", "whatsapp:+554567", "whatsapp:+04567894567"] {
            assert_eq!(shown(wa_id).as_deref(), Some("•••• 4567"), "{wa_id}");
        }
    }

    #[test]
    fn a_business_scoped_id_is_not_shown_at_all() {
        for wa_id in ["whatsapp:US.ABC123XYZ", "whatsapp:BR.12345678901234", "whatsapp:US.ENT.11815799212886844830"] {
            assert_eq!(shown(wa_id), None);
        }
    }

    #[test]
    fn no_calling_code_begins_another() {
        let codes: Vec<_> = COUNTRIES.lines().map(|line| line.split_once(' ').unwrap().0).collect();
        assert!(codes.iter().all(|code| (1..=3).contains(&code.len()) && code.bytes().all(|it| it.is_ascii_digit())));
        for code in &codes {
            let begun: Vec<_> = codes.iter().filter(|other| other.starts_with(code)).collect();
            assert_eq!(begun, [code]);
        }
    }

    #[test]
    fn no_country_is_listed_twice() {
        let names: Vec<_> = COUNTRIES.lines().map(|line| line.split_once(' ').unwrap().1).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }

    proptest! {
        #[test]
        fn no_more_than_the_calling_code_and_the_last_four_digits_are_shown(number in "\\+[0-9]{5,20}") {
            let shown = format!("whatsapp:{number}").parse::<WaId>().unwrap().masked_number().unwrap();
            let digits = shown.number.chars().filter(char::is_ascii_digit).count();
            prop_assert!(digits <= 7, "{}", shown.number);
            prop_assert!(number.ends_with(&shown.last) && shown.last.len() == 4);
        }
    }
}
