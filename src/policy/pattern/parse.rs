//! Reading an image pattern, and the pattern to write instead of a bad one.

use super::{Host, ImagePattern, split_port};
use crate::kubelet::image::{self, DEFAULT_REGISTRY, LEGACY_REGISTRY};
use crate::kubelet::userinfo::behind_credentials;
use crate::text::glob::Glob;
use std::borrow::Cow;
use std::str::FromStr;

/// Why a text is not an image pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing is written.
    #[error("the pattern is empty")]
    Empty,
    /// ` reg.io `.
    #[error("{0:?} has white space, which no image has")]
    Space(String),
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
        "{0:?} has a `*` in its path; the path is a prefix that ends at a `/`, and a `*` may stand in the host alone"
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
    /// The host is not a host.
    #[error("{0:?} does not begin with a registry host: letters, digits, `-` and `.`")]
    Host(String),
    /// The port is not a port.
    #[error("{0:?} is not a port: a port is a number from 1 to 65535")]
    Port(String),
    /// `reg.io:5000:5000`.
    #[error("{0:?} has two ports")]
    TwoPorts(String),
    /// `index.docker.io/v1/`.
    #[error("{0:?} is the URL of an API; images of Docker Hub have the host docker.io")]
    ApiPath(String),
    /// `reg.io/team/`.
    #[error("{0:?} ends with a `/`; the path already ends at a boundary")]
    TrailingSlash(String),
    /// The path is not the beginning of a repository.
    #[error(
        "{0:?} has a path that no repository has: lower-case letters and digits, with `.`, `_`, `-` between them"
    )]
    Path(String),
}

impl PatternError {
    /// Returns the pattern to write instead, if it is clear: it covers the images that the author meant, and never
    /// more.
    #[must_use]
    pub fn suggestion(&self) -> Option<String> {
        match self {
            Self::Empty | Self::LoneLabel(_) | Self::Port(_) => None,
            Self::Space(text)
            | Self::Scheme(text)
            | Self::Digest(text)
            | Self::Tag(text)
            | Self::NoRegistry(text)
            | Self::GlobInPath(text)
            | Self::DoubleStar(text)
            | Self::Host(text)
            | Self::TwoPorts(text)
            | Self::TrailingSlash(text)
            | Self::ApiPath(text)
            | Self::Path(text) => meant(text),
        }
    }
}

/// The pattern that was probably meant by a text: without the parts that belong to a URL, an image or a shell. `None`
/// where the meaning cannot be told, as of a `*` within a path.
fn meant(text: &str) -> Option<String> {
    let text = text.trim();
    let (is_url, text) = match text.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, text),
    };
    let text = text.split_once('@').map_or(text, |(name, _)| name);
    // `/*` and `/**` are all that is below, which a path covers by itself.
    let below = ["/**", "/*"].iter().find_map(|end| text.strip_suffix(end));
    let text = below.unwrap_or(text).trim_end_matches('/');
    let (registry, path) = text.split_once('/').unwrap_or((text, ""));
    let is_api = matches!(path, "v1" | "v2") && (is_url || is_docker_hub(registry));
    let text = if is_api { registry } else { text };
    let parts: Vec<_> = text.split('/').filter(|part| !part.is_empty()).collect();
    let text = parts.join("/").replace("**", "*").to_lowercase();
    let text = one_port(&text);
    let text = without_tag(&text);
    if let Ok(pattern) = text.parse::<ImagePattern>() {
        return Some(pattern.to_string());
    }
    let is_bare = matches!(
        text.parse::<ImagePattern>(),
        Err(PatternError::NoRegistry(_))
    );
    let image = image::Image::parse(text).ok().filter(|_| is_bare)?;
    // A lone name is an official image, but not where images are below it.
    let pattern = match below {
        Some(_) => format!("{DEFAULT_REGISTRY}/{text}"),
        None => format!("{}/{}", image.registry(), image.repository()),
    };
    let is_pattern = pattern.parse::<ImagePattern>().is_ok();
    is_pattern.then_some(pattern)
}

/// A text with its port once, where the same port was there twice.
fn one_port(text: &str) -> Cow<'_, str> {
    let (registry, path) = text.split_once('/').unwrap_or((text, ""));
    let ports = split_port(registry);
    match (ports, split_port(ports.0)) {
        ((start, Some(port)), (_, Some(again))) if port == again => {
            let slash = if path.is_empty() { "" } else { "/" };
            Cow::Owned(format!("{start}{slash}{path}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// A text without the tag behind its last `:`; a port is not a tag.
fn without_tag(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => {
            let is_port = !name.contains('/') && image::names_registry(name) && is_port(tag);
            if is_port { text } else { name }
        }
        _ => text,
    }
}

fn is_docker_hub(registry: &str) -> bool {
    [DEFAULT_REGISTRY, LEGACY_REGISTRY]
        .iter()
        .any(|known| registry.eq_ignore_ascii_case(known))
}

fn is_port(text: &str) -> bool {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits && text.parse().is_ok_and(|port: u16| port > 0)
}

impl FromStr for ImagePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        // A user and a password may stand before the host of a URL.
        let shown = behind_credentials(text).unwrap_or(text);
        let fault = |kind: fn(String) -> PatternError| Err(kind(shown.to_owned()));
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.contains(char::is_whitespace) {
            return fault(PatternError::Space);
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
        // Docker names its registry by a URL. No name there has two characters, so it is never a path.
        let is_api = path.is_some_and(|path| matches!(path.trim_end_matches('/'), "v1" | "v2"));
        if is_api && is_docker_hub(registry) {
            return fault(PatternError::ApiPath);
        }
        let path = path.map_or(Ok(""), |path| read_path(text, path))?;
        Ok(Self {
            host,
            path: path.into(),
        })
    }
}

fn read_host(text: &str, registry: &str, has_path: bool) -> Result<Host, PatternError> {
    let registry = registry.to_ascii_lowercase();
    let (host, port) = split_port(&registry);
    if registry.starts_with('[') {
        return match port {
            _ if !image::is_registry(&registry) => Err(PatternError::Host(text.to_owned())),
            Some(port) if !is_port(port) => Err(PatternError::Port(port.to_owned())),
            _ => Ok(Host::Exact(registry.into())),
        };
    }
    if host.contains(':') {
        return Err(PatternError::TwoPorts(text.to_owned()));
    }
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())) {
        // `nginx:1.25` and `reg.io:latest` are images with a tag.
        let is_tag = !has_path && !port.unwrap_or_default().contains('*');
        return Err(match is_tag {
            true if image::names_registry(host) => PatternError::Tag(text.to_owned()),
            true => PatternError::NoRegistry(text.to_owned()),
            false => PatternError::Port(port.unwrap_or_default().to_owned()),
        });
    }
    if let Some(port) = port.filter(|port| !is_port(port)) {
        return Err(PatternError::Port(port.to_owned()));
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
