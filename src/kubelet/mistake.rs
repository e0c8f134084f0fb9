//! The mistakes in texts that are not image references, and the references that were probably meant.
//!
//! The kubelet says "invalid reference format" about almost every mistake. People paste URLs, put a digest after a `:`
//! or a tag after a digest, or leave a variable empty; this module names each of these. It suggests a reference only if
//! the text can hardly mean anything else.

use super::image::{Image, ImageError};

/// The mistake in a text that is not a valid image reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The fault, in words that follow the image in a sentence: "it has two digests".
    pub what: String,
    /// The reference that was probably meant.
    pub meant: Option<String>,
}

/// Schemes that people put before a reference. Other schemes name something that is not an image yet.
const SCHEMES: [&str; 4] = ["http", "https", "docker", "oci"];
/// The beginnings of variables and templates.
const PLACEHOLDERS: [&str; 7] = ["${", "$(", "{{", "<", "$", "{", "%"];
/// The algorithms of digests, and the number of their hex digits.
const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

impl Mistake {
    /// Finds the mistake in a text, for which [`Image::parse`] gave this error.
    #[must_use]
    pub fn of(text: &str, error: &ImageError) -> Self {
        // A user who may create a Pod can write an image of 3 MiB, and each check of it takes time.
        if text.len() > MAX_LENGTH {
            let what = format!("it has more than {MAX_LENGTH} bytes");
            return Self { what, meant: None };
        }
        let found = of_ends(text)
            .or_else(|| of_scheme(text))
            .or_else(|| of_digest(text))
            .or_else(|| of_tag(text))
            .or_else(|| of_path(text));
        let (what, meant) = found.unwrap_or_else(|| (of_characters(text, error), None));
        let is_reference = |meant: &String| Image::parse(meant).is_ok();
        Self {
            what,
            meant: meant.filter(is_reference),
        }
    }
}

/// The most bytes of a text that is checked. Repository, tag and digest have a limit, and hosts of this length do not
/// exist.
const MAX_LENGTH: usize = 1024;

/// Returns the mistake in words, and the reference that was probably meant.
type Found = Option<(String, Option<String>)>;

fn of_ends(text: &str) -> Found {
    if text.trim().is_empty() {
        return Some(("it is empty".to_owned(), None));
    }
    if text.trim() != text {
        let what = "it has white space at one of its ends";
        return Some((what.to_owned(), Some(text.trim().to_owned())));
    }
    let placeholder = PLACEHOLDERS.iter().find(|begin| text.contains(*begin))?;
    let what = format!("it has a placeholder ({placeholder}) that is not filled in");
    Some((what, None))
}

fn of_scheme(text: &str) -> Found {
    let (scheme, rest) = text.split_once("://")?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if scheme.is_empty() || !scheme.bytes().all(is_word) {
        return None;
    }
    if scheme == "ko" {
        let what = "`ko://` is for ko: apply what `ko resolve` makes of it";
        return Some((what.to_owned(), None));
    }
    let is_common = SCHEMES.contains(&&*scheme.to_ascii_lowercase());
    let meant = is_common.then(|| rest.trim_end_matches('/').to_owned());
    Some((
        format!("it begins with a scheme ({scheme}://), and a reference has none"),
        meant,
    ))
}

