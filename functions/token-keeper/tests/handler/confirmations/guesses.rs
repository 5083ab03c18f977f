//! Codes that no login waits for.

use super::*;

#[tokio::test]
async fn a_text_without_a_code_is_no_guess_and_asks_nobody() {
    let world = World::holding().await;
    for text in ["", "hello", "7KPW-4MXR", "K7PW-4MX", "connect"] {
        let answer = world.confirm(CHAT, text).await;
        assert_eq!((answer.status_code, &body(&answer)["error"]), (404, &json!("unknown_code")), "{text}");
        assert_eq!(body(&answer)["user_message"], Value::Null);
    }
    assert_eq!(world.server.operations(), Vec::<String>::new());
}

#[tokio::test]
async fn after_three_wrong_codes_no_code_is_looked_at() {
    let world = World::holding().await;
    for code in &WRONG[..3] {
        assert_eq!(world.answer(CHAT, code).await, unknown());
    }
    for code in [WRONG[3], CODE] {
        let answer = world.confirm(CHAT, code).await;
        assert_eq!((answer.status_code, &body(&answer)["error"]), (429, &json!("too_many_guesses")), "{code}");
        assert_eq!(header(&answer, "retry-after"), "600");
        assert!(said(&answer).starts_with("Too many wrong codes."));
    }
    assert_eq!(world.sender(CODE), Value::Null);
    assert_eq!(world.answer(OTHER_CHAT, CODE).await, wrong_chat(), "each sender has guesses of its own");
}

#[tokio::test]
async fn the_same_wrong_code_counts_once() {
    let world = World::holding().await;
    for _ in 0..4 {
        assert_eq!(world.answer(CHAT, WRONG[0]).await, unknown());
    }
    assert_eq!(world.guesses(CHAT), 1);
    assert_eq!(world.answer(CHAT, CODE).await, ok());
}

#[tokio::test]
async fn guesses_in_parallel_are_three_too() {
    let world = World::start().await;
    let [first, second, third, fourth, fifth] = WRONG.map(|code| world.answer(CHAT, code));
    let mut answers: [_; 5] = tokio::join!(first, second, third, fourth, fifth).into();
    answers.sort();
    assert_eq!(answers, [unknown(), unknown(), unknown(), too_many(), too_many()]);
}

#[tokio::test]
async fn of_several_codes_the_first_that_is_known_decides() {
    let world = World::holding().await;
    assert_eq!(world.answer(CHAT, &format!("{} or {CODE}, {}", WRONG[0], WRONG[1])).await, ok());
    assert_eq!(world.sender(WRONG[0]), json!(CHAT));
    assert_eq!(world.sender(WRONG[1]), Value::Null, "what follows is not looked at");
}

#[tokio::test]
async fn a_code_whose_login_is_over_does_not_hide_one_that_is_waited_for() {
    let world = World::holding().await;
    assert_eq!(world.answer(CHAT, CODE).await, ok());
    settle(&world.tables);
    assert_eq!(world.answer(CHAT, &format!("{CODE} {}", WRONG[1])).await, ok(), "what is over is all that is known");
    let waiting = held(in_ten_minutes());
    world.tables.put(PENDING, proof(WRONG[0]).as_str(), waiting);
    assert_eq!(world.answer(CHAT, &format!("{CODE} {}", WRONG[0])).await, ok());
    assert_eq!(world.sender(WRONG[0]), json!(CHAT));
}

/// Else three numbers of orders in one message would lock the chat.
#[tokio::test]
async fn a_message_with_several_wrong_codes_is_one_guess() {
    let world = World::holding().await;
    for _ in 0..2 {
        assert_eq!(world.answer(CHAT, &WRONG[..3].join(" ")).await, unknown());
    }
    assert_eq!(world.guesses(CHAT), 1);
    assert_eq!(world.answer(CHAT, CODE).await, ok());
}

#[tokio::test]
async fn messages_that_share_a_code_are_guesses_of_their_own() {
    let world = World::start().await;
    for other in &WRONG[1..4] {
        assert_eq!(world.answer(CHAT, &format!("{} {other}", WRONG[0])).await, unknown());
    }
    assert_eq!(world.answer(CHAT, &format!("{} {}", WRONG[0], WRONG[4])).await, too_many());
}

/// Else one right code, such as one of an earlier login, would make every guess beside it free.
#[tokio::test]
async fn a_right_code_beside_wrong_ones_leaves_their_message_a_guess() {
    let world = World::holding().await;
    for text in [format!("{CODE}, {}", WRONG[0]), format!("{}, {CODE}", WRONG[0])] {
        assert_eq!(world.answer(OTHER_CHAT, &text).await.0, 409, "{text}");
    }
    assert_eq!(world.guesses(OTHER_CHAT), 1, "what stands behind the code that decides is not looked at");
    assert_eq!(world.answer(CHAT, CODE).await.0, 404);
}

#[tokio::test]
async fn guesses_beside_the_code_of_a_login_that_is_over_are_three_as_well() {
    let world = World::holding().await;
    assert_eq!(world.answer(CHAT, CODE).await, ok());
    settle(&world.tables);
    for wrong in &WRONG[..3] {
        assert_eq!(world.answer(CHAT, &format!("{CODE}, {wrong}")).await, ok());
    }
    assert_eq!(world.answer(CHAT, &format!("{CODE}, {}", WRONG[3])).await, too_many());
}
