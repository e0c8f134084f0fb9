//! The token endpoints that may get a credential.
//!
//! A registry names its token endpoint (`realm`) in a header. A registry that was taken over, or a wrong entry in a
//! policy, could thus have a password sent to any host. Nodes send it nevertheless; a probe does not. The realm has to
//! be an HTTPS URL ([`HttpsUrl::parse`]) on the registry's own host, in the table of known pairs, or at a host that the
//! caller names.
//!
//! This rule also keeps a probe away from the API server and from Services and Pods: it asks no host but the registry
//! of the image and these.

use crate::kubelet::registry::url::{HTTPS_PORT, HttpsUrl, split_authority};

/// Public registries with a token endpoint at another host.
const PAIRS: [(&str, &str); 4] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("registry.digitalocean.com", "api.digitalocean.com"),
    ("docker.elastic.co", "docker-auth.elastic.co"),
];

/// Returns whether a credential for a registry may be sent to this realm. `named` are the hosts that the caller names
/// for this registry, as `HOST` or `HOST:PORT`.
#[must_use]
pub fn may_get_credential(registry: &HttpsUrl, realm: &HttpsUrl, named: &[String]) -> bool {
    let is_own =
        realm.host() == registry.host() && [HTTPS_PORT, registry.port()].contains(&realm.port());
    let is_pair = [registry.port(), realm.port()] == [HTTPS_PORT; 2]
        && PAIRS.contains(&(registry.host(), realm.host()));
    let is_named = |name: &String| {
        split_authority(name)
            .is_some_and(|(host, port)| host == realm.host() && port == realm.port())
    };
    is_own || is_pair || named.iter().any(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::image::Image;

    #[test]
    fn a_credential_goes_to_the_own_host_to_a_known_pair_or_to_a_named_host() {
        let named = ["gitlab.corp.io".to_owned(), "Auth.corp.io:8443".to_owned()];
        for (registry, realm, expected) in [
            ("reg.io", "https://reg.io/token", true),
            ("reg.io", "https://REG.io/token", true),
            ("reg.io:5000", "https://reg.io:5000/token", true),
            ("reg.io:5000", "https://reg.io/token", true),
            ("reg.io", "https://reg.io:8443/token", false),
            ("reg.io", "https://auth.reg.io/token", false),
            ("reg.io", "https://reg.io.evil.io/token", false),
            ("a.reg.io", "https://b.reg.io/token", false),
            ("docker.io", "https://auth.docker.io/token", true),
            ("docker.io", "https://auth.docker.io:8443/token", false),
            ("registry.gitlab.com", "https://gitlab.com/jwt/auth", true),
            (
                "registry.gitlab.com:5000",
                "https://gitlab.com/jwt/auth",
                false,
            ),
            ("reg.io", "https://auth.docker.io/token", false),
            ("reg.io", "https://gitlab.corp.io/jwt/auth", true),
            ("reg.io", "https://gitlab.corp.io:8443/jwt/auth", false),
            ("reg.io", "https://auth.corp.io:8443/", true),
            ("reg.io", "https://auth.corp.io/", false),
        ] {
            let image = format!("{registry}/app");
            let registry = HttpsUrl::manifest(&Image::parse(&image).unwrap()).unwrap();
            let url = HttpsUrl::parse(realm).unwrap();
            assert_eq!(
                may_get_credential(&registry, &url, &named),
                expected,
                "{image} {realm}"
            );
        }
    }
}
