//! AWS does not answer.

use super::*;

#[tokio::test]
async fn a_table_that_does_not_answer_is_not_now_and_a_repetition_completes_it() {
    for writes in [0, 1] {
        let world = World::holding().await;
        world.tables.take_writes(writes);
        let answer = world.confirm(CHAT, CODE).await;
        assert_eq!((answer.status_code, header(&answer, "retry-after")), (503, "3"), "{writes}");
        assert_eq!(body(&answer)["user_message"], Value::Null);
        world.tables.take_all_writes();
        assert_eq!(world.answer(CHAT, CODE).await, ok());
        assert_eq!((world.told().len(), world.guesses(CHAT)), (1, 0));
    }
}

#[tokio::test]
async fn a_right_code_that_cannot_be_forgiven_is_right_all_the_same() {
    let world = World::holding().await;
    world.tables.take_writes(2);
    assert_eq!(world.answer(CHAT, CODE).await, ok());
    assert_eq!(world.guesses(CHAT), 1);
}

#[tokio::test]
async fn a_table_that_fails_while_a_login_is_waited_for_is_not_now() {
    let world = World::waiting(&[], None).await;
    world.server.on("GetItem", |_| error("AccessDeniedException"));
    assert_eq!(world.answer(CHAT, CODE).await, unavailable());
}

#[tokio::test]
async fn a_decision_that_the_queue_does_not_take_is_handed_over_by_a_repetition() {
    for (chat, answer) in [(CHAT, ok()), (OTHER_CHAT, wrong_chat())] {
        let world = World::holding().await;
        world.server.next("SendMessage", error("AccessDeniedException"));
        assert_eq!(world.answer(chat, CODE).await, unavailable());
        assert_eq!(world.sender(CODE), chat, "it is decided");
        assert_eq!(world.answer(chat, CODE).await, answer);
        assert_eq!((world.told().len(), world.guesses(chat)), (2, 0));
    }
}

#[tokio::test]
async fn an_update_whose_answer_was_lost_is_the_chats_own() {
    let world = World::holding().await;
    // The first write counts the guess; the second is carried out, and then comes again.
    world.tables.before_write(2, |tables| {
        let mut row = tables.item(PENDING, proof(CODE).as_str());
        row["sender"] = json!({ "S": CHAT });
        tables.put(PENDING, proof(CODE).as_str(), row);
    });
    assert_eq!(world.answer(CHAT, CODE).await, ok());
    assert_eq!(world.told().len(), 1);
}
