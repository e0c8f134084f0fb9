//! Words about the content of Secrets, and about pull secrets that cannot serve.

use crate::kubelet::docker_config::CONFIG_JSON_TYPE;
use crate::policy::Ban;
use crate::secrets::credentials::MAX_ENTRIES;
use crate::text::excerpt::shorten;
use crate::verdict::finding::{Grounds, Trouble};
use jiff::Timestamp;

/// The end of a command, if there is room for it.
pub(super) const LOGIN: &str = " --docker-username=... --docker-password=...";

/// A pull secret of a pod.
pub(super) struct PullSecret<'a> {
    /// The field that names it, or an image that needs it.
    pub(super) field: &'a str,
    pub(super) secret: &'a str,
    pub(super) namespace: &'a str,
    /// The registry that it is injected for; `None` if the object or its ServiceAccount lists it.
    pub(super) registry: Option<&'a str>,
}

impl PullSecret<'_> {
    /// Returns the fault and the remedy, with at most `most` characters of each foreign text.
    pub(super) fn trouble(&self, trouble: &Trouble<'_>, most: usize) -> String {
        let [secret, namespace] = [self.secret, self.namespace].map(|text| shorten(text, most));
        let what = match self.registry {
            Some(_) => format!("pull secret \"{secret}\""),
            None => format!("{} names \"{secret}\", which", self.field),
        };
        match trouble {
            Trouble::WrongType { of_type } => format!(
                "{what} is of type {}, which the kubelet ignores: delete and recreate it with the type {CONFIG_JSON_TYPE}",
                shorten(of_type, most)
            ),
            Trouble::Missing { .. } => {
                let what = match self.registry {
                    Some(_) => format!("no pull secret \"{secret}\""),
                    None => format!(
                        "{} names \"{secret}\", and no pull secret has that name",
                        self.field
                    ),
                };
                // Types of Secrets cannot be changed, and Secrets of other types are not known.
                format!(
                    "{what} (delete one of another type first): kubectl create secret docker-registry {secret} -n {namespace} \
                     --docker-server={}{LOGIN}",
                    server(self.registry)
                )
            }
            Trouble::Malformed { error, is_withheld } => {
                let then = if *is_withheld {
                    "not injected, because other images can be pulled without it"
                } else {
                    "no image can be pulled with it listed"
                };
                format!("{what} cannot be used ({error}), {then}: recreate it")
            }
            Trouble::Expired { registry, at } => format!(
                "{what} has a credential for {} that expired {}: renew it",
                shorten(registry, most),
                moment(*at)
            ),
        }
    }
}

/// Returns the part of a secret that is banned, and the ban.
pub(super) fn by(ban: &Ban, grounds: &Grounds) -> String {
    let by = format!("banned by \"{}\"", ban.name);
    let (registry, account, shared_beyond) = match grounds {
        Grounds::Name => return by,
        Grounds::TooManyEntries => {
            return format!("more than {MAX_ENTRIES} entries, which are not read and may be {by}");
        }
        Grounds::Credential {
            registry,
            account,
            shared_beyond,
        } => (registry, account, shared_beyond),
    };
    let credential = account.map_or("a credential", |account| account.class.phrase());
    let why = account.map(|account| format!(" ({})", account.reason));
    let shared = shared_beyond.map(|limit| {
        let noun = if limit == 1 {
            "namespace"
        } else {
            "namespaces"
        };
        format!(" that is in more than {limit} {noun}")
    });
    let (why, shared) = (why.unwrap_or_default(), shared.unwrap_or_default());
    format!("{credential} of {registry}{why}{shared}, {by}")
}

/// Returns the name of a registry for `kubectl create secret docker-registry`.
fn server(registry: Option<&str>) -> &str {
    match registry {
        Some("docker.io") => "https://index.docker.io/v1/",
        Some(registry) => registry,
        None => "...",
    }
}

/// Returns a time in seconds of Unix time as date and time.
fn moment(seconds: i64) -> String {
    let time = Timestamp::from_second(seconds).ok();
    let time = time.map(|time| time.strftime("on %Y-%m-%d at %H:%M UTC").to_string());
    time.unwrap_or_else(|| "long ago".to_owned())
}

/// Returns the words for the namespaces that have a secret of a name.
pub(super) fn elsewhere((namespace, more): (&str, usize)) -> String {
    match more {
        0 => format!(" (there is one in {namespace})"),
        more => format!(" (there is one in {namespace} and in {more} more)"),
    }
}
