//! The REST API's `query`: some accounts and contacts of each org, for whoever has a valid access token with the scope `api`.
//!
//! It reads `SELECT <fields> FROM <object> [LIMIT <n>]` and calls the rest of SOQL malformed.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::{
    World,
    ambient::now_ms,
    fields::{Fields, bearer},
    lock,
};

/// An error, as the REST API words it: in an array.
#[derive(Debug, PartialEq, Eq)]
struct RestError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl RestError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn session(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", message)
    }

    fn query(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        (self.status, Json(json!([{"message": self.message, "errorCode": self.code}]))).into_response()
    }
}

/// `GET /services/data/vNN.0/query?q=…`.
pub(super) async fn query(
    State(world): State<Arc<World>>,
    Path(path): Path<Vec<(String, String)>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let version = path.into_iter().find(|(name, _)| name == "version").map(|(_, version)| version);
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    answer(&world, &version.unwrap_or_default(), &fields, &headers).map(Json).into_response()
}

fn answer(world: &World, version: &str, fields: &Fields, headers: &HeaderMap) -> Result<Value, RestError> {
    let token = bearer(headers).unwrap_or_default();
    let found = lock(&world.salesforce.ledger)
        .approval_of(token, now_ms())
        .map(|approval| (approval.user.org_id, approval.scope.clone()));
    let Some((org_id, scope)) = found else { return Err(RestError::session("Session expired or invalid")) };
    if !scope.split(' ').any(|scope| matches!(scope, "api" | "full")) {
        return Err(RestError::session("This session is not valid for use with the REST API"));
    }
    if !is_version(version) {
        return Err(RestError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested resource does not exist"));
    }
    let soql =
        fields.get("q").ok_or_else(|| RestError::query("MALFORMED_QUERY", "A query string has to be specified"))?;
    select(org_id, version, soql)
}

/// `v66.0`.
fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').and_then(|text| text.strip_suffix(".0"));
    number.is_some_and(|number| number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn select(org_id: &str, version: &str, soql: &str) -> Result<Value, RestError> {
    let (fields, object, limit) =
        parse(soql).ok_or_else(|| RestError::query("MALFORMED_QUERY", "unexpected token in the query"))?;
    let tables = tables(org_id);
    let table = tables.as_object().into_iter().flatten().find(|(name, _)| name.eq_ignore_ascii_case(object));
    let (name, rows) =
        table.ok_or_else(|| RestError::query("INVALID_TYPE", format!("sObject type '{object}' is not supported.")))?;
    let rows = rows.as_array().into_iter().flatten().filter_map(Value::as_object).take(limit);
    let records = rows.map(|row| record(name, version, row, &fields)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"totalSize": records.len(), "done": true, "records": records}))
}

/// The fields, the object and the limit.
fn parse(soql: &str) -> Option<(Vec<&str>, &str, usize)> {
    let words: Vec<&str> = soql.split([' ', '\t', '\n', '\r', ',']).filter(|word| !word.is_empty()).collect();
    let (select, rest) = words.split_first()?;
    let from = rest.iter().position(|word| word.eq_ignore_ascii_case("from"))?;
    let (fields, rest) = rest.split_at(from);
    let limit = match rest {
        [_, _] => usize::MAX,
        [_, _, limit, number] if limit.eq_ignore_ascii_case("limit") => number.parse().ok()?,
        _ => return None,
    };
    let is_whole = select.eq_ignore_ascii_case("select") && !fields.is_empty();
    is_whole.then(|| (fields.to_vec(), rest[1], limit))
}

fn record(object: &str, version: &str, row: &Map<String, Value>, fields: &[&str]) -> Result<Value, RestError> {
    let id = row["Id"].as_str().unwrap_or_default();
    let url = format!("/services/data/{version}/sobjects/{object}/{id}");
    let mut record = json!({"attributes": {"type": object, "url": url}});
    for field in fields {
        let (name, value) = row.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).ok_or_else(|| {
            RestError::query("INVALID_FIELD", format!("No such column '{field}' on entity '{object}'."))
        })?;
        record[name] = value.clone();
    }
    Ok(record)
}

/// What an org has. The ids of two orgs differ, so that a test sees whose rows it was given.
fn tables(org_id: &str) -> Value {
    let id = |prefix: &str, number: u32| format!("{prefix}{}{number:07}AAA", &org_id[3..8]);
    let account =
        |number, name: &str, industry: &str| json!({"Id": id("001", number), "Name": name, "Industry": industry});
    let contact = |number, first: &str, last: &str, account| {
        json!({
            "Id": id("003", number),
            "FirstName": first,
            "LastName": last,
            "Name": format!("{first} {last}"),
            "Email": format!("{}@example.com", first.to_lowercase()),
            "AccountId": id("001", account),
        })
    };
    json!({
        "Account": [
            account(1, "Difference Engines", "Manufacturing"),
            account(2, "Jacquard Looms", "Apparel"),
            account(3, "Colossus Computing", "Technology"),
        ],
        "Contact": [
            contact(1, "Charles", "Babbage", 1),
            contact(2, "Joseph", "Jacquard", 2),
            contact(3, "Tommy", "Flowers", 3),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_fields_an_object_and_perhaps_a_limit() {
        assert_eq!(parse("SELECT Id,Name FROM Account"), Some((vec!["Id", "Name"], "Account", usize::MAX)));
        assert_eq!(parse("select Id, Name\nfrom Account limit 2"), Some((vec!["Id", "Name"], "Account", 2)));
    }

    #[test]
    fn the_rest_of_soql_is_malformed() {
        for soql in ["", "SELECT Id", "SELECT FROM Account", "SELECT Id FROM", "UPDATE Id FROM Account"] {
            assert_eq!(parse(soql), None, "{soql}");
        }
        for more in ["WHERE Name = 'a'", "LIMIT", "LIMIT many", "LIMIT 1 OFFSET 1"] {
            assert_eq!(parse(&format!("SELECT Id FROM Account {more}")), None, "{more}");
        }
    }

    #[test]
    fn a_version_is_a_number() {
        assert!(is_version("v66.0"));
        for text in ["66.0", "v66", "v66.1", "vab.0", "v6.0", ""] {
            assert!(!is_version(text), "{text}");
        }
    }
}
