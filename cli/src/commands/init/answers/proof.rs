//! Whether chats confirm their logins (`ChatProof`), and the number that they need for it.

use std::collections::BTreeMap;

use shared::proof::ProofPolicy;

use super::{super::rules, Collected};
use crate::{args::InitArgs, error::Error};

/// The values of the parameter `ChatProof`.
const REQUIRED: &str = "Required";
const OFF: &str = "Off";
/// What the answer means, for somebody who has not read the documents: lines, because a note is one.
const ABOUT_PROOF: [&str; 4] = [
    "ChatProof=Required: nobody is connected to a chat that isn't theirs. A login waits until its chat has sent the code that",
    "the browser shows: one tap more for people, and the bot has to pass codes on to POST /confirmations (docs/API.md). Until",
    "it does, nobody gets connected.",
    "ChatProof=Off: whoever forwards their link to somebody who approves it gets that person's Salesforce in their own chat.",
];
/// A number's form, in the questions for it.
const FORM: &str = "+14155238886";

impl Collected<'_> {
    /// Whether chats confirm their logins, and the number that they need for it.
    pub(super) fn chat_proof(&mut self, args: &InitArgs) -> Result<(), Error> {
        let given = args.chat_proof.as_deref();
        // The SAM CLI keeps what the stack has where nothing else is given.
        let planned = planned(self.known, self.running);
        let has = self.known("ChatProof").or_else(|| Some(self.running?.get("ChatProof")?.clone()));
        let policy = if given.is_some() || self.prompt.interactive || has.is_some() {
            if self.prompt.interactive && given.is_none() {
                for line in ABOUT_PROOF {
                    self.prompt.say(line);
                }
            }
            let offered = has.clone().unwrap_or_else(|| if self.running.is_some() { OFF } else { REQUIRED }.to_owned());
            let question = "Have chats confirm their logins (ChatProof): Required or Off";
            let rule = |text: &str| rules::chat_proof(text, &planned);
            self.prompt.answer(given, "--chat-proof", question, Some(&offered), rule)?
        } else {
            ProofPolicy::Off
        };
        let is_required = policy == ProofPolicy::Required;
        // Nobody's answer is no change.
        if given.is_some() || self.prompt.interactive || self.known("ChatProof").is_some() {
            self.set("ChatProof", if is_required { REQUIRED } else { OFF }.to_owned());
        }
        let number = args.bot_phone_number.as_deref();
        if !is_required {
            let question = format!("The bot's phone number, such as {FORM}, - for none");
            return self.optional("BotPhoneNumber", number, ("--bot-phone-number", &question), rules::phone_number);
        }
        let has = planned.get("BotPhoneNumber").filter(|number| !number.is_empty());
        let question = format!("The bot's phone number, such as {FORM}, which ChatProof=Required needs");
        let rule = rules::needed_phone_number;
        let answer = self.prompt.answer(number, "--bot-phone-number", &question, has.map(String::as_str), rule);
        if let Some(number) = self.missing.or_note(answer)? {
            self.set("BotPhoneNumber", number);
        }
        Ok(())
    }
}

/// The parameters that a deployment would have: those that are given, and what the stack has of the others.
fn planned(known: &BTreeMap<String, String>, running: Option<&BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut planned = running.cloned().unwrap_or_default();
    planned.extend(known.clone());
    planned
}

#[cfg(test)]
mod tests {
    use shared::printable::has_hidden;

    use super::{
        super::{
            Answers,
            tests::{TWILIO, init_args},
        },
        *,
    };
    use crate::{error::Exit, prompt::tests::typing};

    const NUMBER: [&str; 2] = ["--bot-phone-number", "+14155238886"];

