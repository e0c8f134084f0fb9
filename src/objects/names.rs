//! Names of Kubernetes objects: one door in.

use std::fmt;
use std::str::FromStr;

/// The longest DNS-1123 subdomain (RFC 1123 by way of `validation.IsDNS1123Subdomain`).
pub const MAX_SUBDOMAIN: usize = 253;

/// The `ConfigMap` that holds the policy, unless its owners chose another name.
pub const POLICY_CONFIG_MAP: &str = "pullgate-policy";

/// Its key that does.
pub const POLICY_KEY: &str = "policy.yaml";

/// The `apiVersion` of a policy.
pub const POLICY_API_VERSION: &str = "pullgate.dev/v1";

/// The `kind` of a policy.
pub const POLICY_KIND: &str = "PullPolicy";

/// The name of a Secret: a DNS-1123 subdomain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretName(Box<str>);

/// Why a text is no DNS-1123 subdomain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of a Secret: lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit, at most {MAX_SUBDOMAIN} characters"
)]
pub struct NameError(String);

impl SecretName {
    /// The name.
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

/// Whether `text` is a DNS-1123 subdomain.
#[must_use]
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN && text.split('.').all(is_dns_label)
}

/// Whether `text` is a DNS-1123 label, as the name of a namespace is.
#[must_use]
pub fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_dns_label(text)
}

/// Whether `text` is made like a DNS-1123 label, but for its length.
fn is_dns_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().last()) else {
        return false;
    };
    inner(first) && inner(last) && text.bytes().all(|b| inner(b) || b == b'-')
}

/// Whether `text` could be a glob of Kubernetes names: their characters and `*`.
#[must_use]
pub fn is_name_glob(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_SUBDOMAIN
        && text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'*')
        })
}

/// Whether `text` is a label value, or the part of a label key after the `/`: `validation.IsQualifiedName`.
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

/// Whether `text` is a label key: an optional DNS-1123 prefix and `/`, and a name.
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