fn of_digest(text: &str) -> Found {
    let Some((name, digest)) = text.split_once('@') else {
        return digest_as_tag(text);
    };
    if digest.is_empty() {
        return Some(("nothing follows its `@`".to_owned(), Some(name.to_owned())));
    }
    if digest.contains('@') {
        return Some(("it has more than one `@`".to_owned(), None));
    }
    let Some((algorithm, hex)) = digest.split_once(':') else {
        let what = "a digest has to follow the `@`, like sha256:…, and a tag has to follow a `:`";
        let meant = (!has_tag(name)).then(|| format!("{name}:{digest}"));
        return Some((what.to_owned(), meant));
    };
    let lower = algorithm.to_ascii_lowercase();
    if let Some(rest) = hex.strip_prefix(&format!("{algorithm}:")) {
        let what = format!("its digest has {algorithm}: twice");
        return Some((what, Some(format!("{name}@{algorithm}:{rest}"))));
    }
    if let Some((hex, tag)) = hex.split_once(':') {
        let meant = (!has_tag(name)).then(|| format!("{name}:{tag}@{algorithm}:{hex}"));
        return Some(("its tag has to come before the digest".to_owned(), meant));
    }
    let known = ALGORITHMS.iter().find(|(known, _)| *known == lower);
    let Some((_, digits)) = known else {
        let what = "its digest is of an algorithm that nodes do not know: sha256, sha384 and sha512 are known";
        return Some((what.to_owned(), None));
    };
    if let Some(other) = hex.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Some((
            format!("its digest has the character {other:?}, which is not a hex digit"),
            None,
        ));
    }
    if hex.len() != *digits {
        let count = hex.len();
        return Some((
            format!("its digest has {count} hex digits, and one of {lower} has {digits}"),
            None,
        ));
    }
    let digest = digest.to_ascii_lowercase();
    let is_lower = text.ends_with(&digest);
    let what = "its digest has to be in lower case";
    (!is_lower).then(|| (what.to_owned(), Some(format!("{name}@{digest}"))))
}

/// Finds a digest after a `:`: `app:sha256:…`.
fn digest_as_tag(text: &str) -> Found {
    let begins = ALGORITHMS
        .iter()
        .filter_map(|(algorithm, _)| text.find(&format!(":{algorithm}:")));
    let at = begins.min()?;
    let meant = format!("{}@{}", &text[..at], &text[at + 1..]);
    Some(("a digest has to follow an `@`".to_owned(), Some(meant)))
}

fn of_tag(text: &str) -> Found {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = text[last..].split_once(':')?;
    let name = format!("{}{name}", &text[..last]);
    if tag.is_empty() {
        return Some(("nothing follows its last `:`".to_owned(), Some(name)));
    }
    if tag.contains(':') {
        return Some(("it has two tags".to_owned(), None));
    }
    (tag.len() > 128).then(|| ("its tag has more than 128 characters".to_owned(), None))
}

fn of_path(text: &str) -> Found {
    if text.starts_with('/') {
        let what = "it begins with a `/`: the registry before it is missing";
        return Some((what.to_owned(), None));
    }
    if text.ends_with('/') {
        let what = "it ends with a `/`: the name of the image is missing";
        return Some((what.to_owned(), None));
    }
    text.contains("//").then(|| {
        let parts = text.split('/').filter(|part| !part.is_empty());
        let meant = parts.collect::<Vec<_>>().join("/");
        (
            "it has an empty part in its path (`//`)".to_owned(),
            Some(meant),
        )
    })
}

fn of_characters(text: &str, error: &ImageError) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || "._-/:@".contains(*c);
    if let Some(other) = text.chars().find(|c| !fits(c)) {
        return format!("it has the character {other:?}");
    }
    match error {
        ImageError::RepositoryNotLowercase(_) | ImageError::NameNotLowercase => {
            "its repository has upper-case letters"
        }
        ImageError::ImageId(_) => "64 hex digits are the id of an image, which cannot be pulled",
        ImageError::RepositoryTooLong => "its repository has more than 255 characters",
        ImageError::Format
        | ImageError::DigestAlgorithm
        | ImageError::DigestLength
        | ImageError::DigestFormat => {
            "a part of it begins or ends with `.`, `_` or `-`, or has several of them side by side"
        }
    }
    .to_owned()
}

