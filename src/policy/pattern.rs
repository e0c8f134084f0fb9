//! Image patterns of registry rules: `host[:port][/path prefix]`, with `*` within the labels of the host.

use crate::kubelet::image::{self, DEFAULT_REGISTRY, LEGACY_REGISTRY};
use crate::text::glob::Glob;
use std::fmt;
use std::str::FromStr;

/// Which images a registry rule covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImagePattern {
    host: Host,
    /// Without slashes at its ends; empty covers every repository.
    path: Box<str>,
}

/// The host part of a pattern, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// `host[:port]` as it is compared with the registry of an image.
    Exact(Box<str>),
    /// A host with at least one `*`.
    Glob {
        /// One glob a label, from left to right.
        labels: Vec<Glob>,
        /// The port, where one is written; none is not any.
        port: Option<Box<str>>,
    },
}

/// Why a text is no image pattern, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing is written.
    #[error("the pattern is empty")]
    Empty,
    /// `https://reg.io`.
    #[error("{0:?} has a scheme; a pattern begins with the registry host")]
    Scheme(String),
    /// `reg.io/app@sha256:…`.
    #[error("{0:?} has a digest; a pattern covers all versions of an image")]
    Digest(String),
    /// `reg.io/app:1.2`.
    #[error("{0:?} has a tag; a pattern covers all versions of an image")]
    Tag(String),
    /// `nginx`, `team/app`.
    #[error("{0:?} names no registry; a pattern begins with the registry host")]
    NoRegistry(String),
    /// `reg.io/team-*`.
    #[error(
        "{0:?} has a `*` in its path; the path is a prefix, and a `*` is only known in the host"
    )]
    GlobInPath(String),
    /// `**.reg.io`.
    #[error(
        "{0:?} has a `**`; a `*` stands for characters within one label of the host and never crosses a dot"
    )]
    DoubleStar(String),
    /// `*`: a lone label is never a registry.
    #[error(
        "{0:?} is one label, and a `*` never crosses a dot: write the domain too, like `*.azurecr.io`"
    )]
    LoneLabel(String),
    /// The host is none.
    #[error("{0:?} is no registry host")]
    Host(String),
    /// The port is none.
    #[error("{0:?} is no port: a port is digits")]
    Port(String),
    /// `reg.io/team/`.
    #[error("{0:?} ends with a `/`; the path already ends at a boundary")]
    TrailingSlash(String),
    /// The path can be no repository.
    #[error(
        "{0:?} is no path of a repository: lower-case letters and digits, with `.`, `_`, `-` between them"
    )]
    Path(String),
}

impl ImagePattern {
    /// The host part.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The path prefix, empty where the pattern covers a whole registry.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it covers an image of this registry and repository.
    #[must_use]
    pub fn covers(&self, registry: &str, repository: &str) -> bool {
        self.host.covers(&registry.to_ascii_lowercase()) && is_path_prefix(&self.path, repository)
    }
}

impl Host {
    /// Whether it is the host of a registry given in lower case.
    #[must_use]
    pub fn covers(&self, registry: &str) -> bool {
        match self {
            Self::Exact(host) => **host == *registry,
            Self::Glob { labels, port } => {
                let (host, port_of_image) = split_port(registry);
                port.as_deref() == port_of_image
                    && host.split('.').count() == labels.len()
                    && host
                        .split('.')
                        .zip(labels)
                        .all(|(label, glob)| glob.matches(label))
            }
        }
    }

    /// How many characters are not `*`: the more, the more specific.
    #[must_use]
    pub fn literals(&self) -> usize {
        match self {
            Self::Exact(host) => host.len(),
            Self::Glob { labels, port } => {
                let in_label = |glob: &Glob| glob.as_str().bytes().filter(|b| *b != b'*').count();
                labels.iter().map(in_label).sum::<usize>() + port.as_deref().map_or(0, str::len)
            }
        }
    }
}

/// Whether `prefix` is the beginning of `path` and ends at a `/` boundary of it.
fn is_path_prefix(prefix: &str, path: &str) -> bool {
    prefix.is_empty()
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Host and port of a registry; an IPv6 address keeps its colons.
#[must_use]
pub fn split_port(registry: &str) -> (&str, Option<&str>) {
    match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (registry, None),
    }
}

