//! Whose pages they are: the operator's name, logo and colour, read once at a start. Nothing here is loaded from outside.

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{Markup, html};
use ring::digest::{SHA256, digest};
use tracing::warn;
use url::Url;

use super::colour::{Colour, DARK_PAPER, LIGHT_PAPER};
use crate::{SettingError, Settings};

/// The longest name, in characters.
const MAX_NAME: usize = 60;
/// The longest address of a privacy policy, and the longest logo, in bytes: all of a function's settings are at most 4 KB.
const MAX_PRIVACY_URL: usize = 300;
const MAX_LOGO: usize = 2_000;
const LOGO_TYPES: [&str; 3] = ["png", "svg+xml", "webp"];

/// Whose pages they are. Without settings they name nobody.
#[derive(Clone, Debug)]
pub struct Brand {
    name: Option<BrandName>,
    privacy_url: Option<PrivacyUrl>,
    logo: Option<Logo>,
    style: Option<Style>,
    icon: String,
}

/// The operator's name: at most 60 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BrandName(String);

/// The address of the operator's privacy policy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PrivacyUrl(String);

/// A picture as a data URI (RFC 2397), in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Logo(String);

/// The style of the brand's colour, and its hash for the Content-Security-Policy.
#[derive(Clone, Debug)]
struct Style {
    css: String,
    hash: String,
}

impl Default for Brand {
    fn default() -> Self {
        Self::new(None, None, None, None)
    }
}

impl Brand {
    /// Reads `BRAND_NAME`, `PRIVACY_URL`, `BRAND_COLOR` and `BRAND_LOGO`, each of which may be empty. What is invalid is logged
    /// and left out: no login is to be lost for how a page looks.
    #[must_use]
    pub fn read(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Self {
        Self::new(
            valid(settings.parsed_optional("BRAND_NAME")),
            valid(settings.parsed_optional("PRIVACY_URL")),
            valid(settings.parsed_optional("BRAND_COLOR")),
            valid(settings.parsed_optional("BRAND_LOGO")),
        )
    }

    /// What of these settings is invalid, so that the pages go without it.
    #[must_use]
    pub fn left_out(settings: &Settings<impl Fn(&str) -> Option<String>>) -> Vec<SettingError> {
        let tried = [
            settings.parsed_optional::<BrandName>("BRAND_NAME").err(),
            settings.parsed_optional::<PrivacyUrl>("PRIVACY_URL").err(),
            settings.parsed_optional::<Colour>("BRAND_COLOR").err(),
            settings.parsed_optional::<Logo>("BRAND_LOGO").err(),
        ];
        tried.into_iter().flatten().collect()
    }

    fn new(
        name: Option<BrandName>,
        privacy_url: Option<PrivacyUrl>,
        colour: Option<Colour>,
        logo: Option<Logo>,
    ) -> Self {
        let icon = icon(name.as_ref(), colour);
        Self { name, privacy_url, logo, style: colour.map(Style::of), icon }
    }

    /// The operator's name, where the settings have one.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|name| name.0.as_str())
    }

    /// A page's `<title>`.
    pub(super) fn title(&self, title: &str) -> String {
        self.name().map_or_else(|| title.to_owned(), |name| format!("{title} – {name}"))
    }

    /// The icon, as a data URI.
    pub(super) fn icon(&self) -> &str {
        &self.icon
    }

    /// The style of the brand's colour, where the settings have one.
    pub(super) fn css(&self) -> Option<&str> {
        self.style.as_ref().map(|style| style.css.as_str())
    }

    /// The hash of [`Self::css`], as the policy has it.
    pub(super) fn style_hash(&self) -> Option<&str> {
        self.style.as_ref().map(|style| style.hash.as_str())
    }

