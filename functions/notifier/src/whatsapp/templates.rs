//! The operator's approved templates, as `WhatsAppTemplate` names them, and which of them a person gets. Pure.
//!
//! ```text
//! Twilio   HX…   or, one for each language, en:HX…,es:HX…
//! Meta     name  or, with the languages that it is approved in, name:en,es,pt_BR
//! ```

use shared::Language;

use super::Provider;

/// An approved template whose one variable is the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// For Twilio its Content SID, for Meta its name.
    pub(super) name: String,
    /// Its language, as the operator has written it: for Meta a code of Meta's.
    pub(super) language: Option<String>,
}

/// The templates of an account: one, or one for each of some languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Templates {
    first: Template,
    others: Vec<Template>,
    default: Language,
}

impl Templates {
    /// Reads the setting; who has no template in their language gets that in the default one.
    pub(crate) fn parse(text: &str, provider: &Provider, default: Language) -> Self {
        let mut templates = match provider {
            Provider::Twilio(_) => text.split(',').map(of_twilio).collect::<Vec<_>>(),
            Provider::Meta => of_meta(text),
        }
        .into_iter();
        let first = templates.next().unwrap_or_else(|| Template { name: text.to_owned(), language: None });
        Self { first, others: templates.collect(), default }
    }

    /// The template for a person: in their language, else in the default one, else the first.
    pub(crate) fn of(&self, language: Language) -> &Template {
        let all = || [&self.first].into_iter().chain(&self.others);
        let mut wanted = [language, self.default].into_iter();
        wanted.find_map(|wanted| all().find(|it| it.speaks() == Some(wanted))).unwrap_or(&self.first)
    }
}

impl Template {
    /// Its language among ours; codes of Meta's have an underscore, as `pt_BR`.
    fn speaks(&self) -> Option<Language> {
        Language::lookup(&self.language.as_deref()?.replace('_', "-"))
    }
}

fn of_twilio(text: &str) -> Template {
    match text.split_once(':') {
        Some((language, sid)) => Template { name: sid.to_owned(), language: Some(language.to_owned()) },
        None => Template { name: text.to_owned(), language: None },
    }
}

fn of_meta(text: &str) -> Vec<Template> {
    let of = |name: &str, language| Template { name: name.to_owned(), language };
    match text.split_once(':') {
        Some((name, languages)) => languages.split(',').map(|language| of(name, Some(language.to_owned()))).collect(),
        None => vec![of(text, None)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whatsapp::Sender;

    fn twilio() -> Provider {
        Provider::Twilio(Sender { from: "whatsapp:+14155238886".parse().unwrap(), messaging_service: None })
    }

    /// The name and the language of the template that a person gets.
    fn chosen(text: &str, provider: &Provider, language: Language) -> (String, Option<String>) {
        let templates = Templates::parse(text, provider, Language::Spanish);
        let Template { name, language } = templates.of(language).clone();
        (name, language)
    }

    #[test]
    fn the_one_template_is_everybodys() {
        for language in Language::ALL {
            assert_eq!(chosen("HX01", &twilio(), language), ("HX01".to_owned(), None));
            assert_eq!(chosen("news", &Provider::Meta, language), ("news".to_owned(), None));
            let in_dutch = ("news".to_owned(), Some("nl".to_owned()));
            assert_eq!(chosen("news:nl", &Provider::Meta, language), in_dutch, "{language}");
        }
    }

    #[test]
    fn at_meta_a_template_is_sent_in_the_persons_language_where_it_is_approved_in_it() {
        let code = |language| chosen("news:en_US,es_MX,es,pt_BR", &Provider::Meta, language).1.unwrap();
        assert_eq!(code(Language::English), "en_US");
        assert_eq!(code(Language::Spanish), "es_MX", "the first of two");
        assert_eq!(code(Language::Portuguese), "pt_BR");
        assert_eq!(code(Language::Hindi), "es_MX", "the default");
        assert_eq!(chosen("news:en,fr", &Provider::Meta, Language::Hindi).1.unwrap(), "en", "the first");
    }

    #[test]
    fn at_twilio_each_language_has_a_template_of_its_own() {
        let name = |language| chosen("en:HX01,es:HX02,pt-BR:HX03", &twilio(), language).0;
        assert_eq!(name(Language::English), "HX01");
        assert_eq!(name(Language::Portuguese), "HX03");
        assert_eq!(name(Language::Hindi), "HX02", "the default");
    }
}
