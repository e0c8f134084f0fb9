//! Image references, read as the kubelet reads them.
//!
//! The grammar is that of `distribution/reference` v0.6.0 (its `regexp.go`), the version that the kubelet vendors:
//!
//! ```text
//! reference       := [ registry "/" ] repository [ ":" tag ] [ "@" digest ]
//! registry        := host [ ":" port ]
//! host            := domain-name | "[" IPv6 "]"
//! domain-name     := domain-component *( "." domain-component )
//! domain-component:= /[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]/
//! port            := /[0-9]+/
//! repository      := path-component *( "/" path-component )            at most 255 bytes
//! path-component  := /[a-z0-9]+/ *( separator /[a-z0-9]+/ )
//! separator       := "." | "_" | "__" | /-+/
//! tag             := /[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}/
//! digest          := algorithm ":" hex, of a registered algorithm (sha256, sha384, sha512) and its length
//! ```
//!
//! and it is normalised as `ParseNormalizedNamed` does: the first component names a registry only if it contains a
//! `.` or `:`, equals `localhost` or has an upper-case letter; otherwise the registry is `docker.io`.
//! `index.docker.io` is `docker.io`, and a lone name there is in `library/`.

use std::borrow::Cow;
use std::fmt;

/// The registry that a name without one belongs to.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// The old name of Docker Hub; read as [`DEFAULT_REGISTRY`].
pub const LEGACY_REGISTRY: &str = "index.docker.io";
/// The path of a lone name on Docker Hub.
const OFFICIAL_PREFIX: &str = "library/";
/// `RepositoryNameTotalLengthMax` in distribution/reference; since v0.6.0 the registry does not count.
pub const MAX_REPOSITORY: usize = 255;
/// The tag's grammar allows one character and 127 more.
const MAX_TAG: usize = 128;
/// The grammar (not the algorithm) already asks for this many hex digits.
pub const MIN_DIGEST_HEX: usize = 32;

/// A parsed, normalised image reference that borrows from the text it was read from.
///
/// [`Display`](fmt::Display) writes it in full; parsing that gives the same value again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Image<'a> {
    registry: &'a str,
    repository: Cow<'a, str>,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

/// The reason why a text is not a valid image reference, in the words of the kubelet;
/// [`Mistake`](super::mistake::Mistake) says more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The text does not follow the grammar.
    #[error("invalid reference format")]
    Format,
    /// The repository has an upper-case letter.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    RepositoryNotLowercase(String),
    /// The first part looks like a registry but is not one, and has upper-case letters, which a repository cannot have.
    #[error("repository name must be lowercase")]
    NameNotLowercase,
    /// 64 hex digits: an image id, which cannot be pulled.
    #[error("invalid repository name ({0}), cannot specify 64-byte hexadecimal strings")]
    ImageId(String),
    /// The repository is longer than 255 bytes.
    #[error("repository name must not be more than {MAX_REPOSITORY} characters")]
    RepositoryTooLong,
    /// A digest of an algorithm that is not registered.
    #[error("unsupported digest algorithm")]
    DigestAlgorithm,
    /// A digest with too few or too many digits for its algorithm.
    #[error("invalid checksum digest length")]
    DigestLength,
    /// A digest with upper-case digits or an upper-case algorithm.
    #[error("invalid checksum digest format")]
    DigestFormat,
}