    /// What stands above a page. The name says what the logo shows.
    pub(super) fn header(&self) -> Markup {
        html! {
            @if self.name.is_some() || self.logo.is_some() {
                header.brand {
                    @if let Some(Logo(logo)) = &self.logo { img src=(logo) alt=""; }
                    @if let Some(name) = self.name() { span dir="auto" { (name) } }
                }
            }
        }
    }

    /// What stands below a page: the link to the privacy policy, with this text.
    pub(super) fn footer(&self, privacy: &str) -> Markup {
        html! {
            @if let Some(PrivacyUrl(url)) = &self.privacy_url {
                footer { a href=(url) rel="noreferrer" { (privacy) } }
            }
        }
    }
}

fn valid<T>(setting: Result<Option<T>, SettingError>) -> Option<T> {
    setting.unwrap_or_else(|error| {
        warn!(%error, "the pages go without it");
        None
    })
}

impl Style {
    /// Buttons, and the sign of a page that asks for something, have the colour. Where it hardly differs from what is under a
    /// button (WCAG 2.2, 1.4.11) the button has a border.
    fn of(colour: Colour) -> Self {
        let ink = colour.ink();
        let mut css = format!(".button,.neutral>.sign{{background:{colour};color:{ink}}}");
        for (scheme, paper) in [("light", LIGHT_PAPER), ("dark", DARK_PAPER)] {
            if colour.contrast(paper) < 3.0 {
                css.extend(["@media(prefers-color-scheme:", scheme, "){.button{border-color:var(--ink)}}"]);
            }
        }
        let hash = format!("sha256-{}", STANDARD.encode(digest(&SHA256, css.as_bytes())));
        Self { css, hash }
    }
}

/// A disc of this colour with the name's initial; without a name, with a tick.
///
/// Without a colour nothing is computed: the first use of a power takes 0.2 MB of memory, of the C library's tables.
fn icon(name: Option<&BrandName>, colour: Option<Colour>) -> String {
    let (colour, ink) = colour.map_or((Colour::DEFAULT, Colour::DEFAULT_INK), |colour| (colour, colour.ink()));
    let initial = name.and_then(|name| name.0.chars().next()).filter(|first| first.is_alphanumeric());
    let glyph = initial.map_or_else(
        || format!(r#"<path d="M9 17l5 5 9-11" fill="none" stroke="{ink}" stroke-width="4"/>"#),
        |initial| {
            let initial: String = initial.to_uppercase().collect();
            format!(
                r#"<text x="16" y="16" dy=".35em" text-anchor="middle" font-family="system-ui,sans-serif" font-size="18" font-weight="700" fill="{ink}">{initial}</text>"#
            )
        },
    );
    let svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="16" fill="{colour}"/>{glyph}</svg>"#
    );
    format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg))
}

impl FromStr for BrandName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.chars().any(char::is_control) {
            return Err("it has a control character");
        }
        if text.chars().count() > MAX_NAME { Err("longer than 60 characters") } else { Ok(Self(text.to_owned())) }
    }
}

impl FromStr for PrivacyUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_https = text.starts_with("https://") && !text.contains(char::is_whitespace) && Url::parse(text).is_ok();
        match () {
            () if !is_https => Err("no https URL"),
            () if text.len() > MAX_PRIVACY_URL => Err("longer than 300 bytes"),
            () => Ok(Self(text.to_owned())),
        }
    }
}

impl FromStr for Logo {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let data = text
            .strip_prefix("data:image/")
            .and_then(|rest| rest.split_once(";base64,"))
            .and_then(|(kind, data)| LOGO_TYPES.contains(&kind).then_some(data))
            .ok_or("no data URI of a PNG, SVG or WebP picture in base64")?;
        if text.len() > MAX_LOGO {
            return Err("longer than 2,000 characters");
        }
        match STANDARD.decode(data) {
            Ok(picture) if !picture.is_empty() => Ok(Self(text.to_owned())),
            _ => Err("the picture is not in base64"),
        }
    }
}

#[cfg(test)]
mod tests;
