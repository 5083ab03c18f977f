//! What nobody's link costs the stack. It runs beside the kills, on a cloud where nobody else uses the plain stack, so that
//! calls of its keys can be counted.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{StreamExt as _, future::join_all, stream};
use reqwest::{Method, StatusCode};
use serde_json::json;
use system::{Browser, Cloud, Link, new_chat};

const LINKS: usize = 1_000;

/// Addresses that a stranger makes up, of a genuine one.
fn made_up(link: &str) -> Vec<String> {
    let (address, sealed) = link.rsplit_once('/').expect("an address");
    let bytes = URL_SAFE_NO_PAD.decode(sealed).expect("base64url");
    let mut random = fastrand::Rng::with_seed(15);
    let mut of = |number: usize| {
        let place = random.usize(1..bytes.len());
        match number % 8 {
            0 => random_bytes(&mut random, place),
            // The version of a link in front, at a link's length and at others.
            1 => [&bytes[..1], &random_bytes(&mut random, bytes.len() - 1)].concat(),
            2 => [&bytes[..1], &random_bytes(&mut random, place)].concat(),
            // The first byte of the links that KMS encrypted.
            3 => [&[1][..], &random_bytes(&mut random, bytes.len() - 1)].concat(),
            4 => bytes[..place].to_vec(),
            5 => [&bytes[..], &random_bytes(&mut random, place)].concat(),
            6 => flipped(&bytes, place, random.u8(0..8)),
            _ => random_bytes(&mut random, 8 * place),
        }
    };
    (0..LINKS).map(|number| format!("{address}/{}", URL_SAFE_NO_PAD.encode(of(number)))).collect()
}

fn random_bytes(random: &mut fastrand::Rng, length: usize) -> Vec<u8> {
    (0..length).map(|_| random.u8(..)).collect()
}

fn flipped(bytes: &[u8], place: usize, bit: u8) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[place] ^= 1 << bit;
    changed
}

#[tokio::test]
async fn a_thousand_made_up_links_cost_no_call_of_kms() {
    let cloud = Cloud::read();
    let plain = cloud.stack("plain");
    let environment = cloud.configuration(plain, "ConnectLinkFunctionName").await["Environment"]["Variables"].clone();
    let keys =
        ["LINK_KEY_ID", "STATE_KEY_ID", "PKCE_KEY_ID"].map(|name| environment[name].as_str().unwrap().to_owned());
    let link: Link = cloud.ask_for_link("plain", json!({"wa_id": new_chat()})).await.json().await.unwrap();
    let mut browser = Browser::new(&cloud);

    // Each process calls KMS at its start: more of them than are needed later.
    let pages = join_all((0..12).map(|_| browser.visit(Method::GET, &link.url))).await;
    assert!(pages.iter().all(|page| page.status() == StatusCode::OK));
    let before = cloud.kms_calls(&keys).await;
    assert!(before > 0);

    let answers = stream::iter(made_up(&link.url).into_iter().enumerate()).map(|(number, url)| {
        let browser = &browser;
        async move {
            let method = if number % 3 == 0 { Method::POST } else { Method::GET };
            (browser.visit(method, &url).await.status(), url)
        }
    });
    let answers: Vec<_> = answers.buffer_unordered(3).collect().await;
    for (status, url) in &answers {
        assert!(matches!(*status, StatusCode::NOT_FOUND | StatusCode::GONE), "{status} {url}");
    }
    assert_eq!(answers.len(), LINKS);
    assert_eq!(cloud.kms_calls(&keys).await - before, 0);

    // A genuine press is counted: a signature and a verifier.
    browser.press(&link.url).await;
    assert_eq!(cloud.kms_calls(&keys).await - before, 2);
}
