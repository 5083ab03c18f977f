//! Logins that their chat has to confirm (`ChatProof=Required`): no tokens stand under a chat that did not send the code, and
//! nothing is left held. Pure, as all of the reckoning.

use serde_json::Value;

use super::chat::{number, refresh_sha256, status};

/// A login that was approved, and who has sent its code.
#[derive(Clone, Debug)]
pub struct Provable {
    /// What the report calls them: never the chat.
    pub name: String,
    /// The link's chat.
    pub chat: String,
    /// 32 hexadecimal digits.
    pub attempt: String,
    /// Who has sent the code first, if anybody did.
    pub sender: Option<String>,
    /// The tokens, or what was known of them, may be lost with a process that was killed.
    pub may_be_lost: bool,
}

/// What can be seen of the stack that requires a chat's proof.
#[derive(Clone, Debug, Default)]
pub struct ProofEvidence {
    /// The items of the attempt table.
    pub attempts: Vec<Value>,
    /// The items of the token table, with their refresh tokens opened.
    pub rows: Vec<Value>,
    /// The items of the table of logins that wait.
    pub pending: Vec<Value>,
    /// What the sandbox's Salesforce granted.
    pub grants: Vec<Value>,
}

/// Every way in which the promise was broken.
pub fn complaints(logins: &[Provable], evidence: &ProofEvidence) -> Vec<String> {
    let held = evidence.pending.iter().filter(|row| {
        // A code without a login holds nothing.
        ["sealed_tokens", "sealed_key", "state"].iter().any(|name| row.get(name).is_some())
    });
    let mut found: Vec<_> = held.map(|_| "tokens that are left held".to_owned()).collect();
    for row in &evidence.rows {
        let of_row = |login: &&Provable| row["wa_id"]["S"] == *login.chat && row["attempt_id"]["S"] == *login.attempt;
        let is_proven = logins.iter().filter(of_row).any(Provable::is_confirmed);
        if !is_proven && row.get("ended_at").is_none() {
            found.push("tokens under a chat that did not send the code".to_owned());
        }
    }
    for login in logins {
        found.extend(login.wrong_outcome(evidence).map(|what| format!("{}: {what}", login.name)));
        found.extend(login.orphan(evidence).map(|what| format!("{}: {what}", login.name)));
    }
    found
}

impl Provable {
    fn is_confirmed(&self) -> bool {
        self.sender.as_ref() == Some(&self.chat)
    }

    fn wrong_outcome(&self, evidence: &ProofEvidence) -> Option<String> {
        let Some(item) = evidence.attempts.iter().find(|item| item["attempt_id"]["S"] == *self.attempt) else {
            return Some("no attempt".to_owned());
        };
        if number(item, "notified_at").is_none() {
            return Some(format!("{}, and not told", status(item)));
        }
        let reason = item["reason"]["S"].as_str();
        let is_right = match &self.sender {
            _ if self.may_be_lost && reason == Some("unknown") => true,
            Some(_) if self.is_confirmed() => status(item) == "connected",
            Some(_) => reason == Some("wrong_chat"),
            None => reason == Some("unconfirmed"),
        };
        (!is_right).then(|| format!("{} {}", status(item), reason.unwrap_or("without a reason")))
    }

