//! Registries that more than one test needs, and the comparison of verdicts.

use super::probe;
use super::server::{Asked, Place, Reply, ScriptedRegistry, User};
use pullgate::kubelet::registry::verdict::Verdict;
use pullgate::registry::ProbeReport;

/// Probes the image for each line with this user, and compares the verdicts.
pub(super) async fn hold(
    hosts: &[&'static str],
    script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    lines: &[(&str, User, Verdict)],
) -> Vec<ProbeReport> {
    let registry = ScriptedRegistry::start(hosts, script).await;
    let mut reports = Vec::new();
    for (image, user, expected) in lines {
        let report = probe(&registry, image, *user).await;
        assert_eq!(report.verdict, *expected, "{image} {user:?}: {report:#?}");
        let asked = registry.asked();
        assert!(asked.len() <= 6, "{asked:#?}");
        reports.push(report);
    }
    reports
}

/// Returns the text of the answer that a report has last.
pub(super) fn last_text(report: &ProbeReport) -> &str {
    let probes = &report.probes;
    let last = [&probes.login, &probes.pull, &probes.anonymous];
    let last = last.into_iter().flatten().next().expect("an answer");
    last.text.as_deref().unwrap_or_default()
}

/// A registry with Basic that shows every image to every user.
pub(super) fn htpasswd(asked: &Asked) -> Reply {
    match (asked.place(), asked.user()) {
        (_, User::Anonymous | User::Wrong) => Reply::challenge("Basic realm=\"Registry Realm\""),
        (Place::Manifest, _) if !asked.is_in("team/app") || !asked.has_tag("1") => {
            Reply::status(404)
        }
        _ => Reply::ok(),
    }
}

/// A registry with tokens: a wrong password gets none, a missing right gets one that is refused.
pub(super) fn tokens(asked: &Asked, realm: &str) -> Reply {
    match (asked.place(), asked.user()) {
        (Place::Token | Place::Login, User::Wrong) => {
            Reply::error(401, "UNAUTHORIZED", "wrong password")
        }
        (Place::Token | Place::Login, user) => Reply::token(user),
        (_, User::Anonymous) if asked.is_bare() => Reply::bearer(realm),
        (_, user) if user != User::Good || !asked.is_in("team/app") => Reply::challenge(&format!(
            "Bearer realm=\"{realm}\",error=\"insufficient_scope\""
        )),
        _ if !asked.has_tag("1") => Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        _ => Reply::ok(),
    }
}