/// Returns whether a name has a tag, and not only a registry with a port.
fn has_tag(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or_default();
    last.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> (String, Option<String>) {
        let error = Image::parse(text).expect_err(text);
        let Mistake { what, meant } = Mistake::of(text, &error);
        (what, meant)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a row for each mistake")]
    fn each_mistake_is_told() {
        let hex = "a".repeat(64);
        let with = |text: &str| text.replace('#', &hex);
        for (text, what, meant) in [
            ("", "it is empty", None),
            (
                " nginx",
                "it has white space at one of its ends",
                Some("nginx"),
            ),
            ("busybox\":\"latest", "it has the character '\"'", None),
            ("None:None", "its repository has upper-case letters", None),
            (
                "https://harbor.acme.test/release/app:1.1.0",
                "it begins with a scheme (https://), and a reference has none",
                Some("harbor.acme.test/release/app:1.1.0"),
            ),
            (
                "oci://reg.io/x/",
                "it begins with a scheme (oci://), and a reference has none",
                Some("reg.io/x"),
            ),
            (
                "s3://bucket/x",
                "it begins with a scheme (s3://), and a reference has none",
                None,
            ),
            (
                "ko://acme.test/cmd/controller",
                "`ko://` is for ko: apply what `ko resolve` makes of it",
                None,
            ),
            (
                "/spire-server:latest",
                "it begins with a `/`: the registry before it is missing",
                None,
            ),
            (
                "reg.io/",
                "it ends with a `/`: the name of the image is missing",
                None,
            ),
            (
                "${PREFIX}/app:latest",
                "it has a placeholder (${) that is not filled in",
                None,
            ),
            (
                "{IMAGE}",
                "it has a placeholder ({) that is not filled in",
                None,
            ),
            (
                "{{ .Values.image }}",
                "it has a placeholder ({{) that is not filled in",
                None,
            ),
            (
                "some/image:sha256:#",
                "a digest has to follow an `@`",
                Some("some/image@sha256:#"),
            ),
            (
                "quay.io/kiali/kiali@sha256:#:v1.59.0",
                "its tag has to come before the digest",
                Some("quay.io/kiali/kiali:v1.59.0@sha256:#"),
            ),
            (
                "a:1@sha256:#:2",
                "its tag has to come before the digest",
                None,
            ),
            (
                "grafana/agent@sha256:sha256:#",
                "its digest has sha256: twice",
                Some("grafana/agent@sha256:#"),
            ),
            (
                "reg.io/x@SHA256:#",
                "its digest has to be in lower case",
                Some("reg.io/x@sha256:#"),
            ),
            (
                "reg.io/x@sha256:abc",
                "its digest has 3 hex digits, and one of sha256 has 64",
                None,
            ),
            (
                "reg.io/x@sha256:abz",
                "its digest has the character 'z', which is not a hex digit",
                None,
            ),
            (
                "reg.io/x@sha256:",
                "its digest has 0 hex digits, and one of sha256 has 64",
                None,
            ),
            (
                "x@md5:#",
                "its digest is of an algorithm that nodes do not know: sha256, sha384 and sha512 are known",
                None,
            ),
            ("repo:tag@", "nothing follows its `@`", Some("repo:tag")),
            (
                "repo@latest",
                "a digest has to follow the `@`, like sha256:…, and a tag has to follow a `:`",
                Some("repo:latest"),
            ),
            ("a@b@c", "it has more than one `@`", None),
            (
                "reg.io:5000/x:",
                "nothing follows its last `:`",
                Some("reg.io:5000/x"),
            ),
            ("nginx:1:2", "it has two tags", None),
            (
                "registry.acme.test//app",
                "it has an empty part in its path (`//`)",
                Some("registry.acme.test/app"),
            ),
            (
                "reg.io/Team/app",
                "its repository has upper-case letters",
                None,
            ),
            (
                "#",
                "64 hex digits are the id of an image, which cannot be pulled",
                None,
            ),
            (
                "reg.io/a..b",
                "a part of it begins or ends with `.`, `_` or `-`, or has several of them side by side",
                None,
            ),
        ] {
            let meant = meant.map(with);
            assert_eq!(told(&with(text)), (what.to_owned(), meant), "{text}");
        }
        let long = format!("reg.io/{}", "a".repeat(300));
        assert_eq!(told(&long.repeat(4)).0, "it has more than 1024 bytes");
        assert_eq!(told(&long).0, "its repository has more than 255 characters");
        assert_eq!(
            told(&format!("nginx:{}", "a".repeat(129))).0,
            "its tag has more than 128 characters"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_text_has_a_mistake_or_is_a_reference(text in "([a-zA:/@.é$ ]|sha256:|://){0,12}") {
            if let Err(error) = Image::parse(&text) {
                let Mistake { what, meant } = Mistake::of(&text, &error);
                prop_assert!(!what.is_empty());
                prop_assert!(meant.is_none_or(|meant| Image::parse(&meant).is_ok()));
            }
        }
    }
}
