//! What an answer has to look like: the template's own rules, so that a deployment does not refuse it later. Pure.

use std::collections::BTreeMap;

use reqwest::Url;
use shared::{
    CallbackUri, Language, LoginUrl, WaId, callback_uri::InvalidCallbackUri, login::InvalidLoginUrl, proof::ProofPolicy,
};

use crate::args::ProviderArg;

pub(super) fn provider(text: &str) -> Result<ProviderArg, String> {
    clap::ValueEnum::from_str(text, true).map_err(|_| "give Twilio, Meta or None".to_owned())
}

/// Twilio's sender, which is a number.
pub(super) fn sender(text: &str) -> Result<String, String> {
    let prefixed = if text.starts_with("whatsapp:") { text.to_owned() } else { format!("whatsapp:{text}") };
    let wa_id: WaId = prefixed.parse().map_err(|why| format!("{why}"))?;
    let is_number = !wa_id.address().contains('.');
    is_number.then(|| wa_id.as_str().to_owned()).ok_or_else(|| "give a phone number, whatsapp:+…".to_owned())
}

/// Login hosts, separated by commas, as the functions spell them.
pub(super) fn login_urls(text: &str) -> Result<String, String> {
    let spelled = |url: &str| {
        let url = url.trim();
        if url.is_empty() {
            return Err("a login host is empty; give https://<host>, several separated by commas".to_owned());
        }
        let parsed: LoginUrl = url.parse().map_err(|why| match why {
            InvalidLoginUrl::NotASite => format!("{url} {why}; give https://<host>"),
            _ => format!("{url} is {why}; give https://<host>"),
        })?;
        if !Url::parse(parsed.as_str()).is_ok_and(|url| has_usual_host(&url)) {
            return Err(format!("{url} has an unusual host; give https://<host>"));
        }
        Ok(parsed.as_str().to_owned())
    };
    Ok(text.split(',').map(spelled).collect::<Result<Vec<_>, _>>()?.join(","))
}

/// The bot's webhook.
pub(super) fn webhook_url(text: &str) -> Result<String, String> {
    let is_plain = text.starts_with("https://") || text.starts_with("http://");
    let url = Url::parse(text).ok().filter(|_| is_plain && !text.contains(char::is_whitespace));
    let url = url.ok_or("it is not a URL; give https://…")?;
    let is_usual = url.scheme() == "https" || has_usual_host(&url);
    if is_usual { Ok(text.to_owned()) } else { Err("it is not https, which events need".to_owned()) }
}

/// The name of an `EventBridge` event bus, or its ARN.
pub(super) fn event_bus(text: &str) -> Result<String, String> {
    let is_name = |text: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
        (1..=256).contains(&text.len()) && text.bytes().all(is_allowed)
    };
    let is_arn = || {
        let [arn, partition, "events", region, account, resource] = text.split(':').collect::<Vec<_>>()[..] else {
            return false;
        };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let is_place = partition.starts_with("aws") && !region.is_empty() && !text.contains(char::is_whitespace);
        arn == "arn" && is_place && is_account && resource.strip_prefix("event-bus/").is_some_and(is_name)
    };
    if is_name(text) || is_arn() { Ok(text.to_owned()) } else { Err("give an event bus's name or its ARN".to_owned()) }
}

pub(super) fn callback_uri(text: &str) -> Result<String, String> {
    let uri: CallbackUri = text.parse().map_err(|why| match why {
        InvalidCallbackUri::Path => format!("it {why}"),
        InvalidCallbackUri::Malformed | InvalidCallbackUri::Scheme => format!("it is {why}"),
    })?;
    let url = Url::parse(uri.as_str()).map_err(|_| "it is not a URL")?;
    let is_usual = url.scheme() == "https" || has_usual_host(&url);
    if is_usual { Ok(uri.as_str().to_owned()) } else { Err("it is not https".to_owned()) }
}

/// Whether chats confirm their logins, beside the parameters that a deployment would have: the template's rules.
pub(super) fn chat_proof(text: &str, others: &BTreeMap<String, String>) -> Result<ProofPolicy, String> {
    let spelled = ["Required", "Off"].into_iter().find(|policy| policy.eq_ignore_ascii_case(text));
    let policy = spelled.and_then(|policy| policy.parse().ok()).ok_or("give Required or Off")?;
    match conflict(others).filter(|_| policy == ProofPolicy::Required) {
        Some(why) => Err(why.to_owned()),
        None => Ok(policy),
    }
}

/// Why a deployment with `ChatProof=Required` would fail beside these parameters.
fn conflict(others: &BTreeMap<String, String>) -> Option<&'static str> {
    let is = |name: &str, value: &str| others.get(name).is_some_and(|given| given == value);
    if is("StatePolicy", "AcceptPlain") {
        return Some(
            "Required does not go with StatePolicy=AcceptPlain: a link that a bot made by itself has no code that its chat \
             could send. Set StatePolicy=Signed in samconfig.toml first, or give Off",
        );
    }
    is("BrowserBinding", "Observe").then_some(
        "Required does not go with BrowserBinding=Observe: the code comes from the browser that pressed the button, and \
         another one shows none. Set BrowserBinding=Enforce in samconfig.toml first, or give Off",
    )
}

