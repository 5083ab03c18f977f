//! Logins that are confirmed in their chat.

use shared::proof::ChatCode;

use super::*;

/// The code of a login in the browser of the samples.
fn chat_code(claims: &Claims) -> ChatCode {
    BrowserSecret::from_random(&[0; 32]).chat_code(claims.attempt_id)
}

/// A browser's request for the callback's address alone, as the page's script leaves it, with these cookies.
fn bare(cookies: &[String]) -> Value {
    let mut event = sample("get");
    event["rawQueryString"] = "".into();
    with_cookies(event, cookies)
}

/// The cookie of the used login, with this value.
fn used(value: &str) -> String {
    format!("__Host-used-{ATTEMPT}={value}")
}

#[tokio::test]
async fn a_login_that_is_to_be_confirmed_is_queued_with_the_hash_of_its_code() {
    let aws = aws().await;
    let event = callback(link_claims(), &[("code", CODE)]);
    let state = state_of(&event);
    assert_eq!(call(&proving(&aws), &event).await.status_code, 200);
    let proof = chat_code(&link_claims()).proof();
    let expected =
        json!({ "v": 3, "state": state, "received_at": NOW.millis(), "code": CODE, "proof": proof.as_str() });
    assert_eq!(queued(&aws), [expected]);
    assert_eq!(aws.operations(), ["SendMessage"], "nothing else is asked of AWS");
}

