//! The bodies of registries and token endpoints: tokens, and the reasons for refusals.

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

/// The answer of a token endpoint. Registries write one of the two names.
#[derive(Deserialize)]
struct TokenBody {
    token: Option<String>,
    access_token: Option<String>,
}

/// Returns the token in the answer of a token endpoint; `None` if it has none, or an empty one.
#[must_use]
pub fn token(body: &[u8]) -> Option<Zeroizing<String>> {
    let body: TokenBody = serde_json::from_slice(body).ok()?;
    let tokens = [body.token, body.access_token].map(|token| token.map(Zeroizing::new));
    let mut tokens = tokens.into_iter().flatten();
    tokens.find(|token| !token.is_empty())
}

/// Returns the reason that a refusal gives, unchanged: it may repeat a credential.
///
/// Registries answer `{"errors": [{"code", "message"}]}`; token endpoints write `details`, `message` or `error`, or a
/// plain text. A page of HTML gives no reason.
#[must_use]
pub fn reason(body: &[u8]) -> Option<String> {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(value) => json_reason(&value)?,
        Err(_) => String::from_utf8_lossy(body).trim().to_owned(),
    };
    let is_markup = text.starts_with('<');
    (!text.is_empty() && !is_markup).then_some(text)
}

fn json_reason(value: &Value) -> Option<String> {
    let errors = value["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let errors: Vec<_> = errors.iter().filter_map(registry_error).collect();
    if !errors.is_empty() {
        return Some(errors.join("; "));
    }
    let keys = ["details", "message", "error_description", "error"];
    let texts = keys.iter().filter_map(|key| value[*key].as_str());
    let first = texts.chain(value.as_str()).find(|text| !text.is_empty());
    first.map(str::to_owned)
}

fn registry_error(error: &Value) -> Option<String> {
    let parts = [&error["code"], &error["message"]];
    let parts = parts.into_iter().filter_map(Value::as_str);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_one_of_two_names() {
        let read = |body: &str| token(body.as_bytes()).map(|token| token.to_string());
        assert_eq!(
            read(r#"{"token": "a", "access_token": "b"}"#).as_deref(),
            Some("a")
        );
        assert_eq!(
            read(r#"{"token": "", "access_token": "b"}"#).as_deref(),
            Some("b")
        );
        for body in [
            "",
            "{}",
            "[]",
            r#"{"token": ""}"#,
            r#"{"token": null}"#,
            r#"{"token": 1}"#,
            r#"{"errors": []}"#,
        ] {
            assert_eq!(read(body), None, "{body}");
        }
    }

    #[test]
    fn a_reason_is_found_where_registries_write_it() {
        for (body, expected) in [
            (
                r#"{"errors": [{"code": "DENIED", "message": "no"}, {"code": "UNKNOWN", "detail": {}}]}"#,
                Some("DENIED: no; UNKNOWN"),
            ),
            (
                r#"{"details": "incorrect username or password"}"#,
                Some("incorrect username or password"),
            ),
            (r#"{"error": "invalid_client"}"#, Some("invalid_client")),
            (
                " Your Authorization Token has expired\n",
                Some("Your Authorization Token has expired"),
            ),
            ("\"quoted\"", Some("quoted")),
            ("<html><body>403</body></html>", None),
            (r#"{"errors": [1]}"#, None),
            (r#"{"errors": []}"#, None),
            ("", None),
            ("7", None),
        ] {
            assert_eq!(reason(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}