/// The number that the button leads to, which a page with a code needs.
pub(super) fn needed_phone_number(text: &str) -> Result<String, String> {
    phone_number(text).map_err(|why| {
        format!("{why}: with ChatProof=Required the page's button leads to the bot's chat; without a number give --chat-proof Off")
    })
}

pub(super) fn phone_number(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_number = (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Ok(text.to_owned()) } else { Err("give 5 to 15 digits after a +".to_owned()) }
}

/// Whose service it is, in the pages.
pub(super) fn brand_name(text: &str) -> Result<String, String> {
    let is_name = text.chars().count() <= 60 && !text.chars().any(|char| char.is_ascii_control());
    if is_name { Ok(text.to_owned()) } else { Err("give 60 characters at most, on one line".to_owned()) }
}

/// The tag of a language that there are texts in.
pub(super) fn language(text: &str) -> Result<String, String> {
    let found = Language::lookup(text).filter(|language| language.tag().eq_ignore_ascii_case(text));
    let tags = || Language::ALL.map(Language::tag).join(", ");
    found.map(|language| language.tag().to_owned()).ok_or_else(|| format!("there are texts in {}", tags()))
}

pub(super) fn privacy_url(text: &str) -> Result<String, String> {
    let is_url = text.starts_with("https://") && !text.contains(char::is_whitespace) && Url::parse(text).is_ok();
    if is_url && text.len() <= 300 {
        Ok(text.to_owned())
    } else {
        Err("give https://…, 300 characters at most".to_owned())
    }
}

pub(super) fn email(text: &str) -> Result<String, String> {
    let has_both = text.split_once('@').is_some_and(|(who, host)| !who.is_empty() && !host.is_empty());
    let is_address = has_both && !text.contains(char::is_whitespace);
    if is_address { Ok(text.to_owned()) } else { Err("it is not an e-mail address".to_owned()) }
}

/// A key's ARN: an alias does not appear in the requests that a policy sees.
pub(super) fn key_arn(text: &str) -> Result<String, String> {
    let is_key = text.starts_with("arn:") && text.contains(":kms:") && text.contains(":key/");
    let is_arn = is_key && !text.ends_with(":key/") && !text.contains(char::is_whitespace);
    if is_arn { Ok(text.to_owned()) } else { Err("give a key's ARN, arn:aws:kms:…:key/…, not an alias".to_owned()) }
}