impl<'a> Image<'a> {
    /// Reads and normalises a reference.
    ///
    /// # Errors
    /// The fault, as `ParseNormalizedNamed` of distribution/reference v0.6.0 would name it.
    pub fn parse(text: &'a str) -> Result<Self, ImageError> {
        if text.len() == 64 && text.bytes().all(is_lower_hex) {
            return Err(ImageError::ImageId(text.to_owned()));
        }
        let (registry, rest) = split_registry(text);
        let parts = split_suffixes(rest);
        let names_registry = is_registry(registry);
        let remote = cut(rest, b':').map_or(rest, |(remote, _)| remote);
        if !is_lowercase(remote)
            || !(names_registry || is_repository(registry))
            || !parts.are_valid()
        {
            return Err(fault(registry, rest, remote));
        }
        let Suffixed {
            repository,
            tag,
            digest,
        } = parts;
        let (registry, repository) = if names_registry {
            (registry, official(registry, rest, repository))
        } else {
            // The grammar has no registry in `foo_bar.com/x`, so Go takes all of it as the repository.
            (
                "",
                Cow::Borrowed(&text[..registry.len() + 1 + repository.len()]),
            )
        };
        if repository.len() > MAX_REPOSITORY {
            return Err(ImageError::RepositoryTooLong);
        }
        digest.map_or(Ok(()), check_digest)?;
        Ok(Self {
            registry,
            repository,
            tag,
            digest,
        })
    }

    /// Returns the registry with its port, as written (`docker.io` if none is written), or `""` if the grammar of Go
    /// leaves it empty (`foo_bar.com/x`): such an image belongs to no registry that a rule could name.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.registry
    }

    /// Returns the path within the registry: `library/nginx`.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// Returns the tag, if one is written.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.tag
    }

    /// Returns the digest, if one is written.
    #[must_use]
    pub fn digest(&self) -> Option<&'a str> {
        self.digest
    }
}

impl fmt::Display for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.registry.is_empty() {
            write!(f, "{}/", self.registry)?;
        }
        f.write_str(&self.repository)?;
        if let Some(tag) = self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Returns whether the first component of a name is a registry and not a namespace on Docker Hub.
#[must_use]
pub fn names_registry(component: &str) -> bool {
    let has_mark = component.bytes().any(|b| matches!(b, b'.' | b':'));
    component == "localhost" || has_mark || !is_lowercase(component)
}

/// Returns whether `text` is a registry by the grammar: host and optional port.
#[must_use]
pub fn is_registry(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((address, after)) = rest.split_once(']') else {
            return false;
        };
        let address_ok =
            !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
        return address_ok && (after.is_empty() || after.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = cut(text, b':').map_or((text, None), |(host, port)| (host, Some(port)));
    is_domain_name(host) && port.is_none_or(is_port)
}

/// Returns whether `text` is a repository by the grammar (its length is not checked).
#[must_use]
pub fn is_repository(text: &str) -> bool {
    let mut rest = text.as_bytes();
    loop {
        let (word, behind) = run(rest, is_lower_alphanumeric);
        let (separator, next) = run(behind, |byte| !is_lower_alphanumeric(byte));
        let is_separator = match separator {
            b"/" | b"." | b"_" | b"__" => true,
            dashes => dashes.iter().all(|byte| *byte == b'-'),
        };
        if word.is_empty() || !is_separator {
            return false;
        }
        if separator.is_empty() {
            return true;
        }
        rest = next;
    }
}

/// Splits a name like `splitDockerDomain`, except for `library/`, which [`official`] adds later to avoid a copy.
fn split_registry(text: &str) -> (&str, &str) {
    match cut(text, b'/') {
        Some((LEGACY_REGISTRY, rest)) => (DEFAULT_REGISTRY, rest),
        Some((first, rest)) if names_registry(first) => (first, rest),
        _ => (DEFAULT_REGISTRY, text),
    }
}

/// Returns the error of a reference that does not follow the grammar, or that has a repository in upper case.
#[cold]
fn fault(registry: &str, rest: &str, remote: &str) -> ImageError {
    if !is_lowercase(remote) {
        let mut name = remote.to_owned();
        if registry == DEFAULT_REGISTRY && !rest.contains('/') {
            name.insert_str(0, OFFICIAL_PREFIX);
        }
        return ImageError::RepositoryNotLowercase(name);
    }
    let (registry, rest) = (fold(registry), fold(rest));
    let names_something = is_registry(&registry) || is_repository(&registry);
    if names_something && split_suffixes(&rest).are_valid() {
        ImageError::NameNotLowercase
    } else {
        ImageError::Format
    }
}

/// Returns the repository, in `library/` if it is a lone name on Docker Hub. Go looks for the `/` in all that follows
/// the registry, tag and digest included; neither can hold one.
fn official<'a>(registry: &str, rest: &str, repository: &'a str) -> Cow<'a, str> {
    if registry == DEFAULT_REGISTRY && !rest.contains('/') {
        Cow::Owned(format!("{OFFICIAL_PREFIX}{repository}"))
    } else {
        Cow::Borrowed(repository)
    }
}

