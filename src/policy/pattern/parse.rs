//! Reading an image pattern, and the pattern to write instead of a bad one.

use super::{Host, ImagePattern, split_port};
use crate::kubelet::image::{self, DEFAULT_REGISTRY, LEGACY_REGISTRY};
use crate::text::glob::Glob;
use std::str::FromStr;

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
