//! Image patterns of registry rules: `host[:port][/path prefix]`, with `*` within the labels of the host.

mod parse;

use crate::text::glob::Glob;
use std::fmt;

pub use parse::PatternError;

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

/// The order of patterns that cover the same image: the greatest wins. The fields count in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    /// The length of the path in bytes.
    pub path: usize,
    /// Whether the host has no `*`.
    pub is_exact: bool,
    /// The characters of the host that are not `*`; not compared between exact hosts.
    pub literals: usize,
}

impl ImagePattern {
    /// The place of the pattern among those that cover the same image.
    #[must_use]
    pub fn specificity(&self) -> Specificity {
        Specificity {
            path: self.path.len(),
            is_exact: matches!(self.host, Host::Exact(_)),
            literals: self.host.literals(),
        }
    }

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
    use proptest::prelude::*;

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
            // An upper-case letter turns the first part of a repository into a registry; found by fuzzing.
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
                None,
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

    /// Pasted from a browser, a Docker configuration, a shell or an image: the suggestion covers the images that were
    /// meant, and never more.
    #[test]
    fn pasted_texts_get_a_suggestion_that_keeps_their_meaning() {
        for (text, suggestion) in [
            ("index.docker.io/v1/", Some("docker.io")),
            ("index.docker.io/v1", Some("docker.io")),
            ("https://index.docker.io/v1/", Some("docker.io")),
            ("docker.io/v2/", Some("docker.io")),
            ("https://registry.acme.test/", Some("registry.acme.test")),
            ("https://quay.io/v2/", Some("quay.io")),
            ("http://reg.io:5000/team/", Some("reg.io:5000/team")),
            ("oci://reg.io/charts", Some("reg.io/charts")),
            // The namespace `v2`, or the version of an API.
            ("quay.io/v2/", Some("quay.io/v2")),
            ("registry.acme.test/**", Some("registry.acme.test")),
            ("registry.acme.test/*", Some("registry.acme.test")),
            ("reg.io/team/*", Some("reg.io/team")),
            ("acme/*", Some("docker.io/acme")),
            (" quay.io ", Some("quay.io")),
            ("quay.io\n", Some("quay.io")),
            (
                "docker.io/library/nginx:1.25",
                Some("docker.io/library/nginx"),
            ),
            ("reg.io/x:1@sha256:ab", Some("reg.io/x")),
            ("reg.io//team", Some("reg.io/team")),
            ("reg.io:5000:5000", Some("reg.io:5000")),
            ("reg.io:5000:5000/team", Some("reg.io:5000/team")),
            ("https://bob:hunter2@reg.io/x", Some("reg.io/x")),
            // Each of these would cover more, or nothing that was meant.
            ("ghcr.io/acme*", None),
            ("reg.io/*/app", None),
            ("reg.io/team/*-x", None),
            ("reg.io:5000:6000", None),
            ("reg.io:99999", None),
            ("reg.io:0", None),
            ("*.reg.io:70000", None),
            ("[::1]:70000", None),
            ("reg io", None),
            ("https://", None),
            ("**", None),
        ] {
            let fault = text.parse::<ImagePattern>().expect_err(text);
            assert_eq!(fault.suggestion().as_deref(), suggestion, "{text} {fault}");
            assert!(!fault.to_string().contains("hunter2"), "{fault}");
        }
        for text in [
            "reg.io:65535",
            "reg.io:1",
            "docker.io/v1x",
            "quay.io/v2",
            "[::1]:5000",
        ] {
            assert!(text.parse::<ImagePattern>().is_ok(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_suggestion_is_a_pattern(text in "([a-z*:/@.5 ]|docker\\.io|https://|/\\*\\*|v2/|:5000){0,8}") {
            if let Err(fault) = text.parse::<ImagePattern>() {
                let suggestion = fault.suggestion();
                let is_pattern = |text: &String| text.parse::<ImagePattern>().is_ok();
                prop_assert!(suggestion.iter().all(is_pattern), "{:?}", suggestion);
            }
        }
    }
}
