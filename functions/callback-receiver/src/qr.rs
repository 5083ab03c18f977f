//! QR codes as inline SVG, which no policy of the pages forbids.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

/// The light border that scanners need, in modules (ISO/IEC 18004 §6.3.8).
const BORDER: i32 = 4;

/// The QR code of an address, dark on light in any colour scheme; `label` is its accessible name. `None` for an address of
/// more than 2,331 bytes.
pub(crate) fn svg(address: &str, label: &str) -> Option<Markup> {
    let code = encoded(address)?;
    let size = code.size() + 2 * BORDER;
    Some(html! {
        svg role="img" aria-label=(label) viewBox={ "0 0 " (size) " " (size) } shape-rendering="crispEdges" {
            path fill="#fff" d={ "M0 0h" (size) "v" (size) "H0z" } {}
            path fill="#000" d=(dark(&code)) {}
        }
    })
}

fn encoded(address: &str) -> Option<QrCode> {
    let segments = [QrSegment::make_bytes(address.as_bytes())];
    // The choice of the best mask is most of an encoder's work, and any mask is valid: one is enough to be read off a screen.
    let mask = Some(Mask::new(2));
    QrCode::encode_segments_advanced(&segments, QrCodeEcc::Medium, Version::MIN, Version::MAX, mask, false).ok()
}

/// The dark modules as a path, each run of a row as a rectangle.
fn dark(code: &QrCode) -> String {
    let mut path = String::with_capacity(4_096);
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let length = (x..code.size()).take_while(|x| code.get_module(*x, y)).count();
            if length > 0 {
                let _ = write!(path, "M{} {}h{length}v1h-{length}z", x + BORDER, y + BORDER);
            }
            x += 1 + i32::try_from(length).unwrap_or_default();
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The dark modules of a drawing, and its size.
    fn drawn(svg: &str) -> (BTreeSet<(i32, i32)>, i32) {
        let (_, rest) = svg.split_once(r#"viewBox="0 0 "#).unwrap();
        let size = rest.split(' ').next().unwrap().parse().unwrap();
        let (_, path) = svg.rsplit_once(r#" d=""#).unwrap();
        let runs = path.split('"').next().unwrap().split('M').skip(1).flat_map(|run| {
            let mut numbers = run.split(|it: char| !it.is_ascii_digit()).map(|number| number.parse().unwrap());
            let [x, y, length] = std::array::from_fn(|_| numbers.next().unwrap());
            (x..x + length).map(move |x: i32| (x, y))
        });
        (runs.collect(), size)
    }

    #[test]
    fn the_drawing_has_the_modules_of_the_address_inside_a_light_border() {
        for (bot, code) in [("14155238886", "K7PW-4MXR"), ("12345", "CDFH-2345"), ("491234567890123", "YYYY-9999")] {
            let address = format!("https://wa.me/{bot}?text=Confirmation%20code%3A%20{code}");
            let (dark, size) = drawn(&svg(&address, "label").unwrap().into_string());
            let code = encoded(&address).unwrap();
            let at = |range: i32| move |x| (0..range).map(move |y| (x, y));
            let expected = (0..code.size()).flat_map(at(code.size())).filter(|(x, y)| code.get_module(*x, *y));
            assert_eq!(dark, expected.map(|(x, y)| (x + 4, y + 4)).collect(), "{address}");
            assert_eq!(size, code.size() + 8, "{address}");
        }
    }

    #[test]
    fn an_address_that_does_not_fit_has_no_code() {
        assert!(svg(&"a".repeat(2_331), "label").is_some());
        assert!(svg(&"a".repeat(2_332), "label").is_none());
    }

    #[test]
    fn the_drawing_has_no_style_that_the_policy_forbids() {
        let svg = svg("https://wa.me/12345", "a <label>").unwrap().into_string();
        assert!(!svg.contains("style") && svg.contains(r#"aria-label="a &lt;label&gt;""#), "{svg}");
    }
}
