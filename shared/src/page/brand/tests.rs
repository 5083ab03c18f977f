use super::{
    super::{Frame, Mood, Page},
    *,
};
use crate::{Language, texts::Text};

const LOGO: &str = "data:image/png;base64,iVBORw0KGgo=";

fn read(given: &[(&str, &str)]) -> Brand {
    Brand::read(&Settings::new(|name| given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())))
}

fn page_of(given: &[(&str, &str)]) -> Page {
    let brand = &read(given);
    Frame { brand, language: Language::English, bot: None }.page(Mood::Neutral, &Text::same("Title"), &html! {})
}

/// Whether the pages go without this setting.
fn refused(name: &'static str, value: &str) -> bool {
    format!("{:?}", read(&[(name, value)])) == format!("{:?}", Brand::default())
}

#[test]
fn a_page_without_a_brand_names_nobody() {
    let Page { html, .. } = page_of(&[]);
    assert!(html.contains("<title>Title</title>"), "{html}");
    assert!(!html.contains("<header") && !html.contains("<footer") && !html.contains("<img"), "{html}");
}

#[test]
fn a_page_has_the_brands_name_in_its_title_and_above_it() {
    let Page { html, .. } = page_of(&[("BRAND_NAME", "Acme & Söhne")]);
    assert!(html.contains("<title>Title – Acme &amp; Söhne</title>"), "{html}");
    assert!(html.contains(r#"<header class="brand"><span dir="auto">Acme &amp; Söhne</span></header>"#), "{html}");
}

#[test]
fn the_logo_needs_no_text_beside_the_name() {
    let Page { html, .. } = page_of(&[("BRAND_LOGO", LOGO), ("BRAND_NAME", "Acme")]);
    assert!(html.contains(&format!(r#"<img src="{LOGO}" alt="">"#)), "{html}");
}

#[test]
fn the_privacy_policy_is_linked_below_the_page() {
    let Page { html, .. } = page_of(&[("PRIVACY_URL", "https://acme.example/privacy?a=1&b=2")]);
    let link =
        r#"<footer><a href="https://acme.example/privacy?a=1&amp;b=2" rel="noreferrer">Privacy policy</a></footer>"#;
    assert!(html.contains(link), "{html}");
}

#[test]
fn a_name_is_short_and_of_one_line() {
    assert!(!refused("BRAND_NAME", &"é".repeat(MAX_NAME)));
    assert!(refused("BRAND_NAME", &"é".repeat(MAX_NAME + 1)));
    assert!(refused("BRAND_NAME", "Ac\nme"));
}

#[test]
fn a_privacy_policy_is_a_page_over_https() {
    let long = format!("https://acme.example/{}", "a".repeat(MAX_PRIVACY_URL));
    for wrong in ["http://acme.example", "javascript:alert(1)", "acme.example", "https://", "https://a b", &long] {
        assert!(refused("PRIVACY_URL", wrong), "{wrong}");
    }
}

#[test]
fn a_host_outside_of_ascii_is_written_in_punycode() {
    assert!(refused("PRIVACY_URL", "https://bücher.example/privacy"));
    assert!(!refused("PRIVACY_URL", "https://xn--bcher-kva.example/privacy"));
}

#[test]
fn a_logo_is_a_small_picture_in_the_setting_itself() {
    for right in [LOGO, "data:image/svg+xml;base64,PHN2Zy8+", "data:image/webp;base64,UklGRg=="] {
        assert!(!refused("BRAND_LOGO", right), "{right}");
    }
    let long = format!("data:image/png;base64,{}", "AAAA".repeat(500));
    for wrong in [
        "https://acme.example/logo.png",
        "data:image/gif;base64,AAAA",
        "data:image/png,AAAA",
        "data:image/png;base64,",
        "data:image/png;base64,A\"A",
        &long,
    ] {
        assert!(refused("BRAND_LOGO", wrong), "{wrong}");
    }
}

#[test]
fn a_colour_that_is_none_is_refused() {
    assert!(refused("BRAND_COLOR", "red"));
}

#[test]
fn a_button_has_the_brands_colour_and_the_policy_allows_that_style() {
    let page = page_of(&[("BRAND_COLOR", "#FFD400")]);
    let css = page.html.split("<style>").nth(2).unwrap().split("</style>").next().unwrap();
    assert!(css.starts_with(".button,.neutral>.sign{background:#ffd400;color:#000000}"), "{css}");
    let hash = format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, css.as_bytes())));
    let policy = page.policy("'none'");
    assert!(policy.contains(&hash), "{policy}");
    assert_eq!(policy.matches("sha256-").count(), 3, "{policy}");
}

#[test]
fn a_button_that_hardly_differs_from_the_paper_has_a_border() {
    let css = |colour| read(&[("BRAND_COLOR", colour)]).css().unwrap().to_owned();
    assert!(css("#ffffff").contains("@media(prefers-color-scheme:light){.button{border-color:var(--ink)}}"));
    assert!(css("#0b141a").contains("@media(prefers-color-scheme:dark){.button{border-color:var(--ink)}}"));
    assert!(!css("#00a1e0").contains("light") || !css("#00a1e0").contains("dark"));
}

#[test]
fn the_icon_has_the_names_initial_and_escapes_nothing() {
    let icon = |given: &[(&str, &str)]| {
        let brand = read(given);
        let encoded = brand.icon().strip_prefix("data:image/svg+xml;base64,").unwrap().to_owned();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    };
    assert!(icon(&[("BRAND_NAME", "élan"), ("BRAND_COLOR", "#123456")]).contains(r##"fill="#ffffff">É</text>"##));
    assert!(icon(&[]).contains("<path"));
    assert!(icon(&[("BRAND_NAME", "<b>")]).contains("<path"));
}