    /// A grant that is alive and stands in no row.
    fn orphan(&self, evidence: &ProofEvidence) -> Option<String> {
        let stored: Vec<_> = evidence.rows.iter().filter_map(refresh_sha256).collect();
        let of_chat = evidence.grants.iter().filter(|grant| grant["wa_id"] == *self.chat && grant["alive"] == true);
        let mut orphans = of_chat.filter(|grant| !stored.iter().any(|hash| grant["refresh_token_sha256"] == **hash));
        (!self.may_be_lost && orphans.next().is_some()).then(|| "a live orphaned token".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::tests::sha256, *};

    const CHAT: &str = "whatsapp:+15550000001";
    const OTHER: &str = "whatsapp:+15550000002";

    fn login(sender: Option<&str>) -> Provable {
        Provable {
            name: "person".to_owned(),
            chat: CHAT.to_owned(),
            attempt: "a".to_owned(),
            sender: sender.map(str::to_owned),
            may_be_lost: false,
        }
    }

    fn attempt(status: &str, reason: &str) -> Value {
        json!({"attempt_id": {"S": "a"}, "notified_at": {"N": "1"}, "status": {"S": status}, "reason": {"S": reason}})
    }

    fn grant(is_alive: bool) -> Value {
        json!({"wa_id": CHAT, "alive": is_alive, "refresh_token_sha256": sha256("token")})
    }

    /// Confirmed by its own chat, stored, and settled.
    fn connected() -> ProofEvidence {
        ProofEvidence {
            attempts: vec![attempt("connected", "")],
            rows: vec![json!({"wa_id": {"S": CHAT}, "attempt_id": {"S": "a"}, "refresh_token": {"S": "token"}})],
            pending: vec![json!({"attempt_id": {"S": "a"}, "settled_at": {"N": "1"}})],
            grants: vec![grant(true)],
        }
    }

    fn ended(reason: &str) -> ProofEvidence {
        ProofEvidence {
            attempts: vec![attempt("failed", reason)],
            grants: vec![grant(false)],
            ..ProofEvidence::default()
        }
    }

    fn of(sender: Option<&str>, evidence: &ProofEvidence) -> Vec<String> {
        complaints(&[login(sender)], evidence)
    }

    #[test]
    fn a_promise_that_is_kept_is_not_complained_of() {
        for (sender, evidence) in
            [(Some(CHAT), connected()), (Some(OTHER), ended("wrong_chat")), (None, ended("unconfirmed"))]
        {
            assert!(of(sender, &evidence).is_empty(), "{sender:?}");
        }
    }

    #[test]
    fn tokens_under_a_chat_that_did_not_send_the_code_are_noticed() {
        for sender in [None, Some(OTHER)] {
            let found = of(sender, &connected());
            assert!(found.contains(&"tokens under a chat that did not send the code".to_owned()), "{found:?}");
        }
        let mut of_another_login = connected();
        of_another_login.rows[0]["attempt_id"] = json!({"S": "b"});
        assert!(!of(Some(CHAT), &of_another_login).is_empty());
    }

    #[test]
    fn what_is_left_held_is_noticed() {
        for name in ["sealed_tokens", "sealed_key", "state"] {
            let mut evidence = connected();
            evidence.pending[0][name] = json!({"S": "x"});
            assert_eq!(of(Some(CHAT), &evidence), ["tokens that are left held"], "{name}");
        }
    }

    #[test]
    fn an_outcome_that_does_not_follow_from_the_sender_is_noticed() {
        for (sender, evidence) in [
            (Some(CHAT), ended("unconfirmed")),
            (Some(OTHER), ended("unconfirmed")),
            (None, ended("wrong_chat")),
            (None, ProofEvidence::default()),
        ] {
            assert_eq!(of(sender, &evidence).len(), 1, "{sender:?}");
        }
        let mut untold = connected();
        untold.attempts[0].as_object_mut().unwrap().remove("notified_at");
        assert_eq!(of(Some(CHAT), &untold), ["person: connected, and not told"]);
    }

    #[test]
    fn a_live_token_in_no_row_is_noticed_unless_its_process_was_killed() {
        let mut evidence = ended("unconfirmed");
        evidence.grants[0]["alive"] = true.into();
        assert_eq!(of(None, &evidence), ["person: a live orphaned token"]);
        let lost = Provable { may_be_lost: true, ..login(Some(CHAT)) };
        assert!(
            complaints(&[lost], &ProofEvidence { attempts: vec![attempt("failed", "unknown")], ..evidence }).is_empty()
        );
    }
}
