//! The addresses of requests to registries, always by HTTPS.

use crate::kubelet::image::{DEFAULT_REGISTRY, Image, is_registry};
use std::fmt;

/// The host that serves the images of `docker.io`.
const HUB_HOST: &str = "registry-1.docker.io";
/// The port of HTTPS.
pub const HTTPS_PORT: u16 = 443;
/// The most bytes of a URL that a registry names.
const MAX_LENGTH: usize = 2048;
/// The most characters of a host name in DNS.
const MAX_HOST: usize = 253;
/// The tag of an image that names no tag and no digest.
const DEFAULT_TAG: &str = "latest";

/// The types of manifests that a node accepts, as containerd writes them into `Accept`.
pub const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// An HTTPS URL without user info and fragment. [`Display`](fmt::Display) and `Debug` leave its query out, because a
/// query may hold signatures and tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpsUrl {
    host: String,
    port: u16,
    path: String,
    query: String,
}

impl HttpsUrl {
    /// Returns the address of the manifest of an image; `None` if the image names no registry, or a port that does not
    /// exist. Every character of a parsed reference may stand in a path as it is.
    #[must_use]
    pub fn manifest(image: &Image<'_>) -> Option<Self> {
        let reference = image.digest().or(image.tag()).unwrap_or(DEFAULT_TAG);
        let path = format!("/v2/{}/manifests/{reference}", image.repository());
        let host = match image.registry() {
            DEFAULT_REGISTRY => HUB_HOST,
            registry => registry,
        };
        let (host, port) = split_authority(host)?;
        Some(Self {
            host,
            port,
            path,
            query: String::new(),
        })
    }

    /// Reads the URL of a token endpoint; `None` if it is not an HTTPS URL, or has user info or a fragment.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let scheme = "https://";
        let has_scheme = text
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        let is_plain = |b: u8| b.is_ascii_graphic() && !b"\"#<>\\^`{|}".contains(&b);
        if !has_scheme || text.len() > MAX_LENGTH || !text.bytes().all(is_plain) {
            return None;
        }
        let rest = &text[scheme.len()..];
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (host, port) = split_authority(authority)?;
        Some(Self {
            host,
            port,
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            query: query.to_owned(),
        })
    }

    /// Returns the address of the registry's API, which tells whether a `Basic` credential is accepted.
    #[must_use]
    pub fn api(&self) -> Self {
        Self {
            path: "/v2/".to_owned(),
            query: String::new(),
            ..self.clone()
        }
    }

    /// Returns the same URL with more parameters in its query.
    #[must_use]
    pub fn with(&self, parameters: &[(&str, &str)]) -> Self {
        let mut query = self.query.clone();
        for (name, value) in parameters {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            encode(value, &mut query);
        }
        Self {
            query,
            ..self.clone()
        }
    }

    /// Returns the host in lower case; an IPv6 address has its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the value of the header `Host`.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == HTTPS_PORT {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns path and query, as a request line has them.
    #[must_use]
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority(), self.path)
    }
}

impl fmt::Debug for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Splits `HOST[:PORT]`, in lower case; `None` if it is not a host, or longer than DNS allows, or the port does not
/// exist.
pub(super) fn split_authority(text: &str) -> Option<(String, u16)> {
    if !is_registry(text) {
        return None;
    }
    // The colons of an IPv6 address are in brackets.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, HTTPS_PORT),
    };
    let exists = port != 0 && host.len() <= MAX_HOST;
    exists.then(|| (host.to_ascii_lowercase(), port))
}

/// Adds a value to a query, with every byte encoded that has a meaning in URLs.
fn encode(value: &str, query: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            query.push('%');
            query.extend([byte >> 4, byte & 15].map(|n| char::from(DIGITS[usize::from(n)])));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_has_the_address_that_nodes_ask() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let with_digest = format!("Reg.io:5000/a@{digest}");
        let both = format!("reg.io/a/b:1@{digest}");
        for (image, expected) in [
            (
                "nginx",
                "https://registry-1.docker.io/v2/library/nginx/manifests/latest",
            ),
            (
                "index.docker.io/joe/app:1.0_x-Y",
                "https://registry-1.docker.io/v2/joe/app/manifests/1.0_x-Y",
            ),
            ("localhost/app:1", "https://localhost/v2/app/manifests/1"),
            ("reg.io:443/a", "https://reg.io/v2/a/manifests/latest"),
            (
                "[2001:DB8::1]:5000/a",
                "https://[2001:db8::1]:5000/v2/a/manifests/latest",
            ),
            (
                "[2001:db8::1]/a",
                "https://[2001:db8::1]/v2/a/manifests/latest",
            ),
            (
                &with_digest,
                &format!("https://reg.io:5000/v2/a/manifests/{digest}"),
            ),
            (&both, &format!("https://reg.io/v2/a/b/manifests/{digest}")),
        ] {
            let image = Image::parse(image).unwrap();
            let url = HttpsUrl::manifest(&image).unwrap();
            assert_eq!(url.to_string(), expected);
            assert_eq!(url.target(), expected[8..][url.authority().len()..]);
        }
        for image in ["foo_bar.com/x", "reg.io:65536/x", "reg.io:0/x"] {
            let image = Image::parse(image).unwrap();
            assert_eq!(HttpsUrl::manifest(&image), None, "{image}");
        }
    }

    #[test]
    fn only_plain_https_urls_are_token_endpoints() {
        for (text, expected) in [
            ("https://auth.io/token", "https://auth.io/token"),
            ("HTTPS://Auth.io:8443", "https://auth.io:8443/"),
            ("https://auth.io?a=b", "https://auth.io/"),
        ] {
            assert_eq!(HttpsUrl::parse(text).unwrap().to_string(), expected);
        }
        for text in [
            "",
            "http://auth.io/token",
            "https:/auth.io",
            "https://",
            "https://user@auth.io/",
            "https://auth.io:https/",
            "https://auth.io:0/",
            "https://auth.io/#token",
            "https://auth.io\\@evil.io/",
            "https://auth.io/a b",
            "https://auth.io/\r\nHost: evil.io",
            "https://äuth.io/",
            "//auth.io/",
        ] {
            assert_eq!(HttpsUrl::parse(text), None, "{text}");
        }
        let (long_path, long_host) = ("a".repeat(2048), "a".repeat(254));
        assert_eq!(
            HttpsUrl::parse(&format!("https://auth.io/{long_path}")),
            None
        );
        assert_eq!(HttpsUrl::parse(&format!("https://{long_host}/")), None);
    }

    #[test]
    fn parameters_are_encoded_and_never_shown() {
        let realm = HttpsUrl::parse("https://auth.io/token?tenant=1").unwrap();
        let url = realm.with(&[("service", "a b&c"), ("scope", "repository:x/ä:pull")]);
        assert_eq!(
            url.target(),
            "/token?tenant=1&service=a%20b%26c&scope=repository%3Ax%2F%C3%A4%3Apull"
        );
        assert_eq!(
            format!("{url} {url:?}"),
            "https://auth.io/token https://auth.io/token"
        );
    }
}
