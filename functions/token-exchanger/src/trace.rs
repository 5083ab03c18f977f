//! The trace id that a message belongs to: that of the callback's invocation, which SQS carries on. X-Ray does not trace
//! HTTP APIs (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-vs-rest.html>): it is for logs alone.
//! Pure.

/// The trace id of a trace header
/// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>). A browser may
/// send such a header too, so only what has the form of an id is taken from it.
pub(crate) fn root(header: &str) -> Option<&str> {
    let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="))?;
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match root.split('-').collect::<Vec<_>>()[..] {
        ["1", time, id] if is_hex(time, 8) && is_hex(id, 24) => Some(root),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_among_the_other_parts() {
        const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
        for header in [
            format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"),
            format!("Self=1-67891234-12456789abcdef012345678;Root={ROOT}"),
            format!("Root={ROOT}"),
        ] {
            assert_eq!(root(&header), Some(ROOT), "{header}");
        }
    }

    #[test]
    fn what_does_not_have_the_form_of_an_id_is_ignored() {
        for header in ["", "Root=", "Root=1-5759e988-secret", "Root=2-5759e988-bd862e3fe1be46a994272793", "Parent=1"] {
            assert_eq!(root(header), None, "{header}");
        }
    }
}
