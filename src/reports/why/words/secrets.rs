//! Causes that lie with the pull secrets of a pod.

use super::super::cause::Evidence;
use super::super::evidence::{PodView, RuleView, SecretState, TriedCredential};
use super::advice::{Advice, LONGEST_BACK_OFF, host_of, name, names, shown};
use super::commands;
use crate::text::excerpt::clean;
use jiff::Timestamp;

pub(super) fn harmless(evidence: &Evidence<'_>) -> Advice {
    let absent: Vec<_> = names_in(evidence, |state| *state == SecretState::Absent);
    Advice {
        message: format!(
            "nothing waits; the pod lists {}, which does not exist: remove it from the list",
            names(&absent)
        ),
        ..Advice::default()
    }
}

pub(super) fn unreadable(evidence: &Evidence<'_>) -> Advice {
    let pod = evidence.pod;
    let Some(secret) = &evidence.simulation.unreadable else {
        return "a listed pull secret cannot be decoded: it stops every pull of this pod"
            .to_owned()
            .into();
    };
    let shown = name(secret);
    Advice {
        message: format!(
            "Secret {shown} cannot be decoded: it stops every pull of this pod, also those that another Secret would serve"
        ),
        fix: commands::recreate(pod, secret, &host_of(&evidence.image.image)),
        heals: None,
    }
}

pub(super) fn came_later(evidence: &Evidence<'_>, host: &str) -> Advice {
    let secret = evidence.simulation.tried.first();
    let secret = secret.map_or("", |tried| &tried.secret);
    Advice {
        message: format!(
            "Secret {secret} has a credential for {host}, but was not there at the last attempt: the next one uses it"
        ),
        fix: Vec::new(),
        heals: Some(LONGEST_BACK_OFF),
    }
}

pub(super) fn injection_missed(evidence: &Evidence<'_>) -> Advice {
    let RuleView::Secrets { rule, missing, .. } = evidence.rule else {
        return Advice::default();
    };
    let missing = missing.join(", ");
    Advice {
        message: format!(
            "rule {rule} adds {missing} to pods of this namespace, but the webhook did not answer when this pod was created: create the pod again"
        ),
        fix: commands::delete_pod(evidence.pod).into_iter().collect(),
        heals: None,
    }
}

pub(super) fn secret_missing(evidence: &Evidence<'_>, host: &str) -> Advice {
    let pod = evidence.pod;
    let absent = names_in(evidence, |state| *state == SecretState::Absent);
    let namespace = &pod.namespace;
    let listed = names(&absent);
    let create = absent
        .iter()
        .filter_map(|name| commands::create(pod, name, host));
    Advice {
        message: format!("the pod lists {listed}, which does not exist in namespace {namespace}"),
        fix: create.collect(),
        heals: None,
    }
}

/// A Secret under a name of the policy has to be made anew. Any other Secret may belong to an application, so it stays.
pub(super) fn wrong_type(evidence: &Evidence<'_>, host: &str) -> Advice {
    let wrong = evidence.secrets.iter().find_map(|secret| {
        let fault = match &secret.state {
            SecretState::OtherType(of_type) => format!("is of type {}", name(of_type)),
            SecretState::Empty => "holds no credentials".to_owned(),
            SecretState::Unread | SecretState::Absent | SecretState::Read { .. } => return None,
        };
        Some((&*secret.name, fault))
    });
    let Some((secret, fault)) = wrong else {
        return Advice::default();
    };
    let is_of_the_policy = matches!(evidence.rule, RuleView::Secrets { all, .. } if all.iter().any(|name| name == secret));
    let shown = name(secret);
    if is_of_the_policy {
        return Advice {
            message: format!(
                "Secret {shown} {fault}, so the kubelet ignores it: delete it and create it again, because its type cannot be changed"
            ),
            fix: commands::recreate(evidence.pod, secret, host),
            heals: None,
        };
    }
    Advice {
        message: format!(
            "Secret {shown} {fault}, so the kubelet ignores it: create a pull secret under another name and list that one"
        ),
        fix: commands::create(evidence.pod, "NAME", host)
            .into_iter()
            .collect(),
        heals: None,
    }
}

