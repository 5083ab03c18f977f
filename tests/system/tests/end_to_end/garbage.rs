//! What nobody's link costs the stack. It runs beside the kills, on a cloud where nobody else uses the plain stack, so that
//! calls of its keys can be counted.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{StreamExt as _, future::join_all, stream};
use reqwest::{Method, StatusCode};
use serde_json::json;
use system::{Browser, Cloud, Link, new_chat};

const LINKS: usize = 1_000;
const KINDS: usize = 8;

/// Addresses that a stranger makes up, of a genuine one.
fn made_up(link: &str) -> Vec<String> {
    let (address, sealed) = link.rsplit_once('/').expect("an address");
    let bytes = URL_SAFE_NO_PAD.decode(sealed).expect("base64url");
    let mut random = fastrand::Rng::with_seed(15);
    let mut of = |number: usize| {
        let place = random.usize(1..bytes.len());
        match number % KINDS {
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

/// The calls of KMS that the functions of the plain stack have made, by what they are for.
struct KmsCalls {
    /// The key of links, which each process derives before its first response, and the public key, which it fetches after
    /// it: with a busy machine long after it.
    of_processes: u64,
    signatures: u64,
    verifiers: u64,
}

impl KmsCalls {
    async fn read(cloud: &Cloud) -> Self {
        let plain = cloud.stack("plain");
        let configuration = cloud.configuration(plain, "ConnectLinkFunctionName").await;
        let key = |name: &str| configuration["Environment"]["Variables"][name].as_str().expect("a key").to_owned();
        let (link_key, state_key) =
            (cloud.kms_calls(&key("LINK_KEY_ID")).await, cloud.kms_calls(&key("STATE_KEY_ID")).await);
        let sum = |calls: &HashMap<String, u64>| calls.values().sum::<u64>();
        let signatures = state_key.get("kms.Sign").copied().unwrap_or_default();
        let of_processes = sum(&link_key) + sum(&state_key) - signatures;
        Self { of_processes, signatures, verifiers: sum(&cloud.kms_calls(&key("PKCE_KEY_ID")).await) }
    }
}

#[tokio::test]
async fn a_thousand_made_up_links_cost_no_call_of_kms() {
    let cloud = Cloud::read();
    let link: Link = cloud.ask_for_link("plain", json!({"wa_id": new_chat()})).await.json().await.unwrap();
    let mut browser = Browser::new(&cloud);

    // More processes than are needed later.
    let pages = join_all((0..12).map(|_| browser.visit(Method::GET, &link.url))).await;
    assert!(pages.iter().all(|page| page.status() == StatusCode::OK));
    let before = KmsCalls::read(&cloud).await;
    assert!(before.of_processes > 0);

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
    let after = KmsCalls::read(&cloud).await;
    assert_eq!(after.signatures - before.signatures, 0);
    assert_eq!(after.verifiers - before.verifiers, 0);
    // Whatever the processes were late with: no kind of link costs a call each.
    let of_processes = after.of_processes - before.of_processes;
    assert!(of_processes < (LINKS / KINDS) as u64, "{of_processes} calls");

    // A genuine press is counted.
    browser.press(&link.url).await;
    let pressed = KmsCalls::read(&cloud).await;
    assert!(pressed.signatures > after.signatures);
    assert!(pressed.verifiers > after.verifiers);
}
