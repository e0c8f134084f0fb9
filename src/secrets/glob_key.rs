//! Keys with a glob: the kubelet uses their credential for every host that they match.
//!
//! So `*.azurecr.io` with the user `contoso` is the admin account of `contoso.azurecr.io`, and may be another account
//! at other registries. The meant hosts are not known, so the hosts of the large providers and the host that the user
//! name suggests are tried.

use crate::secrets::account::{Account, AccountClass, Confidence, Shape, classify, split_port};
use crate::text::glob::Glob;

/// Hosts of the large providers, label by label with `*` for labels that differ, and an example host. Those of Azure
/// are named after the user.
const HOSTS: [(&str, &str); 13] = [
    ("docker.io", "docker.io"),
    ("index.docker.io", "docker.io"),
    ("registry-1.docker.io", "docker.io"),
    ("ghcr.io", "ghcr.io"),
    ("quay.io", "quay.io"),
    ("registry.gitlab.com", "registry.gitlab.com"),
    ("registry.digitalocean.com", "registry.digitalocean.com"),
    ("public.ecr.aws", "public.ecr.aws"),
    (
        "*.dkr.ecr.*.amazonaws.com",
        "000000000000.dkr.ecr.eu-west-1.amazonaws.com",
    ),
    ("*.jfrog.io", "a.jfrog.io"),
    ("gcr.io", "gcr.io"),
    ("*.gcr.io", "eu.gcr.io"),
    ("*.pkg.dev", "europe-docker.pkg.dev"),
];
/// A user name that proves nothing: if it has the same account, that account only remains after the others were ruled
/// out.
const ANYONE: &str = "anyone";
const AZURE: [&str; 3] = ["azurecr.io", "azurecr.cn", "azurecr.us"];

/// Returns whether a key is for many hosts. `*` is the only sign of Go's `filepath.Match` that the host of a URL can
/// have.
pub(super) fn is_glob(host: &str) -> bool {
    host.contains('*')
}

/// Returns the accounts that a credential can belong to at the hosts that its key can match. An account that the user
/// name does not prove is a guess.
pub(super) fn accounts(host: &str, username: &str, shape: Shape) -> Vec<Account> {
    let host = host.to_ascii_lowercase();
    let labels: Vec<Glob> = split_port(&host).split('.').map(Glob::new).collect();
    let known = HOSTS
        .iter()
        .filter(|(pattern, _)| can_match(&labels, pattern));
    let known = known.map(|(_, host)| (*host).to_owned());
    let of_user = AZURE
        .iter()
        .filter(|domain| can_match(&labels[1..], domain) && can_name(&labels[0], username))
        .map(|domain| format!("{username}.{domain}"));
    let account = |host: String| {
        let account = classify(&host, username, shape, None);
        let is_proven = classify(&host, ANYONE, shape, None) != account;
        (account.class != AccountClass::Unknown).then_some(Account {
            confidence: if is_proven {
                account.confidence
            } else {
                Confidence::Low
            },
            ..account
        })
    };
    known.chain(of_user).filter_map(account).collect()
}

/// Returns whether a key can match a host like this one.
fn can_match(labels: &[Glob], pattern: &str) -> bool {
    let mut both = pattern.split('.').zip(labels);
    pattern.split('.').count() == labels.len()
        && both.all(|(theirs, ours)| theirs == "*" || ours.matches(theirs))
}

/// Returns whether a label of a key can match the registry that has this admin account. The name of a registry is
/// alphanumeric, 5 to 50 characters long; a domain name label adds `-HASH` to it.
fn can_name(label: &Glob, username: &str) -> bool {
    let is_name = (5..=50).contains(&username.len())
        && username.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let username = username.to_ascii_lowercase();
    is_name && (label.matches(&username) || label.overlaps(&Glob::new(&format!("{username}-*"))))
}