/// The part of a reference behind the registry.
struct Suffixed<'a> {
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

/// Splits it into its parts, without a check of the parts.
fn split_suffixes(rest: &str) -> Suffixed<'_> {
    let (name, digest) =
        cut(rest, b'@').map_or((rest, None), |(name, digest)| (name, Some(digest)));
    let (repository, tag) =
        cut(name, b':').map_or((name, None), |(repository, tag)| (repository, Some(tag)));
    Suffixed {
        repository,
        tag,
        digest,
    }
}

impl Suffixed<'_> {
    /// Returns whether each part follows the grammar.
    fn are_valid(&self) -> bool {
        is_repository(self.repository)
            && self.tag.is_none_or(is_tag)
            && self.digest.is_none_or(is_digest)
    }
}

/// Splits a text at an ASCII character. A search for a `char` takes twice as long in texts that are this short.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = text.bytes().position(|byte| byte == at)?;
    Some((&text[..place], &text[place + 1..]))
}

/// Returns the first bytes of a kind, and the rest.
fn run(bytes: &[u8], is_kind: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !is_kind(*byte));
    bytes.split_at(end.unwrap_or(bytes.len()))
}

/// Returns whether a text is components of letters, digits and inner dashes, with a dot between each two.
fn is_domain_name(text: &str) -> bool {
    let mut before = b'.';
    for byte in text.bytes() {
        let fits = match byte {
            b'.' => before != b'.' && before != b'-',
            b'-' => before != b'.',
            _ => byte.is_ascii_alphanumeric(),
        };
        if !fits {
            return false;
        }
        before = byte;
    }
    before != b'.' && before != b'-'
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= MAX_TAG
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

/// Returns whether a text is a digest by the grammar; [`check_digest`] checks the algorithm and the number of digits.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else {
        return false;
    };
    let is_algorithm_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    algorithm.split(['-', '_', '+', '.']).all(is_algorithm_part)
        && hex.len() >= MIN_DIGEST_HEX
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Checks a digest like `Digest.Validate` of go-digest v1.0.0, with sha256, sha384 and sha512 linked in, as in the
/// kubelet.
fn check_digest(digest: &str) -> Result<(), ImageError> {
    let (algorithm, hex) = digest.split_once(':').ok_or(ImageError::DigestFormat)?;
    let digits = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ if algorithm.bytes().any(|b| b.is_ascii_uppercase()) => {
            return Err(ImageError::DigestFormat);
        }
        _ => return Err(ImageError::DigestAlgorithm),
    };
    if hex.len() != digits {
        return Err(ImageError::DigestLength);
    }
    if hex.bytes().all(is_lower_hex) {
        Ok(())
    } else {
        Err(ImageError::DigestFormat)
    }
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Returns whether Go's `strings.ToLower(text) == text`.
fn is_lowercase(text: &str) -> bool {
    if text.is_ascii() {
        return !text.bytes().any(|b| b.is_ascii_uppercase());
    }
    text.chars().all(|c| lower(c) == c)
}

/// Converts a character like Go's `strings.ToLower`: to one character, where Rust's own function may give several.
fn lower(c: char) -> char {
    if c.is_ascii() {
        c.to_ascii_lowercase()
    } else {
        c.to_lowercase().next().unwrap_or(c)
    }
}

fn fold(text: &str) -> Cow<'_, str> {
    if is_lowercase(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(lower).collect())
    }
}
