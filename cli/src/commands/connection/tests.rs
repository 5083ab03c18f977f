//! Ending a connection, against DynamoDB and Salesforce on a local port.

use fakes::{Answer, Server, salesforce::REVOKE};
use serde_json::{Value as Json, json};

use super::*;
use crate::local::LocalCloud;

/// Revocation at a site of the same host, where people log in.
const AT_SITE: &str = "/site/services/oauth2/revoke";

struct World {
    server: Server,
    table: ConnectionTable,
    login_urls: LoginUrls,
}

impl World {
    async fn start() -> Self {
        let server = Server::start().await;
        let local = LocalCloud {
            endpoint: server.url().to_owned(),
            region: "us-east-1".to_owned(),
            access_key_id: "id".to_owned(),
            secret_access_key: "key".to_owned(),
        };
        let aws = crate::aws::config(None, None, Some(&local)).await.unwrap();
        let login_urls = server.url().parse().unwrap();
        Self { table: ConnectionTable::new(&aws, "salesforce_tokens"), login_urls, server }
    }

    /// The row holds these tokens, at one reading.
    fn row(&self, tokens: &[(&str, &str)]) {
        let mut item = json!({"wa_id": {"S": "whatsapp:+15551234567"}, "instance_url": {"S": self.server.url()}});
        item["login_url"] = json!({"S": format!("{}/site", self.server.url())});
        for (name, value) in tokens {
            item[name] = json!({"S": value});
        }
        self.server.next("GetItem", Answer::json(200, &json!({"Item": item})));
    }

    fn refuses_the_write(&self) {
        let refused = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"});
        self.server.next("UpdateItem", Answer::json(400, &refused));
    }

    async fn end(&self) -> Result<Option<Revocation>, Error> {
        let wa_id = "whatsapp:+15551234567".parse().unwrap();
        let clock = || Timestamp::from_millis(1_790_000_000_000);
        end_connection(&wa_id, &self.table, &self.login_urls, clock).await.map(|(_, revocation)| revocation)
    }

    fn writes(&self) -> Vec<Json> {
        self.server.requests("UpdateItem").iter().map(fakes::Request::json).collect()
    }

    fn revoked(&self, endpoint: &str) -> Vec<String> {
        self.server.requests(endpoint).iter().map(|request| request.form()[0].1.clone()).collect()
    }
}

#[tokio::test]
async fn tokens_are_revoked_before_they_leave_the_row() {
    let world = World::start().await;
    world.row(&[("access_token", "00Dx"), ("refresh_token", "5Aep")]);
    world.server.on(AT_SITE, |_| Answer::new(200, ""));
    world.server.on("UpdateItem", |_| json!({}).into());
    assert_eq!(world.end().await.unwrap(), Some(Revocation::Revoked));
    assert_eq!(world.revoked(AT_SITE), ["5Aep"]);
    let write = world.writes()[0].clone();
    let update = write["UpdateExpression"].as_str().unwrap();
    let removed = update.split("REMOVE").nth(1).unwrap();
    for name in ["access_token", "refresh_token"] {
        assert!(removed.contains(name), "{update}");
    }
    assert!(write["ConditionExpression"].as_str().unwrap().contains("refresh_token"), "{write}");
}

#[tokio::test]
async fn a_connection_that_is_renewed_meanwhile_is_revoked_too() {
    let world = World::start().await;
    world.server.on(AT_SITE, |_| Answer::new(200, ""));
    world.server.on("UpdateItem", |_| json!({}).into());
    world.row(&[("refresh_token", "first")]);
    world.row(&[("refresh_token", "second")]);
    world.refuses_the_write();
    assert_eq!(world.end().await.unwrap(), Some(Revocation::Revoked));
    assert_eq!(world.revoked(AT_SITE), ["first", "second"]);
    assert_eq!(world.writes().len(), 2);
}

#[tokio::test]
async fn nothing_changes_while_salesforce_does_not_revoke() {
    let form = "error=unsupported_token_type&error_description=this+token+type+is+not+supported";
    for refusal in [Answer::new(503, "<html>"), Answer::new(400, form), Answer::new(404, "{}"), Answer::Lost] {
        let world = World::start().await;
        world.row(&[("access_token", "00Dx")]);
        let at_instance = refusal.clone();
        world.server.on(AT_SITE, move |_| refusal.clone());
        world.server.on(REVOKE, move |_| at_instance.clone());
        let error = world.end().await.unwrap_err().to_string();
        assert!(error.contains("the tokens live") && !error.contains("00Dx"), "{error}");
        assert!(world.writes().is_empty());
    }
}

#[tokio::test]
async fn the_orgs_own_host_is_asked_where_the_login_host_does_not_know_the_token() {
    let world = World::start().await;
    world.row(&[("refresh_token", "5Aep")]);
    world.server.on(AT_SITE, |_| Answer::new(404, r#"{"error":"Bad_Id"}"#));
    world.server.on(REVOKE, |_| Answer::new(200, ""));
    world.server.on("UpdateItem", |_| json!({}).into());
    assert_eq!(world.end().await.unwrap(), Some(Revocation::Revoked));
    assert_eq!(world.revoked(REVOKE), ["5Aep"]);
}

#[tokio::test]
async fn a_token_that_salesforce_does_not_know_leaves_the_row() {
    let world = World::start().await;
    world.row(&[("refresh_token", "5Aep")]);
    world.server.on(AT_SITE, |_| Answer::new(404, r#"{"error":"Bad_Id"}"#));
    world.server.on(REVOKE, |_| Answer::new(400, "error=invalid_token&error_description=invalid+token"));
    world.server.on("UpdateItem", |_| json!({}).into());
    assert_eq!(world.end().await.unwrap(), Some(Revocation::Unknown));
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn a_connection_that_has_ended_is_not_ended_again() {
    let world = World::start().await;
    let item = json!({"wa_id": {"S": "whatsapp:+15551234567"}, "ended_at": {"N": "1790000000000"}});
    world.server.next("GetItem", Answer::json(200, &json!({"Item": item})));
    assert_eq!(world.end().await.unwrap(), None);
    assert!(world.writes().is_empty());
}
