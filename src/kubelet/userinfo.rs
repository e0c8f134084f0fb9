//! Users and passwords in texts that were meant as image references: they are never shown.

use super::image::MIN_DIGEST_HEX;

/// Returns the part after a user and a password, or after a token, in a text that was meant as an image; `None` if the
/// text has none of them.
///
/// `repo@latest` and `repo:tag@` are misspelt digests, and have to be shown; `bob:hunter2@reg.io/x` must not be shown.
/// A `/` or a host after the `@` makes the difference: a digest has neither.
#[must_use]
pub fn behind_credentials(text: &str) -> Option<&str> {
    let digest = text
        .rfind('@')
        .filter(|at| is_meant_as_digest(&text[at + 1..]));
    let end = digest.unwrap_or(text.len());
    let at = text[..end].rfind('@')?;
    let (before, behind) = (&text[..at], &text[at + 1..end]);
    let is_hidden = !behind.is_empty() && (is_host(behind) || is_user(before));
    is_hidden.then(|| &text[at + 1..])
}

/// Returns whether a text is `sha256:…`, even if it is misspelt.
fn is_meant_as_digest(text: &str) -> bool {
    let begin = text.get(..6).unwrap_or(text).to_ascii_lowercase();
    let is_known = ["sha", "md", "blake"]
        .iter()
        .any(|name| begin.starts_with(name));
    let is_hex =
        |hex: &str| hex.len() >= MIN_DIGEST_HEX && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    !text.contains('/') && (is_known || text.split_once(':').is_some_and(|(_, hex)| is_hex(hex)))
}

/// Returns whether a text is a host, perhaps with a path. `latest` and `1.25` are not.
fn is_host(text: &str) -> bool {
    let is_word = |label: &str| label.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_domain = text
        .rsplit_once('.')
        .is_some_and(|(_, label)| is_word(label));
    text.contains(['/', ':', '@']) || is_domain || text == "localhost"
}

/// Returns whether a text can be a user and a password, and not a name: `bob:hunter2`, `bob:hunt/er2`.
fn is_user(text: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let (first, rest) = text
        .split_once('/')
        .map_or((text, None), |(first, rest)| (first, Some(rest)));
    let colon = first.split_once(':');
    text.contains('@') || colon.is_some_and(|(_, port)| rest.is_none() || !is_port(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_told_from_digests_that_went_wrong() {
        let hex = "a".repeat(64);
        for (text, expected) in [
            ("bob:hunter2@reg.io/x", Some("reg.io/x")),
            ("https://bob:hunter2@reg.io/x", Some("reg.io/x")),
            ("bob:hunter2@reg.io/x@sha256:#", Some("reg.io/x@sha256:#")),
            ("hunter2@reg.io/x", Some("reg.io/x")),
            ("hunter2@team/app", Some("team/app")),
            ("bob:hunter2@reg.io", Some("reg.io")),
            ("bob:hunter2@reg:5000", Some("reg:5000")),
            ("bob:hunter2@host", Some("host")),
            ("bob:hunt/er2@reg.io", Some("reg.io")),
            ("bob:hunt/er2@host", Some("host")),
            ("bob:hunt@er2@host", Some("host")),
            ("repo:tag@", None),
            ("repo@latest", None),
            ("repo@1.25", None),
            ("reg.io:5000/x:1@latest", None),
            ("reg.io/x:1@v1.2", None),
            ("reg.io/x@SHA256:#", None),
            ("reg.io/x@sha256:#:v1", None),
            ("reg.io/x@whirlpool:#", None),
            ("nginx", None),
        ] {
            let [text, expected] =
                [Some(text), expected].map(|text| text.map(|text| text.replace('#', &hex)));
            let text = text.unwrap_or_default();
            assert_eq!(behind_credentials(&text), expected.as_deref(), "{text}");
        }
    }
}
