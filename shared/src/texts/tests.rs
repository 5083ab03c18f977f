use std::{fs, path::Path};

use super::{
    catalogue::{LANGUAGES, compile},
    *,
};

/// The sources of all languages, English changed by the first and the last, Arabic, by the second.
fn with(change_english: impl Fn(String) -> String, change_arabic: impl Fn(String) -> String) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("texts");
    let read = |tag: &str| fs::read_to_string(folder.join(format!("{tag}.ftl"))).unwrap();
    let mut sources: Vec<_> = LANGUAGES.iter().map(|tag| read(tag)).collect();
    let last = sources.len() - 1;
    sources[0] = change_english(std::mem::take(&mut sources[0]));
    sources[last] = change_arabic(std::mem::take(&mut sources[last]));
    sources
}

/// What is wrong with the texts where Arabic is changed so.
fn wrong_in_arabic(change: impl Fn(String) -> String) -> Vec<String> {
    compile(&with(|english| english, change)).unwrap_err()
}

fn without_line(source: &str, start: &str) -> String {
    source.split_inclusive('\n').filter(|line| !line.starts_with(start)).collect()
}

#[test]
fn the_texts_fit_together() {
    assert!(compile(&with(|english| english, |arabic| arabic)).is_ok());
}

#[test]
fn a_language_without_a_text_does_not_build() {
    assert_eq!(wrong_in_arabic(|it| without_line(&it, "failed-app-blocked =")), ["ar: failed-app-blocked: missing"]);
    assert_eq!(
        wrong_in_arabic(|it| it.replacen("    .with-link", "    .with-links", 1)),
        ["ar: delayed.with-link: missing", "ar: delayed.with-links: unknown"]
    );
}

#[test]
fn a_language_with_a_text_of_its_own_does_not_build() {
    assert_eq!(wrong_in_arabic(|it| it + "\nextra = نص\n"), ["ar: extra: unknown"]);
}

#[test]
fn a_text_with_other_variables_than_in_english_does_not_build() {
    let expected = ["ar: connected-as: other variables than in English"];
    assert_eq!(wrong_in_arabic(|it| it.replacen("{ $username }", "{ $name }", 1)), expected);
    assert_eq!(wrong_in_arabic(|it| it.replacen("{ $username }", "ada", 1)), expected);
    assert_eq!(wrong_in_arabic(|it| it.replacen("{ $username }", "{ $username } { $org }", 1)), expected);
}

#[test]
fn a_text_that_is_there_twice_does_not_build() {
    assert_eq!(wrong_in_arabic(|it| it + "\nended-replaced = نص\n"), ["ar: ended-replaced: there twice"]);
}

#[test]
fn what_fluent_does_not_read_does_not_build() {
    let wrong = wrong_in_arabic(|it| it + "\nنص = نص\n");
    assert!(wrong.iter().any(|line| line.starts_with("ar: byte ")), "{wrong:?}");
}

#[test]
fn what_a_parser_at_run_time_would_be_needed_for_does_not_build() {
    for (text, what) in [
        ("{ $n ->\n    [one] 1\n   *[other] 2\n }", "a selector"),
        ("{ connected }", "a placeable that is no variable"),
        ("{ NUMBER($n) }", "a placeable that is no variable"),
    ] {
        let wrong =
            wrong_in_arabic(|it| without_line(&it, "ended-replaced =") + &format!("\nended-replaced = {text}\n"));
        assert_eq!(wrong[0], format!("ar: ended-replaced: {what} is not supported"));
    }
    let wrong = wrong_in_arabic(|it| it + "\n-brand = Salesforce\n");
    assert_eq!(wrong, ["ar: -brand: a term is not supported"]);
}

#[test]
fn the_compiled_texts_are_those_of_the_files() {
    assert_eq!(LANGUAGES, Language::ALL.map(Language::tag));
    for (source, language) in with(|english| english, |arabic| arabic).iter().zip(Language::ALL) {
        let line = format!("connected = {}\n", CONNECTED.text(language));
        assert!(source.contains(&line), "{language}: {line}");
        let with_variables = ConnectedAsIn { org: "{ $org }", username: "{ $username }" }.text(language);
        assert!(source.contains(&format!("connected-as-in = {with_variables}\n")), "{language}: {with_variables}");
    }
}

#[test]
fn a_message_of_one_language_is_not_anothers() {
    for text in [&CONNECTED, &FAILED_DENIED, &CODE_CONFIRMED, &ENDED_WITH_LINK] {
        for language in Language::ALL {
            let same = Language::ALL.into_iter().filter(|other| text.text(*other) == text.text(language)).count();
            assert_eq!(same, 1, "{language}: {}", text.text(language));
        }
    }
}

#[cfg(feature = "pages")]
#[test]
fn what_stands_between_two_stars_is_strong_on_a_page() {
    let text = Text::same("Reply *disconnect* & <go>");
    assert_eq!(text.markup(Language::Hindi).into_string(), "Reply <strong>disconnect</strong> &amp; &lt;go&gt;");
}

#[cfg(feature = "pages")]
#[test]
fn a_value_on_a_page_is_markup_of_its_own() {
    let (username, org) = (maud::html! { bdi { "*a*" } }, maud::html! { "&" });
    let text = ConnectedAsIn { org, username }.markup(Language::English).into_string();
    assert_eq!(text, "Connected as <bdi>*a*</bdi> (&amp;).");
}