impl PatternError {
    /// What to write instead, where that can be told.
    #[must_use]
    pub fn suggestion(&self) -> Option<String> {
        let suggestion = match self {
            Self::Scheme(text) => text.split_once("://")?.1.to_owned(),
            Self::Digest(text) => text.split_once('@')?.0.to_owned(),
            Self::Tag(text) => text.rsplit_once(':')?.0.to_owned(),
            Self::NoRegistry(text) => image::Image::parse(text)
                .map(|image| format!("{}/{}", image.registry(), image.repository()))
                .ok()?,
            Self::GlobInPath(text) => {
                let fixed = text
                    .split('/')
                    .enumerate()
                    .take_while(|(i, part)| *i == 0 || !part.contains('*'));
                fixed.map(|(_, part)| part).collect::<Vec<_>>().join("/")
            }
            Self::DoubleStar(text) => text.replace("**", "*"),
            Self::TrailingSlash(text) => text.trim_end_matches('/').to_owned(),
            Self::Path(text) => text.to_lowercase(),
            Self::Empty | Self::Host(_) | Self::LoneLabel(_) | Self::Port(_) => return None,
        };
        suggestion
            .parse::<ImagePattern>()
            .is_ok()
            .then_some(suggestion)
    }
}

impl FromStr for ImagePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let fault = |kind: fn(String) -> PatternError| Err(kind(text.to_owned()));
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.contains("://") {
            return fault(PatternError::Scheme);
        }
        if text.contains('@') {
            return fault(PatternError::Digest);
        }
        if text.contains("**") {
            return fault(PatternError::DoubleStar);
        }
        let (registry, path) = text
            .split_once('/')
            .map_or((text, None), |(host, path)| (host, Some(path)));
        if !image::names_registry(registry) && !registry.contains('*') {
            return fault(PatternError::NoRegistry);
        }
        let host = read_host(text, registry, path.is_some())?;
        let path = path.map_or(Ok(""), |path| read_path(text, path))?;
        Ok(Self {
            host,
            path: path.into(),
        })
    }
}

fn read_host(text: &str, registry: &str, has_path: bool) -> Result<Host, PatternError> {
    let registry = registry.to_ascii_lowercase();
    if registry.starts_with('[') {
        let valid = image::is_registry(&registry);
        return if valid {
            Ok(Host::Exact(registry.into()))
        } else {
            Err(PatternError::Host(text.to_owned()))
        };
    }
    let (host, port) = split_port(&registry);
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())) {
        // `nginx:1.25` and `reg.io:latest` are images with a tag.
        let is_tag = !has_path && !port.unwrap_or_default().contains('*');
        return Err(match is_tag {
            true if image::names_registry(host) => PatternError::Tag(text.to_owned()),
            true => PatternError::NoRegistry(text.to_owned()),
            false => PatternError::Port(port.unwrap_or_default().to_owned()),
        });
    }
    if host.contains('*') && !host.contains('.') && port.is_none() {
        return Err(PatternError::LoneLabel(text.to_owned()));
    }
    // A `*` stands for letters, so with one in its place the host has to be a host.
    if !image::is_registry(&host.replace('*', "x")) {
        return Err(PatternError::Host(text.to_owned()));
    }
    if host.contains('*') {
        let labels = host.split('.').map(Glob::new).collect();
        return Ok(Host::Glob {
            labels,
            port: port.map(Into::into),
        });
    }
    Ok(Host::Exact(if registry == LEGACY_REGISTRY {
        DEFAULT_REGISTRY.into()
    } else {
        registry.into()
    }))
}

fn read_path<'a>(text: &str, path: &'a str) -> Result<&'a str, PatternError> {
    let fault = |kind: fn(String) -> PatternError| Err(kind(text.to_owned()));
    if path.contains('*') {
        fault(PatternError::GlobInPath)
    } else if path.contains(':') {
        fault(PatternError::Tag)
    } else if path.ends_with('/') || path.is_empty() {
        fault(PatternError::TrailingSlash)
    } else if image::is_repository(path) {
        Ok(path)
    } else {
        fault(PatternError::Path)
    }
}

