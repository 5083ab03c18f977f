//! Answers in AWS's place that are not AWS's: a proxy's, a network's page of login, whatever listens at `AWS_ENDPOINT_URL`.
//! Pure.

use serde_json::Value;

use crate::{error::NOT_OF_AWS, http};

/// Headers that name a request, with which every service of AWS answers.
const REQUEST_IDS: [&str; 3] = ["x-amzn-requestid", "x-amz-request-id", "x-amz-requestid"];
/// What AWS says of an error in a header, and in JSON.
const ERROR_TYPE: &str = "x-amzn-errortype";
const CODES: [&str; 3] = ["__type", "code", "Code"];

/// The form of a service's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Xml,
}

impl Form {
    /// That of the answer to a request with a body of this type: the Query protocol answers with XML.
    pub(super) fn answered_to(content_type: &str) -> Self {
        if content_type.starts_with("application/x-www-form-urlencoded") { Self::Xml } else { Self::Json }
    }

    fn is_of(self, body: &str) -> bool {
        match self {
            Self::Json => body.is_empty() || body.starts_with(['{', '[']),
            Self::Xml => body.starts_with('<'),
        }
    }
}

/// What an answer is that AWS did not give; `None` where it may be AWS's. Nothing of the answer is quoted.
pub(super) fn foreign<'a>(
    form: Form,
    status: u16,
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
) -> Option<String> {
    let body = String::from_utf8_lossy(body);
    let body = body.trim_start_matches('\u{feff}').trim();
    let content = http::content(body);
    let has = |name: &&str| header(name).is_some();
    let is_page = header("content-type").is_some_and(|kind| kind.starts_with("text/html")) || is_html(body);
    let what = match status {
        300..=399 => "which leads elsewhere".to_owned(),
        _ if is_page => "with a page".to_owned(),
        200..=299 if !form.is_of(body) => content.to_owned(),
        400.. if !(has(&ERROR_TYPE) || REQUEST_IDS.iter().any(has) || has_code(body)) => {
            format!("{content}, no error code")
        }
        _ => return None,
    };
    let comma = if what.starts_with("which") { "," } else { "" };
    Some(format!("{NOT_OF_AWS}: status {status}{comma} {what}"))
}

fn is_html(body: &str) -> bool {
    let beginning: String = body.chars().take(512).collect::<String>().to_ascii_lowercase();
    beginning.starts_with('<')
        && ["<html", "<!doctype html", "<head", "<body"].iter().any(|tag| beginning.contains(tag))
}

fn has_code(body: &str) -> bool {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    body.contains("<Code>") || CODES.iter().any(|name| json[*name].is_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(form: Form, status: u16, header: (&str, &'static str), body: &str) -> Option<String> {
        foreign(form, status, |name| (name == header.0).then_some(header.1), body.as_bytes())
    }

    #[test]
    fn what_aws_cannot_have_answered_is_named_by_its_status_and_its_content() {
        let none = ("", "");
        for (form, status, header, body, what) in [
            (Form::Xml, 200, none, "<!DOCTYPE html><p>Log in", "status 200 with a page"),
            (Form::Xml, 200, ("content-type", "text/html; charset=utf-8"), "Log in", "status 200 with a page"),
            (Form::Json, 503, ("x-amzn-requestid", "id"), "<html>", "status 503 with a page"),
            (Form::Xml, 302, none, "", "status 302, which leads elsewhere"),
            (Form::Json, 307, ("x-amzn-requestid", "id"), "{}", "status 307, which leads elsewhere"),
            (Form::Xml, 200, none, "{\"ok\": true}", "status 200 with JSON"),
            (Form::Json, 200, none, "OK", "status 200 with a text"),
            (Form::Json, 200, none, "<a/>", "status 200 with a page"),
            (Form::Xml, 200, none, "", "status 200 without content"),
            (Form::Xml, 403, none, "{\"message\": \"Forbidden\"}", "status 403 with JSON, no error code"),
            (Form::Json, 407, none, "Proxy login", "status 407 with a text, no error code"),
            (Form::Json, 502, none, "", "status 502 without content, no error code"),
        ] {
            let expected = format!("not AWS's answer: {what}");
            assert_eq!(seen(form, status, header, body), Some(expected), "{status} {body}");
        }
    }

    #[test]
    fn what_aws_may_have_answered_is_left_as_it_is() {
        let none = ("", "");
        for (form, status, header, body) in [
            (Form::Xml, 200, none, "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/\"/>"),
            (Form::Xml, 400, none, "<?xml version=\"1.0\"?>\n<ErrorResponse><Error><Code>ValidationError</Code>"),
            (Form::Json, 200, none, "\u{feff}{}"),
            (Form::Json, 204, none, ""),
            (Form::Json, 400, none, "{\"__type\": \"AccessDeniedException\"}"),
            (Form::Json, 403, ("x-amzn-errortype", "ForbiddenException"), "{\"message\": \"Forbidden\"}"),
            (Form::Json, 500, ("x-amzn-requestid", "id"), ""),
        ] {
            assert_eq!(seen(form, status, header, body), None, "{status} {body}");
        }
    }
}