pub(super) fn no_key(evidence: &Evidence<'_>, host: &str) -> Advice {
    let image = shown(evidence);
    let listed = names(&evidence.pod.listed);
    Advice {
        message: format!("no pull secret of the pod has a key for {image}: it lists {listed}"),
        fix: commands::create(evidence.pod, "NAME", host)
            .into_iter()
            .collect(),
        heals: None,
    }
}

pub(super) fn no_secret(evidence: &Evidence<'_>, host: &str) -> Advice {
    let PodView {
        namespace, listed, ..
    } = evidence.pod;
    if listed.is_empty() {
        let rule = by_rule(evidence);
        return Advice {
            message: format!(
                "{host} asks for a credential, and the pod lists no pull secret{rule}"
            ),
            fix: commands::create(evidence.pod, "NAME", host)
                .into_iter()
                .collect(),
            heals: None,
        };
    }
    let without_password = &evidence.simulation.without_password;
    if evidence.simulation.is_complete && !without_password.is_empty() {
        let secrets = names(without_password);
        let message = format!(
            "Secret {secrets} has a user and no password for {host}: the kubelet reads no identity tokens, so it sends no credential"
        );
        return message.into();
    }
    let listed = names(listed);
    Advice {
        message: format!(
            "the node sent no credential to {host}: none of {listed} serves the image; the right to read Secrets would say why"
        ),
        fix: vec![format!("kubectl auth can-i get secrets -n {namespace}")],
        heals: None,
    }
}

pub(super) fn expired(evidence: &Evidence<'_>, host: &str) -> Advice {
    let tried = &evidence.simulation.tried;
    let ends = tried
        .iter()
        .filter_map(|tried| Some((tried, tried.expires?)));
    let ends: Vec<_> = ends
        .map(|(tried, end)| format!("{} expired {}", one(tried), day(end)))
        .collect();
    Advice {
        message: format!("the credential for {host} has expired: {}", ends.join("; ")),
        fix: renew(evidence, host),
        heals: None,
    }
}

pub(super) fn credential_refused(evidence: &Evidence<'_>, host: &str) -> Advice {
    let tried = &evidence.simulation.tried;
    let message = if tried.is_empty() {
        format!(
            "{host} refuses the credential that the node sent; the right to read Secrets would say which one that is"
        )
    } else {
        format!("{host} refuses {}: renew the Secret", all(tried))
    };
    Advice {
        message,
        fix: renew(evidence, host),
        heals: None,
    }
}

pub(super) fn no_right(evidence: &Evidence<'_>, host: &str) -> String {
    let image = shown(evidence);
    let tried = &evidence.simulation.tried;
    let to = if tried.is_empty() {
        String::new()
    } else {
        format!(" to {}", all(tried))
    };
    format!(
        "{host} refuses to give {image}{to}: the account has no right to the repository, or it does not exist"
    )
}

pub(super) fn identity_refused(evidence: &Evidence<'_>, host: &str) -> String {
    let image = shown(evidence);
    format!(
        "the policy says that nodes pull {image} with their own identity, and {host} refuses it: grant that identity the right to pull"
    )
}

fn by_rule(evidence: &Evidence<'_>) -> String {
    match evidence.rule {
        RuleView::None => "; no rule of the policy covers the image".to_owned(),
        RuleView::Public { rule } => format!("; rule {rule} says that the image is public"),
        RuleView::Secrets { rule, .. } | RuleView::Node { rule } => {
            format!("; rule {rule} covers the image")
        }
        RuleView::Unknown => String::new(),
    }
}

fn renew(evidence: &Evidence<'_>, host: &str) -> Vec<String> {
    let first = evidence.simulation.tried.first();
    let renew = first.and_then(|tried| commands::renew(evidence.pod, tried, host));
    renew.into_iter().collect()
}

fn names_in<'e>(evidence: &'e Evidence<'_>, is: impl Fn(&SecretState) -> bool) -> Vec<&'e str> {
    let secrets = evidence.secrets.iter();
    let named = secrets.filter(|secret| is(&secret.state));
    named.map(|secret| &*secret.name).collect()
}

fn all(tried: &[TriedCredential]) -> String {
    let all: Vec<_> = tried.iter().map(one).collect();
    all.join(" and ")
}

fn one(tried: &TriedCredential) -> String {
    format!("user {} of Secret {}", clean(&tried.username), tried.secret)
}

fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
