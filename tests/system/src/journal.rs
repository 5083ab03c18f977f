//! What the sandbox saw of one chat.

use serde_json::Value;

use crate::consent::CONNECTED;

/// What the sandbox's parties saw of one chat.
#[derive(Clone, Debug, Default)]
pub struct Journal(Value);

impl From<Value> for Journal {
    /// The answer of the sandbox's `/control/journal`.
    fn from(answer: Value) -> Self {
        Self(answer)
    }
}

impl Journal {
    /// How many requests an endpoint received.
    pub fn count(&self, endpoint: &str) -> u64 {
        self.0[endpoint]["count"].as_u64().unwrap_or_else(|| panic!("the sandbox has no endpoint {endpoint}"))
    }

    /// How many requests an endpoint carried out, whether or not its answer arrived.
    pub fn succeeded(&self, endpoint: &str) -> u64 {
        self.0[endpoint]["succeeded"].as_u64().unwrap_or_else(|| panic!("the sandbox has no endpoint {endpoint}"))
    }

    fn bodies(&self, endpoint: &str) -> impl Iterator<Item = &Value> {
        self.0[endpoint]["records"].as_array().into_iter().flatten().map(|record| &record["asked"]["body"])
    }

    /// The texts that reached the chat; of a success the first sentence, because the rest names the account.
    pub fn messages(&self) -> Vec<&str> {
        self.whole_messages().into_iter().map(first_sentence).collect()
    }

    /// The same, with all that is said of an account.
    pub fn whole_messages(&self) -> Vec<&str> {
        let by_twilio = self.bodies("twilio.messages").filter_map(|body| body["Body"].as_str());
        by_twilio.chain(self.bodies("meta.messages").filter_map(|body| body["text"]["body"].as_str())).collect()
    }

    /// The contents of templates that reached the chat through Twilio.
    pub fn templates(&self) -> Vec<&str> {
        self.bodies("twilio.messages").filter_map(|body| body["ContentVariables"].as_str()).collect()
    }

    /// The records of an endpoint, oldest first.
    pub fn records(&self, endpoint: &str) -> &[Value] {
        self.0[endpoint]["records"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The texts that Twilio took, whether or not its answer arrived.
    pub fn sent(&self) -> Vec<&str> {
        let taken = self.records("twilio.messages").iter().filter(|record| record["succeeded"] == true);
        taken.filter_map(|record| record["asked"]["body"]["Body"].as_str().map(first_sentence)).collect()
    }

    /// The faults injected into requests to an endpoint.
    pub fn faults(&self, endpoint: &str) -> Vec<&str> {
        self.records(endpoint).iter().filter_map(|record| record["fault"].as_str()).collect()
    }

    /// The texts that reached the chat through Meta, as [`Self::messages`] has them.
    pub fn meta_messages(&self) -> Vec<&str> {
        self.bodies("meta.messages").filter_map(|body| body["text"]["body"].as_str().map(first_sentence)).collect()
    }

    /// The events that the bot received by webhook.
    pub fn events(&self) -> Vec<&Value> {
        self.bodies("bot.events").collect()
    }

    /// When the endpoint's first request was answered, in milliseconds since the epoch.
    pub fn first_at_ms(&self, endpoint: &str) -> Option<u64> {
        self.0[endpoint]["records"][0]["at_ms"].as_u64()
    }

    /// The hashes of the PKCE verifiers that Salesforce was sent.
    pub fn verifier_hashes(&self) -> Vec<&str> {
        self.bodies("salesforce.token").filter_map(|body| body["code_verifier_sha256"].as_str()).collect()
    }

    /// What became of each refresh, oldest first: `rotated`, `refreshed`, `family_revoked`, `reused`, `dead`, `unknown`,
    /// `restricted`, `busy`, or `none` where it was not processed.
    pub fn refreshes(&self) -> Vec<&str> {
        self.records("salesforce.refresh").iter().map(|record| record["verdict"].as_str().unwrap_or("none")).collect()
    }

    /// The hashes of the codes that Salesforce was sent, in hex.
    pub fn code_hashes(&self) -> impl Iterator<Item = &str> {
        self.bodies("salesforce.token").filter_map(|body| body["code_sha256"].as_str())
    }
}

/// Of a text about a success, the sentence that bots of the older system know.
pub(crate) fn first_sentence(text: &str) -> &str {
    if text.starts_with(CONNECTED) { CONNECTED } else { text }
}
