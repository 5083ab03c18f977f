//! What the bot says to a chat about the code that it has sent: `user_message`. Pure.

/// It is the code of this chat's login. Also the answer to a repetition, whatever has become of the login since.
pub(crate) const CONFIRMED: &str =
    "Thank you, that is the right code. You get a message here when your Salesforce account is connected.";

/// No login waits for it.
pub(crate) const UNKNOWN: &str = "We do not know that code. Please compare it with the one on the page that you saw after \
     the login, and send it again. If the page is gone, ask here for a new link, and log in again.";

/// It is the code of this chat's login, which is over.
pub(crate) const TOO_LATE: &str = "That code is no longer valid, and nothing was connected with it. To connect your \
     Salesforce account, please ask here for a new link, log in again, and send the new code within the time that the \
     page says.";

/// It is the code of a login with another chat's link, and that chat has not sent it.
pub(crate) const WRONG_CHAT: &str = "Nothing was connected: that code belongs to a login with another chat's link. The access \
     to Salesforce that was allowed with it has been taken back. If somebody gave you that link: please do not use links \
     that others have asked for. To connect this chat, ask here for a link of your own.";

/// It is the code of a login with another chat's link, and that chat has sent it first.
pub(crate) const CONFIRMED_ELSEWHERE: &str = "Be careful: that code belongs to a login with another chat's link, and that chat \
     has sent the code before you. The Salesforce account is connected there, and not here. If the account is yours and \
     the other chat is not, please ask your Salesforce administrator at once to revoke this app's access. Do not use \
     links that others have asked for, and give a code to nobody.";

/// The chat has sent too many codes that no login of its own waits for.
pub(crate) const TOO_MANY_GUESSES: &str = "Too many wrong codes. Please wait ten minutes, then ask here for a new \
     link, log in again, and send the code that the page shows.";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 6] = [CONFIRMED, UNKNOWN, TOO_LATE, WRONG_CHAT, CONFIRMED_ELSEWHERE, TOO_MANY_GUESSES];

    #[test]
    fn a_text_is_plain_and_short() {
        for text in ALL {
            assert!(text.chars().count() <= 420, "{text}");
            assert!(text.ends_with('.') && !text.contains("  ") && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn no_text_offers_a_link_or_a_code() {
        for text in ALL {
            assert!(!text.contains("http") && shared::proof::ChatCode::find(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn only_the_text_of_success_is_about_success() {
        for text in [UNKNOWN, TOO_LATE, WRONG_CHAT, TOO_MANY_GUESSES] {
            assert!(!text.contains("is connected"), "{text}");
        }
    }
}