    fn parameters(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// `ChatProof` and the number, as somebody answers who types these lines.
    fn proof(
        flags: &[&str],
        lines: Option<&'static str>,
        known: &[(&str, &str)],
        running: Option<&[(&str, &str)]>,
    ) -> Result<[Option<String>; 2], Error> {
        let args = init_args(&[&TWILIO[..], &["--callback-uri=-"], flags].concat());
        let running = running.map(parameters);
        let answers = Answers::collect(&args, &typing(lines), &parameters(known), running.as_ref())?;
        Ok(["ChatProof", "BotPhoneNumber"].map(|name| answers.parameters.get(name).cloned()))
    }

    fn both(policy: &str, number: &str) -> [Option<String>; 2] {
        [policy, number].map(|value| Some(value.to_owned()))
    }

    #[test]
    fn a_new_stack_is_offered_the_proof_and_a_running_one_keeps_what_it_has() {
        let typed = Some("\n\n+14155238886\n\n\n\n\n\n\n\n");
        assert_eq!(proof(&[], typed, &[], None).unwrap(), both("Required", "+14155238886"));
        assert_eq!(proof(&NUMBER, Some("\n\n\n\n\n\n\n\n\n"), &[], Some(&[])).unwrap()[0].as_deref(), Some("Off"));
        let running = [("ChatProof", "Required"), ("BotPhoneNumber", "+14155238886")];
        assert_eq!(
            proof(&[], Some("\n\n\n\n\n\n\n\n\n\n"), &[], Some(&running)).unwrap(),
            both("Required", "+14155238886")
        );
        let known = [("ChatProof", "Off")];
        assert_eq!(
            proof(&[], Some("\n\n\n\n\n\n\n\n\n\n"), &known, Some(&running)).unwrap()[0].as_deref(),
            Some("Off")
        );
    }

    #[test]
    fn the_proof_is_given_by_a_flag_and_nobody_is_asked() {
        let required = [&["--chat-proof", "Required"][..], &NUMBER].concat();
        assert_eq!(proof(&required, None, &[], None).unwrap(), both("Required", "+14155238886"));
        assert_eq!(proof(&["--chat-proof", "off"], None, &[], None).unwrap(), [Some("Off".to_owned()), None]);
        assert_eq!(proof(&[], None, &[], None).unwrap(), [None, None], "nobody's answer is no change");
        assert_eq!(proof(&["--chat-proof", "On"], None, &[], None).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn a_proof_needs_the_number_that_its_button_leads_to() {
        for (flags, known) in [
            (&["--chat-proof", "Required"][..], &[][..]),
            (&["--bot-phone-number=-"], &[("ChatProof", "Required"), ("BotPhoneNumber", "+14155238886")]),
        ] {
            let error = proof(flags, None, known, None).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert!(error.to_string().contains("--bot-phone-number"), "{error}");
        }
        let known = [("BotPhoneNumber", "+14155238886")];
        assert_eq!(proof(&["--chat-proof", "Required"], None, &known, None).unwrap(), both("Required", "+14155238886"));
    }

    #[test]
    fn a_number_that_is_left_empty_is_asked_for_again() {
        let typed = Some("\nRequired\n\n\n+14155238886\n\n\n\n\n\n\n\n");
        assert_eq!(proof(&[], typed, &[], None).unwrap(), both("Required", "+14155238886"));
    }

    #[test]
    fn the_question_for_a_number_gives_its_form() {
        let error = proof(&["--chat-proof", "Required"], None, &[], None).unwrap_err();
        assert!(error.to_string().contains("such as +14155238886"), "{error}");
    }

    #[test]
    fn what_the_answer_means_is_shown_as_it_is_and_as_wide_as_the_report() {
        for line in ABOUT_PROOF {
            assert!(!has_hidden(line) && line.chars().count() <= 120, "{line:?}");
        }
    }

    #[test]
    fn what_a_deployment_would_refuse_beside_the_proof_is_refused_before() {
        let required = [&["--chat-proof", "Required"][..], &NUMBER].concat();
        let plain = [("StatePolicy", "AcceptPlain")];
        for (known, running) in [(&plain[..], &[][..]), (&[], &plain)] {
            let error = proof(&required, None, known, Some(running)).unwrap_err();
            assert!(error.exit() == Exit::Usage && error.to_string().contains("StatePolicy=AcceptPlain"), "{error}");
        }
        let typed = Some("\nRequired\nOff\n\n\n\n\n\n\n\n\n");
        assert_eq!(proof(&[], typed, &plain, Some(&[])).unwrap()[0].as_deref(), Some("Off"), "it is asked for again");
    }
}
