//! A release, deployed without a compiler.

use serde_json::json;
use system::{consent::CONNECTED, new_chat, operator::Operator, wait_until};

#[tokio::test]
async fn a_release_that_is_unpacked_where_no_rust_is_deploys_and_connects_somebody() {
    let operator = Operator::beside().await.with_release("release").await;
    let chat = new_chat();
    let link = operator.json(&format!("link {chat}"), 0);
    let attempt = operator.consent(link["url"].as_str().unwrap()).await;
    assert_eq!(operator.outcome(&chat).await.messages(), [CONNECTED]);
    let tokens = wait_until("the tokens", async || operator.tokens(&chat).await).await;
    assert_eq!(operator.json(&format!("attempt show {attempt}"), 0)["status"], "connected");
    assert_eq!(operator.json("destroy --force --confirm", 0)["deleted"], json!(true));
    operator.never_printed(&tokens, &[]);
}
