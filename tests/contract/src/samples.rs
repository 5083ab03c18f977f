//! What the code makes, as data: one JSON text a line in `tests/contract/samples`, for programs that check it against the
//! schemas of `docs/contract`.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use aws_lambda_events::{
    apigw::ApiGatewayV2httpResponse,
    encodings::Body,
    http::{HeaderName, HeaderValue, header::CONTENT_SECURITY_POLICY},
};
use serde_json::{Value, json};

/// The lines of a file of samples, by its name without `.jsonl`.
fn lines(name: &str) -> Vec<String> {
    let path = path(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(str::to_owned).collect()
}

/// Fails unless these JSON texts are the lines of the file. With `UPDATE_SAMPLES=1` in the environment it writes them.
pub fn assert_samples(name: &str, made: &[String]) {
    if env::var_os("UPDATE_SAMPLES").is_some() {
        fs::write(path(name), made.iter().flat_map(|line| [line, "\n"]).collect::<String>()).expect("written");
    }
    let kept = lines(name);
    let differs = made.iter().zip(&kept).find(|(made, kept)| made != kept);
    assert!(
        differs.is_none() && made.len() == kept.len(),
        "what is made is not in tests/contract/samples/{name}.jsonl; if this is meant, run the test with UPDATE_SAMPLES=1: {differs:#?}"
    );
}

/// An answer to a call, such as `POST /links`, as a sample: `{"call", "status", "headers", "body"}`, the body `null` where
/// there is none. Of the content security policy only the first directive is kept: the others have hashes of the pages' style.
#[must_use]
pub fn answer(call: &str, response: &ApiGatewayV2httpResponse) -> String {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        let text = value.to_str().expect("a header is text");
        let kept = if name == CONTENT_SECURITY_POLICY { text.split(';').next().unwrap_or(text) } else { text };
        (name.to_string(), kept.to_owned())
    };
    let headers: BTreeMap<_, _> = response.headers.iter().map(header).collect();
    let body: Value = match &response.body {
        Some(Body::Text(text)) => serde_json::from_str(text).expect("a body is JSON"),
        None | Some(Body::Empty) => Value::Null,
        Some(_) => panic!("a body is text"),
    };
    json!({ "call": call, "status": response.status_code, "headers": headers, "body": body }).to_string()
}

/// The requests of a call in `requests.jsonl`, each with the body, and the `error` that it is refused with.
#[must_use]
pub fn requests(call: &str) -> Vec<(Vec<u8>, Option<String>)> {
    let parse = |line: String| -> Value { serde_json::from_str(&line).expect("a line is JSON") };
    let of_call = lines("requests").into_iter().map(parse).filter(|request| request["call"] == call);
    of_call.map(|it| (it["body"].to_string().into_bytes(), it["error"].as_str().map(str::to_owned))).collect()
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "samples", &format!("{name}.jsonl")].iter().collect()
}
