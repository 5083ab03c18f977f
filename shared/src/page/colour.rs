//! A colour, and what can be read on it (WCAG 2.2, "relative luminance" and "contrast ratio").

use std::{fmt, str::FromStr};

/// What is under a page's buttons, as `page.css` has it.
pub(super) const LIGHT_PAPER: Colour = Colour([0xff, 0xff, 0xff]);
pub(super) const DARK_PAPER: Colour = Colour([0x1f, 0x2c, 0x34]);

const BLACK: Colour = Colour([0, 0, 0]);
const WHITE: Colour = Colour([0xff, 0xff, 0xff]);

/// The least contrast of a text (WCAG 2.2, 1.4.3).
const READABLE: f64 = 4.5;

/// A colour of sRGB, opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour([u8; 3]);

impl Colour {
    /// That of the pages' buttons without a brand.
    pub(super) const DEFAULT: Self = Self([0x00, 0x80, 0x69]);
    /// What can be read on it.
    pub(super) const DEFAULT_INK: Self = WHITE;

    /// White or black: what can be read on this colour. On every colour one of them can.
    pub(super) fn ink(self) -> Self {
        if self.contrast(WHITE) >= READABLE { WHITE } else { BLACK }
    }

    /// From 1 to 21.
    pub(super) fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|channel| {
            let channel = f64::from(channel) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl FromStr for Colour {
    type Err = &'static str;

    /// Parses `#rrggbb`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or("not #rrggbb")?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Self([red, green, blue]))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn colour(text: &str) -> Colour {
        text.parse().unwrap()
    }

    #[test]
    fn a_colour_is_six_hexadecimal_digits() {
        assert_eq!(colour("#00A1e0"), Colour([0x00, 0xa1, 0xe0]));
        assert_eq!(colour("#00A1E0").to_string(), "#00a1e0");
        for wrong in ["", "#fff", "00a1e0", "#00a1e", "#00a1e00", "#00a1eg", "#+0a1e0", "red", "#00a1e0;}", "#é0000"] {
            assert!(wrong.parse::<Colour>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn contrasts_are_those_of_the_standard() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 1e-9);
        // The known boundary greys: #767676 is readable on white, #777777 is not.
        assert!(colour("#767676").contrast(WHITE) >= READABLE && colour("#777777").contrast(WHITE) < READABLE);
    }

    proptest! {
        #[test]
        fn a_text_on_any_colour_is_readable(channels in any::<[u8; 3]>()) {
            let colour = Colour(channels);
            prop_assert!(colour.contrast(colour.ink()) >= READABLE);
        }
    }

    #[test]
    fn the_ink_of_the_default_colour_is_what_would_be_computed() {
        assert_eq!(Colour::DEFAULT.ink(), Colour::DEFAULT_INK);
    }

    #[test]
    fn the_papers_are_those_of_the_style() {
        for paper in [LIGHT_PAPER, DARK_PAPER] {
            let text = paper.to_string().replace("#ffffff", "#fff");
            assert!(include_str!("../page.css").contains(&format!("--paper:{text}")), "{text}");
        }
        assert!(include_str!("../page.css").contains(&format!("--green:{}", Colour::DEFAULT)));
    }
}