impl fmt::Display for ImagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Exact(host) => f.write_str(host)?,
            Host::Glob { labels, port } => {
                f.write_str(
                    &labels
                        .iter()
                        .map(Glob::as_str)
                        .collect::<Vec<_>>()
                        .join("."),
                )?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
            }
        }
        if self.path.is_empty() {
            Ok(())
        } else {
            write!(f, "/{}", self.path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::image::Image;

    #[test]
    fn patterns_cover_what_they_say() {
        for (pattern, image, expected) in [
            ("reg.io", "reg.io/x", true),
            ("reg.io", "REG.io/x", true),
            ("REG.io", "reg.io/x", true),
            ("reg.io", "reg.io:443/x", false),
            ("reg.io:443", "reg.io/x", false),
            ("reg.io/team", "reg.io/team/app", true),
            ("reg.io/team", "reg.io/team", true),
            ("reg.io/team", "reg.io/team-b/app", false),
            ("reg.io/team/app", "reg.io/team", false),
            (
                "*.dkr.ecr.*.amazonaws.com",
                "1.dkr.ecr.eu-west-1.amazonaws.com/x",
                true,
            ),
            (
                "*.dkr.ecr.*.amazonaws.com",
                "1.dkr.ecr.eu.west.amazonaws.com/x",
                false,
            ),
            ("*.azurecr.io", "a.b.azurecr.io/x", false),
            ("contoso*.azurecr.io", "contoso-eu.azurecr.io/x", true),
            ("*.io:5000", "reg.io:5000/x", true),
            ("*.io:5000", "reg.io/x", false),
            ("docker.io/library", "nginx", true),
            ("index.docker.io", "team/app", true),
            ("docker.io/library", "library-evil/nginx", false),
            ("[::1]:5000", "[::1]:5000/x", true),
            ("localhost", "localhost/x", true),
            // An upper-case letter makes a registry of what would else be a repository; found by fuzzing.
            ("FOO", "Foo/x", true),
            ("FOO", "foo/x", false),
        ] {
            let parsed: ImagePattern = pattern
                .parse()
                .unwrap_or_else(|error| panic!("{pattern}: {error}"));
            let image = Image::parse(image).unwrap();
            assert_eq!(
                parsed.covers(image.registry(), image.repository()),
                expected,
                "{pattern} {image}"
            );
        }
    }

    /// Trap 5.
    #[test]
    fn a_host_is_compared_whole_and_never_as_a_string_prefix() {
        let pattern: ImagePattern = "reg.io".parse().unwrap();
        for other in [
            "reg.io.evil.com/x",
            "reg.iot/x",
            "evilreg.io/x",
            "evil.com/reg.io/x",
            "reg.io-x.com/y",
        ] {
            let image = Image::parse(other).unwrap();
            assert!(
                !pattern.covers(image.registry(), image.repository()),
                "{other}"
            );
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a row for each fault")]
    fn each_fault_has_its_suggestion() {
        for (text, fault, suggestion) in [
            ("", PatternError::Empty, None),
            (
                "https://reg.io/x",
                PatternError::Scheme("https://reg.io/x".into()),
                Some("reg.io/x"),
            ),
            (
                "reg.io/x@sha256:ab",
                PatternError::Digest("reg.io/x@sha256:ab".into()),
                Some("reg.io/x"),
            ),
            (
                "reg.io/x:1",
                PatternError::Tag("reg.io/x:1".into()),
                Some("reg.io/x"),
            ),
            (
                "reg.io:latest",
                PatternError::Tag("reg.io:latest".into()),
                Some("reg.io"),
            ),
            (
                "nginx",
                PatternError::NoRegistry("nginx".into()),
                Some("docker.io/library/nginx"),
            ),
            (
                "nginx:1.25",
                PatternError::NoRegistry("nginx:1.25".into()),
                Some("docker.io/library/nginx"),
            ),
            (
                "team/app",
                PatternError::NoRegistry("team/app".into()),
                Some("docker.io/team/app"),
            ),
            (
                "reg.io/team-*",
                PatternError::GlobInPath("reg.io/team-*".into()),
                Some("reg.io"),
            ),
            (
                "**.reg.io",
                PatternError::DoubleStar("**.reg.io".into()),
                Some("*.reg.io"),
            ),
            ("*", PatternError::LoneLabel("*".into()), None),
            ("reg_x.io/y", PatternError::Host("reg_x.io/y".into()), None),
            ("reg.io:*", PatternError::Port("*".into()), None),
            (
                "reg.io/team/",
                PatternError::TrailingSlash("reg.io/team/".into()),
                Some("reg.io/team"),
            ),
            (
                "reg.io/",
                PatternError::TrailingSlash("reg.io/".into()),
                Some("reg.io"),
            ),
            (
                "reg.io/Team",
                PatternError::Path("reg.io/Team".into()),
                Some("reg.io/team"),
            ),
        ] {
            assert_eq!(text.parse::<ImagePattern>(), Err(fault.clone()), "{text}");
            assert_eq!(fault.suggestion().as_deref(), suggestion, "{text}");
        }
    }
}
