//! Answers of the token endpoint as bytes on the wire: what HTTP wraps around tokens loses none.

use std::{fmt::Write as _, net::Ipv4Addr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{Class, Credentials, ExchangeError, Grant, Redemption, Salesforce};
use crate::{AuthorizationCode, CallbackUri, http::Roots};

const TOKENS: &str = r#"{"access_token":"00Dxx!ACCESS","instance_url":"https://acme.my.salesforce.com","id":"https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS","issued_at":"1790000000123"}"#;
/// [`TOKENS`] by `gzip -9n`.
const ZIPPED: &str = "H4sIAAAAAAACA6tWSkxOTi0uji/Jz07NU7JSMjBwqahQdHR2dg0OVtJRyswrLknMS06NLy3KAcpmlJQUFFvp6ycm56bq5VbqFSfmpBan\
    5Rclp+ol5+eC1KcgqcrJT8/MQ1Ojn5miD7bDAAwM0wN8XB0jgUKmUCHD4PLMUEdHsOXFxaWpKfGJJUAzDc0tDaBajIyVagEkFqNyuAAAAA==";

/// What the code is exchanged for at a token endpoint that answers so.
async fn exchange(status: &str, headers: &str, body: &[u8]) -> Result<Grant, ExchangeError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let login_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    let answer = [head.as_bytes(), body].concat();
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !String::from_utf8_lossy(&request).contains("format=json") {
            stream.read_buf(&mut request).await.unwrap();
        }
        stream.write_all(&answer).await.unwrap();
    };
    let code = AuthorizationCode::parse("aPrxCODE==".to_owned()).unwrap();
    let credentials = Credentials {
        client_id: "client",
        client_secret: "secret",
        callback_uri: CallbackUri::parse("https://connect.example/callback").unwrap(),
    };
    let redemption = Redemption { login_url: &login_url, code: &code, verifier: None, credentials: &credentials };
    let salesforce = Salesforce::new(&Salesforce::client(Roots::Mozilla));
    tokio::join!(salesforce.exchange(&redemption, Duration::from_secs(5)), serve).0
}

async fn connects(status: &str, headers: &str, body: &[u8]) {
    let grant = exchange(status, headers, body).await.unwrap();
    assert_eq!(grant.access_token.secret(), "00Dxx!ACCESS");
}

#[tokio::test]
async fn tokens_are_read_whatever_they_are_wrapped_in() {
    connects("200 OK", "", TOKENS.as_bytes()).await;
    connects("201 Created", "", TOKENS.as_bytes()).await;
    connects("200 OK", "", format!("\u{feff}{TOKENS}").as_bytes()).await;
    connects("200 OK", "", TOKENS.replacen('{', r#"{"access_token":"00Dxx!OTHER","#, 1).as_bytes()).await;
    connects("200 OK", "Content-Type: text/html\r\n", TOKENS.as_bytes()).await;
}

#[tokio::test]
async fn compressed_tokens_are_read() {
    connects("200 OK", "Content-Encoding: gzip\r\n", &STANDARD.decode(ZIPPED).unwrap()).await;
}

#[tokio::test]
async fn many_headers_lose_no_tokens() {
    let headers = (0..300).fold(String::new(), |mut text, number| {
        write!(text, "X-Gateway-{number}: {number}\r\n").unwrap();
        text
    });
    connects("200 OK", &headers, TOKENS.as_bytes()).await;
}

#[tokio::test]
async fn a_compressed_answer_that_breaks_off_is_ambiguous() {
    let zipped = STANDARD.decode(ZIPPED).unwrap();
    let error = exchange("200 OK", "Content-Encoding: gzip\r\n", &zipped[..60]).await.unwrap_err();
    assert_eq!(error.class(), Class::Ambiguous);
}
