//! A Docker configuration as its author may have meant it: with or without `auths`, filled in or not.
//!
//! The kubelet accepts less than this reader (`kubelet/docker_config`). This reader answers two other questions:
//! whether a file holds a credential that anyone who reads the file can use, and why the kubelet finds none in a
//! Secret. Only commands use this reader, so the texts are not wiped.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde_json::{Map, Value};

/// The degree to which a text holds a credential. The highest degree of its parts counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filling {
    /// No entry, or entries without a password and a token.
    Nothing,
    /// A placeholder for a credential that is not filled in yet: `${PASSWORD}`, `<token>`, a text that is not base64.
    Placeholder,
    /// A password or a token.
    Credential,
}

/// The shape of a JSON object that should be a Docker configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Entries in `auths`, perhaps none.
    InAuths,
    /// Entries without `auths` around them.
    Bare,
    /// Names of credential helpers and no entries: `credHelpers`, `credsStore`.
    Helpers,
    /// Another form.
    Other,
}

/// A JSON object that should be a Docker configuration.
pub struct DockerDocument(Map<String, Value>);

/// The fields of an entry that hold a secret value. The kubelet reads the first two.
const SECRET_FIELDS: [&str; 4] = ["password", "auth", "identitytoken", "registrytoken"];

/// The beginnings and ends of texts that a tool or a person is to replace: variables of shells, Flux and Kubernetes,
/// templates, prose, values that SOPS has encrypted, tokens of pipelines.
const PLACEHOLDERS: [(&str, &str); 8] = [
    ("${", "}"),
    ("$(", ")"),
    ("{{", "}}"),
    ("<", ">"),
    ("[[", "]]"),
    ("ENC[", "]"),
    ("#{", "}#"),
    ("@@", "@@"),
];

/// The least length, in bytes, of a text of crosses, stars or dots that is a gap to fill in and not a password.
const BLANK: usize = 3;

/// The beginnings of references that an operator or a tool resolves: those of Bank-Vaults, vals and 1Password.
const REFERENCES: [&str; 3] = ["vault:", "ref+", "op://"];

impl DockerDocument {
    /// Reads a text; `None` if it is not a JSON object.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        match serde_json::from_slice(text) {
            Ok(Value::Object(members)) => Some(Self(members)),
            _ => None,
        }
    }

    /// Reads a text that was encoded with base64 a second time.
    #[must_use]
    pub fn read_encoded(text: &[u8]) -> Option<Self> {
        Self::read(&decode(text)?)
    }

    /// Returns the shape of the object.
    #[must_use]
    pub fn layout(&self) -> Layout {
        let has = |key: &str| self.0.keys().any(|known| known.eq_ignore_ascii_case(key));
        let is_entry = |value: &Value| {
            let fields = value.as_object().into_iter().flat_map(Map::keys);
            let mut fields = fields.map(|field| field.to_ascii_lowercase());
            fields.any(|field| field == "username" || SECRET_FIELDS.contains(&&*field))
        };
        if has("auths") {
            Layout::InAuths
        } else if self.0.values().any(is_entry) {
            Layout::Bare
        } else if has("credHelpers") || has("credsStore") {
            Layout::Helpers
        } else {
            Layout::Other
        }
    }

    /// Returns the names of the entries in `auths`, or of all members if `is_bare`.
    pub fn names(&self, is_bare: bool) -> impl Iterator<Item = &str> {
        let wrapped = self.auths().filter_map(Value::as_object);
        let wrapped = wrapped.filter(move |_| !is_bare);
        let members = is_bare.then_some(&self.0).into_iter().chain(wrapped);
        members.flat_map(Map::keys).map(String::as_str)
    }

    /// Returns the degree to which `auths` and, if `may_be_bare`, members outside it hold a credential.
    #[must_use]
    pub fn filling(&self, may_be_bare: bool) -> Filling {
        let bare = self.0.values().filter(|_| may_be_bare);
        let wrapped = self.auths().flat_map(|auths| match auths.as_object() {
            Some(entries) => entries.values().collect(),
            None => vec![auths],
        });
        let all = bare.filter(|value| value.is_object()).chain(wrapped);
        all.map(of_entry).max().unwrap_or(Filling::Nothing)
    }

    /// Returns the members that Go reads as `auths`: it compares names without regard to case.
    fn auths(&self) -> impl Iterator<Item = &Value> {
        let members = self.0.iter();
        let auths = members.filter(|(key, _)| key.eq_ignore_ascii_case("auths"));
        auths.map(|(_, value)| value)
    }
}

impl Filling {
    /// Returns the degree to which a text that should be a Docker configuration holds a credential.
    #[must_use]
    pub fn of(text: &[u8], may_be_bare: bool) -> Self {
        let text = text.trim_ascii();
        if text.is_empty() || text == b"null" {
            return Self::Nothing;
        }
        let document = DockerDocument::read(text).or_else(|| DockerDocument::read_encoded(text));
        document.map_or(Self::Placeholder, |document| document.filling(may_be_bare))
    }
}

fn of_entry(entry: &Value) -> Filling {
    let Some(fields) = entry.as_object() else {
        let is_blank = entry.as_str().is_none_or(|text| text.trim().is_empty());
        return if is_blank {
            Filling::Nothing
        } else {
            Filling::Placeholder
        };
    };
    let of_field = |(name, value): (&String, &Value)| {
        let name = name.to_ascii_lowercase();
        let text = value.as_str().filter(|_| SECRET_FIELDS.contains(&&*name));
        match text {
            Some(text) if name == "auth" => of_auth(text),
            text => of_secret(text.unwrap_or_default()),
        }
    };
    fields
        .iter()
        .map(of_field)
        .max()
        .unwrap_or(Filling::Nothing)
}