#[tokio::test]
async fn the_person_gets_the_code_and_one_button_that_opens_the_chat_with_it() {
    let response = call(&proving(&aws().await), &callback(link_claims(), &[("code", CODE)])).await;
    let (page, code) = (text(&response), chat_code(&link_claims()).shown());
    assert!(page.contains("One more step: send this code in WhatsApp"), "{page}");
    assert!(page.contains(&format!(r#"<span aria-hidden="true">{code}</span>"#)), "{page}");
    let address = format!("https://wa.me/14155238886?text=Confirmation%20code%3A%20{code}");
    assert!(page.contains(&format!(r#"<a class="button" href="{address}">"#)), "{page}");
    assert_eq!(page.matches("<a ").count(), 1, "{page}");
    assert!(page.contains("+1 ••• ••• 4567") && page.contains("works for 10 minutes"), "{page}");
    assert!(page.contains("history.replaceState"), "the code of Salesforce leaves the address bar");
}

#[tokio::test]
async fn a_program_gets_the_code_to_confirm_with() {
    let mut event = callback(link_claims(), &[("code", CODE)]);
    event["headers"]["accept"] = "application/json".into();
    let response = call(&proving(&aws().await), &event).await;
    let body: Value = serde_json::from_str(text(&response)).unwrap();
    let code = chat_code(&link_claims()).shown();
    assert_eq!(body, json!({ "status": "unconfirmed", "attempt_id": ATTEMPT, "confirmation_code": code }));
}

#[tokio::test]
async fn a_login_that_cannot_be_confirmed_is_not_queued() {
    let unbound = Claims { binding: None, ..link_claims() };
    let right = cookie(&link_claims());
    for (claims, cookies) in [
        (link_claims(), vec![]),
        (link_claims(), vec![cookie(&claims())]),
        (link_claims(), vec![right.replace('A', "B")]),
        (link_claims(), vec![right.clone(), right.replace('A', "B")]),
        (unbound.clone(), vec![]),
        (unbound, vec![right]),
    ] {
        let aws = aws().await;
        let event = with_cookies(callback(claims, &[("code", CODE)]), &cookies);
        assert_eq!(refusal(&proving(&aws), event).await, (400, "wrong_browser".to_owned()), "{cookies:?}");
        let message = only_refusal(&aws);
        assert_eq!((&message["refused"], message.get("code")), (&json!("wrong_browser"), None), "{cookies:?}");
    }
}

#[tokio::test]
async fn a_denial_needs_no_confirmation() {
    let aws = aws().await;
    let denied = call(&proving(&aws), &callback(link_claims(), &[("error", "access_denied")])).await;
    assert_eq!(denied.status_code, 400);
    assert!(text(&denied).contains("Not connected") && denied.cookies.is_empty(), "{}", text(&denied));
    let message = queued(&aws).remove(0);
    assert_eq!((&message["v"], message.get("proof")), (&json!(2), None));
}

#[tokio::test]
async fn the_page_with_the_code_can_be_loaded_again() {
    let aws = aws().await;
    let event = callback(link_claims(), &[("code", CODE)]);
    let first = call(&proving(&aws), &event).await;
    let [kept] = &kept(&first)[..] else { panic!("{:?}", first.cookies) };
    let sha256 = AuthorizationCode::parse(CODE.to_owned()).unwrap().sha256();
    assert_eq!(*kept, used(&format!("{sha256}.{}", chat_code(&link_claims()).text())));
    let again = call(&proving(&aws), &with_cookies(event, std::slice::from_ref(kept))).await;
    assert_eq!((again.status_code, text(&again)), (200, text(&first)));
    assert_eq!(queued(&aws).len(), 1);
}

#[tokio::test]
async fn the_page_with_the_code_can_be_loaded_again_without_its_query() {
    let aws = aws().await;
    let first = call(&proving(&aws), &callback(link_claims(), &[("code", CODE)])).await;
    let newer = [cookie(&claims()), kept(&first).remove(0)];
    let older = format!("__Host-used-{}=hash.CDFH2345", "9".repeat(32));
    let mut event = bare(&[&[older][..], &newer].concat());
    let again = call(&proving(&aws), &event).await;
    assert_eq!(again.status_code, 200);
    let (page, code) = (text(&again), chat_code(&link_claims()).shown());
    assert!(page.contains(&code) && !page.contains("CDFH-2345"), "{page}");
    assert!(page.contains("the chat that asked for the link"), "{page}");
    event["headers"]["accept"] = "application/json".into();
    let body: Value = serde_json::from_str(text(&call(&proving(&aws), &event).await)).unwrap();
    assert_eq!(body, json!({ "status": "unconfirmed", "attempt_id": ATTEMPT, "confirmation_code": code }));
    assert_eq!(queued(&aws).len(), 1);
}

/// The request for a page whose script has left this in the address.
fn left(query: &str, cookies: &[String]) -> Value {
    let mut event = bare(cookies);
    event["rawQueryString"] = query.into();
    event
}

#[tokio::test]
async fn a_page_that_is_loaded_again_is_of_the_login_that_it_was_of() {
    let aws = aws().await;
    let other = "9".repeat(32);
    let cookies = [used("h.K7PW4MXR"), format!("__Host-used-{other}=h.CDFH2345")];
    for (attempt, code, not) in [(ATTEMPT, "K7PW-4MXR", "CDFH"), (&other, "CDFH-2345", "K7PW")] {
        let response = call(&proving(&aws), &left(&format!("attempt={attempt}&language=de"), &cookies)).await;
        let page = text(&response);
        assert!(page.contains(code) && !page.contains(not), "{page}");
        assert!(page.contains(r#"<html lang="de""#) && page.contains(&format!("data-attempt=\"{attempt}\"")), "{page}");
    }
    // Of a login that this browser has not finished there is nothing to show, nor of what is none.
    for attempt in ["8".repeat(32), "x".to_owned(), ATTEMPT[1..].to_owned(), format!("{ATTEMPT}&attempt={other}")] {
        let response = call(&proving(&aws), &left(&format!("attempt={attempt}"), &cookies)).await;
        let page = text(&response);
        assert!(page.contains("Nothing to do here") && !page.contains("K7PW") && !page.contains("CDFH"), "{attempt}");
    }
    let event = left(&format!("attempt={ATTEMPT}&state="), &cookies);
    assert!(text(&call(&proving(&aws), &event).await).contains("K7PW-4MXR"), "an empty parameter is none");
    for query in [format!("attempt={ATTEMPT}&code=x"), format!("attempt={ATTEMPT}&error=access_denied")] {
        assert!(!text(&call(&proving(&aws), &left(&query, &cookies)).await).contains("K7PW"), "{query}");
    }
    assert_eq!(queued(&aws).len(), 0);
}

#[tokio::test]
async fn a_page_without_a_code_is_loaded_again_without_the_chats_number() {
    let aws = aws().await;
    let first = call(&receiver(&aws), &callback(link_claims(), &[("code", CODE)])).await;
    assert!(text(&first).contains(&format!("data-attempt=\"{ATTEMPT}\"")), "{}", text(&first));
    let mut event = left(&format!("attempt={ATTEMPT}&language=en"), &kept(&first));
    let again = call(&receiver(&aws), &event).await;
    assert_eq!(again.status_code, 200);
    assert!(text(&again).contains("Almost done: go back to WhatsApp"), "{}", text(&again));
    assert!(text(&first).contains("4567") && !text(&again).contains("4567"), "{}", text(&again));
    event["headers"]["accept"] = "application/json".into();
    let body: Value = serde_json::from_str(text(&call(&receiver(&aws), &event).await)).unwrap();
    assert_eq!(body, json!({ "status": "accepted", "attempt_id": ATTEMPT }));
    assert_eq!(queued(&aws).len(), 1);
}

#[tokio::test]
async fn a_cookie_that_is_no_code_never_reaches_a_page() {
    let aws = aws().await;
    let twice = format!("{}; {}", used("h.K7PW4MXR"), used("h.CDFH2345"));
    for planted in ["h", "h.", "h.<b>x7Qm</b>", "h.K7PW-4MXR", "h.k7pw4mxr", "h.K7PW4MXR.x", "h.K7PW4MXR K7PW4MXR"]
        .map(used)
        .into_iter()
        .chain([twice, format!("\u{2000}{}", used("h.K7PW4MXR")), "__Host-used-x=h.K7PW4MXR".to_owned()])
    {
        let event = bare(std::slice::from_ref(&planted));
        let response = call(&proving(&aws), &event).await;
        let page = text(&response).to_uppercase();
        assert!(page.contains("NOTHING TO DO HERE"), "{planted}: {page}");
        assert!(!["X7QM", "K7PW", "CDFH"].iter().any(|part| page.contains(part)), "{planted}: {page}");
        assert_eq!(refusal(&proving(&aws), event).await, (400, "missing_state".to_owned()), "{planted}");
    }
}

#[tokio::test]
async fn a_code_is_shown_again_only_for_a_request_that_brings_nothing() {
    let aws = aws().await;
    for parameters in [&[("code", CODE)][..], &[("error", "access_denied")], &[("state", "x"), ("code", CODE)]] {
        let event = with_cookies(get(parameters), &[used("h.K7PW4MXR")]);
        let response = call(&proving(&aws), &event).await;
        assert_eq!(response.status_code, 400, "{parameters:?}");
        assert!(!text(&response).contains("K7PW"), "{parameters:?}");
    }
}

#[tokio::test]
async fn without_a_proof_no_code_is_shown() {
    let aws = aws().await;
    assert_eq!(refusal(&receiver(&aws), bare(&[used("h.K7PW4MXR")])).await, (400, "missing_state".to_owned()));
    let sha256 = AuthorizationCode::parse(CODE.to_owned()).unwrap().sha256();
    let event = with_cookies(callback(link_claims(), &[("code", CODE)]), &[used(&format!("{sha256}.K7PW4MXR"))]);
    let response = call(&receiver(&aws), &event).await;
    assert!(text(&response).contains("Almost done") && !text(&response).contains("K7PW"), "{}", text(&response));
}

#[tokio::test]
async fn a_used_login_of_before_has_no_code_to_show() {
    let aws = aws().await;
    let sha256 = AuthorizationCode::parse(CODE.to_owned()).unwrap().sha256();
    let event = with_cookies(callback(link_claims(), &[("code", CODE)]), &[used(&sha256)]);
    let response = call(&proving(&aws), &event).await;
    assert_eq!(response.status_code, 200);
    assert!(text(&response).contains("Almost done: go back to WhatsApp"), "{}", text(&response));
}

#[tokio::test]
async fn another_code_of_a_login_that_is_to_be_confirmed_shows_how_to_confirm_the_first() {
    let aws = aws().await;
    let first = call(&proving(&aws), &callback(link_claims(), &[("code", CODE)])).await;
    let event = with_cookies(callback(link_claims(), &[("code", "another")]), &kept(&first));
    let second = call(&proving(&aws), &event).await;
    assert_eq!(second.status_code, 400);
    assert!(text(&second).contains("what you decided first counts"), "{}", text(&second));
    assert!(text(&second).contains(&chat_code(&link_claims()).shown()), "{}", text(&second));
    assert_eq!(queued(&aws).pop().unwrap()["used"], true);
    let denied = with_cookies(callback(link_claims(), &[("error", "access_denied")]), &kept(&first));
    let denied = call(&proving(&aws), &denied).await;
    assert!(!text(&denied).contains(&chat_code(&link_claims()).shown()), "{}", text(&denied));
}

#[tokio::test]
async fn where_the_queue_does_not_answer_no_code_is_shown() {
    let aws = aws().await;
    aws.fail(error("AccessDenied"));
    let response = call(&proving(&aws), &callback(link_claims(), &[("code", CODE)])).await;
    assert_reload_works(&response);
    assert!(response.cookies.is_empty() && !text(&response).contains(&chat_code(&link_claims()).shown()));
}

#[tokio::test]
async fn the_code_is_in_no_line_of_the_log() {
    let logs = Logs::capture();
    let aws = aws().await;
    let attempt_id = AttemptId::from_bytes([0xe1; 16]);
    let binding = Some(BrowserSecret::from_random(&[0; 32]).binding(attempt_id));
    let claims = Claims { attempt_id, binding, ..link_claims() };
    let first = call(&proving(&aws), &callback(claims.clone(), &[("code", CODE)])).await;
    call(&proving(&aws), &bare(&kept(&first))).await;
    let (text, code) = (logs.text(), chat_code(&claims));
    assert!(text.contains(&attempt_id.to_string()), "{text}");
    assert!(!text.contains(code.text()) && !text.contains(&code.shown()), "{text}");
    assert!(!text.contains(code.proof().as_str()), "{text}");
}

#[tokio::test]
async fn the_page_of_a_signed_state_names_its_chat() {
    let aws = aws().await;
    let page = |wa_id: &str| callback(Claims { wa_id: wa_id.parse().unwrap(), ..link_claims() }, &[("code", CODE)]);
    for receiver in [receiver(&aws), proving(&aws)] {
        let named = call(&receiver, &page("whatsapp:+5511987654567")).await;
        assert!(text(&named).contains("+55 •• ••••• 4567") && text(&named).contains("(Brazil)"), "{}", text(&named));
        let unnamed = call(&receiver, &page("whatsapp:US.ABC123XYZ")).await;
        assert!(!text(&unnamed).contains("XYZ"), "{}", text(&unnamed));
    }
    let plain = receiver_with(&aws, &[("STATE_POLICY", "AcceptPlain")]);
    let response = call(&plain, &sample("plain")).await;
    assert!(!text(&response).contains("4567"), "anybody can make a plain state");
}
