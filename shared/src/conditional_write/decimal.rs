//! DynamoDB's numbers beyond counts and times: negative ones, fractions, and those of up to 38 digits.
//!
//! Others may write them into a row, and DynamoDB compares them with ours: so a condition in memory does too.

use std::{cmp::Ordering, fmt};

/// A number as exact as it was written, in one form only: equal numbers are equal values.
#[derive(Clone, PartialEq, Eq)]
pub struct Decimal {
    is_negative: bool,
    /// Its power of ten: the number is 0.`digits` × 10^`point`. 0 for zero.
    point: i32,
    /// Without zeros at either end; empty for zero.
    digits: String,
}

impl Decimal {
    /// Parses a number as DynamoDB writes it, such as `-17`, `0.5` or `1.2E+40`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
            None => (unsigned, 0_i32),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = all.trim_start_matches('0');
        let leading = i32::try_from(all.len() - significant.len()).ok()?;
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { is_negative: false, point: 0, digits });
        }
        let point = exponent.checked_add(i32::try_from(whole.len()).ok()?)?.checked_sub(leading)?;
        Some(Self { is_negative, point, digits })
    }

    /// The number as a count or time, if it can be one.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        let (point, length) = (usize::try_from(self.point).ok()?, self.digits.len());
        if self.is_negative || point < length || point > 20 {
            return None;
        }
        if length == 0 { Some(0) } else { format!("{}{}", self.digits, "0".repeat(point - length)).parse().ok() }
    }

    const fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        let text = number.to_string();
        let digits = text.trim_end_matches('0').to_owned();
        let point = if digits.is_empty() { 0 } else { i32::try_from(text.len()).unwrap_or_default() };
        Self { is_negative: false, point, digits }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // Without zeros in front, digits are ordered as texts are.
        let size = (self.point, &self.digits).cmp(&(other.point, &other.digits));
        let same_sign = if self.is_negative { size.reverse() } else { size };
        self.sign().cmp(&other.sign()).then(same_sign)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As DynamoDB reads it.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, digits) = (if self.is_negative { "-" } else { "" }, &self.digits);
        if digits.is_empty() { f.write_str("0") } else { write!(f, "{sign}0.{digits}E{}", self.point) }
    }
}

/// Without the number, like any value of an item.
impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decimal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn one_number_has_one_form() {
        for same in [
            &["1795660615000.5", "1795660615000.50", "17956606150005E-1", "1.7956606150005e+12", "+01795660615000.5"][..],
            &["0", "-0", "0.00", "0E9", "-0e-130"],
            &["-17", "-17.0", "-0.17E2", "-170E-1"],
            &["1E+125", "10E124", "0.1E126"],
        ] {
            for text in same {
                assert_eq!(decimal(text), decimal(same[0]), "{text}");
                assert_eq!(decimal(&decimal(text).to_string()), decimal(text), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in
            ["", "-", ".", "1.2.3", "0x1", "1E", "E5", "1E5.0", "NaN", "Infinity", "1 ", "--1", "１", "1E99999999999"]
        {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_greatest_and_the_smallest_have_their_places() {
        let digits = "9".repeat(38);
        let ordered = [
            format!("-{digits}E+87"),
            format!("-{digits}"),
            "-18446744073709551616".to_owned(),
            "-1E-130".to_owned(),
            "0".to_owned(),
            "1E-130".to_owned(),
            "0.99999999999999999999999999999999999999".to_owned(),
            "1".to_owned(),
            "18446744073709551615".to_owned(),
            "18446744073709551615.0000000000000001".to_owned(),
            "18446744073709551616".to_owned(),
            digits.clone(),
            format!("{digits}E+87"),
        ];
        assert!(ordered.iter().map(|text| decimal(text)).is_sorted_by(|smaller, greater| smaller < greater));
        assert_eq!(decimal("18446744073709551615").as_u64(), Some(u64::MAX));
        assert_eq!(decimal("18446744073709551616").as_u64(), None);
    }

    proptest! {
        #[test]
        fn a_count_is_itself(number: u64) {
            prop_assert_eq!(Decimal::from(number).as_u64(), Some(number));
            prop_assert_eq!(decimal(&number.to_string()), Decimal::from(number));
            prop_assert_eq!(decimal(&format!("{number}.000")).as_u64(), Some(number));
        }

        /// In whole millionths both are exact, so that integers order them.
        #[test]
        fn any_number_is_ordered_as_integers_are(
            mantissa in -1_000_000_000_000_000i128..1_000_000_000_000_000,
            exponent in -6i32..=6,
            number in prop_oneof![0u64..2_000, 1_790_000_000_000u64..1_800_000_000_000, any::<u64>()],
        ) {
            let millionths = |value: i128, exponent: i32| value * 10i128.pow(u32::try_from(exponent + 6).unwrap());
            let expected = millionths(mantissa, exponent).cmp(&millionths(number.into(), 0));
            prop_assert_eq!(decimal(&format!("{mantissa}E{exponent}")).cmp(&Decimal::from(number)), expected);
        }

        #[test]
        fn a_number_close_to_a_time_lies_on_its_side(time in 1u64..u64::MAX, fraction in 1u32..1_000_000) {
            let above = decimal(&format!("{time}.{fraction:06}"));
            prop_assert!(above > Decimal::from(time) && above < Decimal::from(time + 1));
            let below = decimal(&format!("-{time}.{fraction:06}"));
            let whole = decimal(&format!("-{time}"));
            prop_assert!(below < Decimal::from(0) && below < whole);
            prop_assert_eq!((above.as_u64(), below.as_u64()), (None, None));
        }
    }
}