/// Judges the field `auth`: the base64 of `USERNAME:PASSWORD`.
fn of_auth(text: &str) -> Filling {
    let plain = of_secret(text);
    if plain != Filling::Credential {
        return plain;
    }
    let is_pair = |text: &str| text.contains(':');
    match decode(text.as_bytes()).map(String::from_utf8) {
        Some(Ok(pair)) => match pair.split_once(':') {
            Some((_, password)) => of_secret(password),
            None => of_secret(&pair),
        },
        // This is not encoded, and a credential nevertheless.
        None if is_pair(text) => Filling::Credential,
        // A word like `changeme` is by chance valid base64, of bytes that are not a text.
        None | Some(Err(_)) => Filling::Placeholder,
    }
}

/// Judges a password or a token.
fn of_secret(text: &str) -> Filling {
    if text.is_empty() {
        Filling::Nothing
    } else if is_placeholder(text.trim()) {
        Filling::Placeholder
    } else {
        Filling::Credential
    }
}

fn is_placeholder(text: &str) -> bool {
    let is_between = |(begin, end): &(&str, &str)| text.starts_with(begin) && text.ends_with(end);
    let is_variable = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        !name.is_empty() && name.bytes().all(fits)
    };
    let is_blank = |c: char| matches!(c, 'x' | 'X' | '*' | '.' | '-' | '_');
    PLACEHOLDERS.iter().any(is_between)
        || REFERENCES.iter().any(|begin| text.starts_with(begin))
        || text.strip_prefix('$').is_some_and(is_variable)
        || (text.len() >= BLANK && text.chars().all(is_blank))
}

/// Decodes base64, with or without padding and with white space, as people paste it.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let padded = BASE64_STANDARD.decode(&text);
    padded
        .or_else(|_| BASE64_STANDARD_NO_PAD.decode(&text))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a row for each case")]
    fn a_credential_is_told_from_a_placeholder_and_from_nothing() {
        let auth = |pair: &str| {
            format!(
                r#"{{"auths":{{"reg.io":{{"auth":"{}"}}}}}}"#,
                BASE64_STANDARD.encode(pair)
            )
        };
        for (text, expected) in [
            ("", Filling::Nothing),
            ("null", Filling::Nothing),
            ("{}", Filling::Nothing),
            (r#"{"auths":{}}"#, Filling::Nothing),
            (r#"{"auths":null}"#, Filling::Nothing),
            (r#"{"auths":{"reg.io":{}}}"#, Filling::Nothing),
            (
                r#"{"auths":{"reg.io":{"username":"u","password":"","auth":""}}}"#,
                Filling::Nothing,
            ),
            (r#"{"credHelpers":{"gcr.io":"gcloud"}}"#, Filling::Nothing),
            (&auth("u:"), Filling::Nothing),
            ("${CONFIG}", Filling::Placeholder),
            ("<base64>", Filling::Placeholder),
            ("changeme", Filling::Placeholder),
            (
                r#"{"auths":{"reg.io":{"auth":"changeme"}}}"#,
                Filling::Placeholder,
            ),
            (
                r#"{"auths":{"reg.io":{"username":"u","password":"$(PW)"}}}"#,
                Filling::Placeholder,
            ),
            (
                r#"{"auths":{"reg.io":{"auth":"<user:password>"}}}"#,
                Filling::Placeholder,
            ),
            (
                r#"{"auths":{"reg.io":{"password":"vault:secret/data/x#pw"}}}"#,
                Filling::Placeholder,
            ),
            (r#"{"auths":"${AUTHS}"}"#, Filling::Placeholder),
            (&auth("u:${PW}"), Filling::Placeholder),
            (&auth("${U}:pw"), Filling::Credential),
            (&auth("u:pw"), Filling::Credential),
            (&BASE64_STANDARD.encode(auth("u:pw")), Filling::Credential),
            (
                r#"{"auths":{"reg.io":{"auth":"user:password"}}}"#,
                Filling::Credential,
            ),
            (
                r#"{"Auths":{"reg.io":{"identityToken":"t"}}}"#,
                Filling::Credential,
            ),
            (
                r#"{"auths":{"a.io":{"password":"<x>"},"b.io":{"password":"y"}}}"#,
                Filling::Credential,
            ),
        ] {
            assert_eq!(Filling::of(text.as_bytes(), false), expected, "{text}");
        }
        let bare = br#"{"reg.io":{"username":"u","password":"p"}}"#;
        assert_eq!(Filling::of(bare, false), Filling::Nothing);
        assert_eq!(Filling::of(bare, true), Filling::Credential);
    }

    #[test]
    fn the_layout_of_a_configuration_is_known() {
        for (text, expected) in [
            (r#"{"auths":{}}"#, Layout::InAuths),
            (r#"{"reg.io":{"auth":"x"}}"#, Layout::Bare),
            (
                r#"{"credHelpers":{"gcr.io":"gcloud"},"credsStore":"desktop"}"#,
                Layout::Helpers,
            ),
            ("{}", Layout::Other),
        ] {
            let document = DockerDocument::read(text.as_bytes()).unwrap();
            assert_eq!(document.layout(), expected, "{text}");
        }
        assert!(DockerDocument::read(b"[]").is_none());
    }
}