/// Over HTTPS a name, without it this machine, as the template has them.
fn has_usual_host(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)),
        _ => host == "localhost" || host.ends_with(".localhost") || host == "127.0.0.1" || host == "[::1]",
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn login_hosts_are_given_as_the_template_takes_them() {
        assert_eq!(login_urls("https://login.salesforce.com/").unwrap(), "https://login.salesforce.com");
        let two = "https://LOGIN.salesforce.com, http://localhost:1";
        assert_eq!(login_urls(two).unwrap(), "https://login.salesforce.com,http://localhost:1");
        for wrong in
            ["", "login.salesforce.com", "http://example.com", "https://a.com,", "https://a_b.com", "http://127.0.0.2"]
        {
            assert!(login_urls(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_webhook_is_https_or_on_this_machine() {
        for right in ["https://bot.example.com/events?key=1", "http://localhost:1/x", "http://127.0.0.1:2/bot/events"] {
            assert_eq!(webhook_url(right).unwrap(), right);
        }
        for wrong in [
            "ftp://x",
            "http://bot.example.com",
            "http://localhost:pw@bot.example.com/x",
            "bot.example.com",
            "HTTPS://x.com",
            "https://x.com/a b",
            "",
            "https://",
        ] {
            assert!(webhook_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_event_bus_is_given_by_its_name_or_its_arn() {
        for right in ["default", "bot-events", "aws.partner/x", "arn:aws:events:eu-west-1:123456789012:event-bus/bot"] {
            assert_eq!(event_bus(right).unwrap(), right);
        }
        for wrong in [
            "",
            "two words",
            "arn:aws:events:eu-west-1:123456789012:rule/bot",
            "arn:aws:sqs:eu-west-1:123456789012:event-bus/bot",
            "arn:aws:events:eu-west-1:12345:event-bus/bot",
            "arn:aws:events:eu-west-1:123456789012:event-bus/",
        ] {
            assert!(event_bus(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_and_addresses_are_those_of_the_template() {
        assert_eq!(sender("+14155238886").unwrap(), "whatsapp:+14155238886");
        assert_eq!(sender("whatsapp:+14155238886").unwrap(), "whatsapp:+14155238886");
        assert!(sender("whatsapp:US.ABC123").is_err());
        assert!(phone_number("+14155238886").is_ok() && phone_number("whatsapp:+1415").is_err());
        assert!(email("ops@example.com").is_ok() && email("ops").is_err() && email("a b@example.com").is_err());
        assert!(callback_uri("https://connect.example.com/callback").is_ok());
        assert!(callback_uri("https://connect.example.com/").is_err());
    }

    #[test]
    fn what_is_wrong_is_a_sentence() {
        for (wrong, why) in [
            ("https://x.example/callback/", "it does not end in /callback"),
            ("http://x.example/callback", "it is not https"),
        ] {
            assert_eq!(callback_uri(wrong).unwrap_err(), why);
        }
        for wrong in ["https://login.salesforce.com,", ",https://login.salesforce.com", ""] {
            assert!(login_urls(wrong).unwrap_err().starts_with("a login host is empty; "), "{wrong}");
        }
        let plain = login_urls("http://example.com").unwrap_err();
        assert_eq!(plain, "http://example.com is not https; give https://<host>");
        let path = login_urls("https://login.salesforce.com/?x=1").unwrap_err();
        assert!(path.contains("?x=1 has more than scheme, host"), "{path}");
    }

    #[test]
    fn a_brand_is_that_of_the_template() {
        assert!(brand_name(&"é".repeat(60)).is_ok() && brand_name(&"é".repeat(61)).is_err());
        assert!(brand_name("Ac\tme").is_err());
        assert!(privacy_url("https://acme.example/privacy").is_ok());
        for wrong in ["http://acme.example", "acme.example", "https://", "https://a b"] {
            assert!(privacy_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_given_by_its_arn() {
        for right in ["arn:aws:kms:eu-west-1:123456789012:key/0b1c", "arn:aws-cn:kms:cn-north-1:1:key/mrk-1"] {
            assert_eq!(key_arn(right).unwrap(), right);
        }
        for wrong in [
            "",
            "0b1c",
            "alias/mine",
            "arn:aws:kms:eu-west-1:1:alias/mine",
            "arn:aws:kms:eu-west-1:1:key/",
            "arn:aws:kms:e:1:key/a b",
        ] {
            assert!(key_arn(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_language_is_one_that_there_are_texts_in() {
        assert_eq!(language("pt-br").as_deref(), Ok("pt-BR"));
        for wrong in ["", "-", "english", "pt", "es-MX", "ja"] {
            assert_eq!(language(wrong).unwrap_err(), "there are texts in en, es, pt-BR, fr, de, hi, id, ar", "{wrong}");
        }
    }

    #[test]
    fn what_does_not_go_with_a_required_proof_says_why_and_what_to_change() {
        let with = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        for (name, value) in [("StatePolicy", "AcceptPlain"), ("BrowserBinding", "Observe")] {
            let why = chat_proof("Required", &with(name, value)).unwrap_err();
            assert!(why.contains(&format!("{name}={value}")) && why.contains("samconfig.toml"), "{why}");
            assert_eq!(chat_proof("Off", &with(name, value)), Ok(ProofPolicy::Off));
        }
        assert_eq!(chat_proof("required", &with("StatePolicy", "Signed")), Ok(ProofPolicy::Required));
        assert!(chat_proof("On", &BTreeMap::new()).is_err());
        assert!(needed_phone_number("+14155238886").is_ok());
        assert!(needed_phone_number("-").unwrap_err().contains("--chat-proof Off"));
    }

    #[test]
    fn the_template_has_the_rules_that_these_were_made_from() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let template = fs::read_to_string(path).unwrap();
        let pattern = |parameter: &str| {
            let of_parameter = template.split(&format!("\n  {parameter}:\n")).nth(1).unwrap();
            of_parameter.split("AllowedPattern: ").nth(1).unwrap().lines().next().unwrap().to_owned()
        };
        let webhook = r"^(https://\S+|http://(([a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?([/?]\S*)?)?$";
        assert_eq!(pattern("BotWebhookUrl"), webhook);
        assert_eq!(pattern("WhatsAppApiUrl"), webhook);
        let bus = r"^(([A-Za-z0-9._/-]{1,256})|(arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._/-]{1,256}))?$";
        assert_eq!(pattern("EventBusName"), bus);
        assert_eq!(pattern("WhatsAppSender"), r"^((whatsapp:)?\+?[0-9]{5,20})?$");
        assert_eq!(pattern("BotPhoneNumber"), r"^(\+?[0-9]{5,15})?$");
        assert_eq!(pattern("BrandName"), r"^[^\x00-\x1f\x7f]{0,60}$");
        assert_eq!(pattern("PrivacyUrl"), r"^(https://\S{1,292})?$");
        assert_eq!(pattern("AlarmEmail"), r"^(\S+@\S+)?$");
        assert_eq!(pattern("SecretsKeyArn"), r"^(arn:\S+:kms:\S+:key/\S+)?$");
        assert_eq!(pattern("RefreshTokenKeyArn"), pattern("SecretsKeyArn"));
    }
}
