//! What the bot makes of a person's message: a code goes to `POST /confirmations`, `disconnect` ends the connection, and
//! `connect` brings a link. It never confirms by itself, and it says what the stack has it say.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    api::{Answer, AskError, Call},
    code,
};
use crate::{World, ambient::now_ms, chat::Content};

/// Longer messages are not for `POST /confirmations`, in bytes.
const LONGEST: usize = 4_096;
const HELP: &str = "I can look up your Salesforce. Write “connect” to connect it, and “disconnect” to end that.";

/// A message as WhatsApp brings it.
pub(crate) struct Message<'a> {
    /// The sender, for whom WhatsApp vouches.
    pub(crate) wa_id: &'a str,
    pub(crate) text: &'a str,
    /// What the sender calls themself.
    pub(crate) profile_name: Option<&'a str>,
}

/// A message that went to `POST /confirmations`, and what that answered. The code is not kept.
#[derive(Clone, Serialize)]
pub(crate) struct Confirmation {
    pub(crate) wa_id: String,
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Reads a message, does what it asks for, and answers in the chat. What `POST /confirmations` answered, if it was asked.
pub(crate) async fn hear(world: &World, message: &Message<'_>) -> Result<Option<Confirmation>, AskError> {
    post(world, message.wa_id, Content::Asked { text: message.text.to_owned() });
    let heard = act(world, message).await;
    if let Err(error) = &heard {
        post(world, message.wa_id, Content::Trouble { text: error.to_string() });
    }
    heard
}

async fn act(world: &World, message: &Message<'_>) -> Result<Option<Confirmation>, AskError> {
    let Message { wa_id, text, profile_name } = *message;
    let confirmation = pass_on(world, message).await?;
    // A text without a code is a message as any other.
    if confirmation.as_ref().is_some_and(Confirmation::is_about_a_code) {
        return Ok(confirmation);
    }
    match &*bare_word(text) {
        "connect" | "connect salesforce" => drop(send_link(world, wa_id, profile_name).await),
        "disconnect" => disconnect(world, wa_id).await?,
        _ => post(world, wa_id, Content::from_bot(HELP.to_owned())),
    }
    Ok(confirmation)
}

/// A command as people send it: `*Disconnect*.` is `disconnect`, which the message of a connection tells them to reply.
fn bare_word(text: &str) -> String {
    let is_around = |character: char| character.is_whitespace() || "*_.\"'`“”„‘’‚«»".contains(character);
    text.trim_matches(is_around).to_lowercase()
}

/// Requests a link and posts it; an error is posted too, and returned in words.
pub(crate) async fn send_link(world: &World, wa_id: &str, profile_name: Option<&str>) -> Result<(), String> {
    let trouble = match world.bot.ask_link(wa_id, None, profile_name).await {
        Ok(answer) => match answer.body["url"].as_str() {
            Some(url) if answer.status == 200 => {
                let expires_at = answer.body["expires_at"].as_str().map(str::to_owned);
                post(world, wa_id, Content::Link { url: url.to_owned(), expires_at });
                return Ok(());
            }
            _ => answer.in_words(Call::Links),
        },
        Err(error) => error.to_string(),
    };
    post(world, wa_id, Content::Trouble { text: trouble.clone() });
    Err(trouble)
}

/// Passes a message with a code on, and says what the stack has the bot say.
async fn pass_on(world: &World, message: &Message<'_>) -> Result<Option<Confirmation>, AskError> {
    let Message { wa_id, text, .. } = *message;
    if !code::is_in(text) || text.len() > LONGEST {
        return Ok(None);
    }
    let Answer { status, body } =
        world.bot.call(wa_id, Call::Confirmations, &json!({"wa_id": wa_id, "text": text})).await?;
    let confirmation = Confirmation { wa_id: wa_id.to_owned(), status, body };
    world.bot.note(confirmation.clone());
    match (status, confirmation.user_message()) {
        // The stack tells of the connection itself; and a text with no code is like any other.
        (200, _) | (404, None) => {}
        (404 | 409 | 429, Some(user_message)) => post(world, wa_id, Content::from_bot(user_message.to_owned())),
        _ => {
            let answer = Answer { status, body: confirmation.body.clone() };
            post(world, wa_id, Content::Trouble { text: answer.in_words(Call::Confirmations) });
        }
    }
    Ok(Some(confirmation))
}

/// Ends the connection; the stack tells of it.
async fn disconnect(world: &World, wa_id: &str) -> Result<(), AskError> {
    let answer = world.bot.call(wa_id, Call::Disconnect, &json!({"wa_id": wa_id})).await?;
    if answer.status != 204 {
        post(world, wa_id, Content::Trouble { text: answer.in_words(Call::Disconnect) });
    }
    Ok(())
}

fn post(world: &World, wa_id: &str, content: Content) {
    world.chats.post(wa_id, content, now_ms());
}

impl Confirmation {
    fn user_message(&self) -> Option<&str> {
        self.body["user_message"].as_str()
    }

    fn is_about_a_code(&self) -> bool {
        self.status != 404 || self.user_message().is_some()
    }
}

impl Answer {
    fn in_words(&self, call: Call) -> String {
        format!("{} answered {}: {}", call.name(), self.status, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::bare_word;

    #[test]
    fn a_command_is_read_as_people_send_it() {
        for text in ["disconnect", " Disconnect. ", "*disconnect*", "_Disconnect_", "\"disconnect\"", "“Disconnect”"]
        {
            assert_eq!(bare_word(text), "disconnect", "{text}");
        }
        assert_eq!(bare_word("Connect Salesforce"), "connect salesforce");
    }
}
