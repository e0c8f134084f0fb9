//! The names of Kubernetes objects, with the checks that every name passes.

use std::fmt;
use std::str::FromStr;

/// The longest DNS-1123 subdomain, in characters (RFC 1123 by way of `validation.IsDNS1123Subdomain`).
pub const MAX_SUBDOMAIN: usize = 253;

/// The default name of the `ConfigMap` with the policy.
pub const POLICY_CONFIG_MAP: &str = "pullgate-policy";

/// The key of that `ConfigMap` that holds the policy.
pub const POLICY_KEY: &str = "policy.yaml";

/// The `apiVersion` of a policy.
pub const POLICY_API_VERSION: &str = "pullgate.dev/v1";

/// The `kind` of a policy.
pub const POLICY_KIND: &str = "PullPolicy";

/// The name of a Secret: a DNS-1123 subdomain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(Box<str>);

/// A text that is not a DNS-1123 subdomain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a valid name of a Secret: use lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit, at most {MAX_SUBDOMAIN} characters"
)]
pub struct NameError(String);

impl SecretName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_subdomain(text) {
            Ok(Self(text.into()))
        } else {
            Err(NameError(text.to_owned()))
        }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns whether `text` is a DNS-1123 subdomain.
#[must_use]
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN && text.split('.').all(is_dns_label)
}

/// Returns whether `text` is a DNS-1123 label, such as the name of a namespace.
#[must_use]
pub fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_dns_label(text)
}

/// Returns whether `text` is a DNS-1123 label apart from its length.
fn is_dns_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().last()) else {
        return false;
    };
    inner(first) && inner(last) && text.bytes().all(|b| inner(b) || b == b'-')
}

/// Returns whether `text` may be a glob of Kubernetes names: it holds only their characters and `*`.
#[must_use]
pub fn is_name_glob(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_SUBDOMAIN
        && text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'*')
        })
}

/// Returns whether `text` is a label value, or the part of a label key after the `/` (`validation.IsQualifiedName`).
#[must_use]
pub fn is_label_name(text: &str) -> bool {
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().last()) else {
        return false;
    };
    text.len() <= 63
        && first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Returns whether `text` is a label key: an optional DNS-1123 prefix with a `/`, and a name.
#[must_use]
pub fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_name(name),
        None => is_label_name(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_names_are_subdomains() {
        for good in ["a", "regcred", "a.b-c.d1", "1"] {
            assert!(good.parse::<SecretName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a_b",
            "a..b",
            ".a",
            "a*",
            "a b",
            &"a".repeat(254),
        ] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn label_keys_have_at_most_one_prefix() {
        assert!(is_label_key("kubernetes.io/metadata.name") && is_label_key("Team_1"));
        assert!(
            !is_label_key("a/b/c")
                && !is_label_key("/a")
                && !is_label_key("a/")
                && !is_label_key("-a")
        );
    }
}
