//! Bodies and texts of about a given size, made to be as expensive as possible.

use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::objects::kind::Kind;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The number of entries of a Secret that are kept.
pub(crate) const ENTRIES: usize = 256;

/// The head of every policy.
pub(crate) const HEAD: &str = "apiVersion: pullgate.dev/v1\nkind: PullPolicy\n";

/// Repeats a text that depends on its number, until it has about the given number of bytes.
pub(crate) fn fill(bytes: usize, part: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < bytes {
        text.push_str(&part(number));
        number += 1;
    }
    text
}

/// Returns as many values as take about the given number of bytes.
fn values(bytes: usize, value: impl Fn(usize) -> Value) -> Vec<Value> {
    let mut values = Vec::new();
    let mut length = 0;
    while length < bytes {
        let value = value(values.len());
        length += value.to_string().len() + 1;
        values.push(value);
    }
    values
}

/// Returns a review of an object that a user creates.
pub(crate) fn review(kind: Kind, object: &Value) -> Vec<u8> {
    let name = object["metadata"]["name"].clone();
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "uid-1", "kind": {"group": kind.group(), "version": "v1", "kind": kind.name()},
            "name": name, "namespace": "ns", "operation": "CREATE",
            "userInfo": {"username": "jane"}, "object": object, "oldObject": null, "dryRun": false,
        },
    });
    review.to_string().into_bytes()
}

/// Returns a review of an object with this pod spec, in the place where its kind has one.
pub(crate) fn with_spec(kind: Kind, spec: Value) -> Vec<u8> {
    let mut object = spec;
    for field in kind
        .path()
        .split('.')
        .rev()
        .filter(|field| !field.is_empty())
    {
        object = json!({ field: object });
    }
    object["metadata"] = json!({"name": "web"});
    review(kind, &object)
}

/// Returns a pod spec with images of distinct repositories, references to distinct Secrets in variables, and pull
/// secrets.
pub(crate) fn busy_spec(bytes: usize) -> Value {
    let variable = |i: usize| json!({"name": "V", "valueFrom": {"secretKeyRef": {"name": format!("legacy-{i}"), "key": "k"}}});
    let container = |i| json!({"name": format!("c{i}"), "image": format!("reg.io/team/{i}"), "env": [variable(i)]});
    json!({
        "containers": values(bytes / 2, container),
        "imagePullSecrets": pull_secrets(bytes / 2, |i| format!("wide-{}", i % 8)),
    })
}

/// Returns pull secrets, each with its name.
pub(crate) fn pull_secrets(bytes: usize, name: impl Fn(usize) -> String) -> Vec<Value> {
    values(bytes, |i| json!({"name": name(i)}))
}

/// Returns containers, each with its image.
pub(crate) fn containers(bytes: usize, image: impl Fn(usize) -> String) -> Vec<Value> {
    values(bytes, |i| json!({"name": "c", "image": image(i)}))
}

/// Returns a docker configuration with the given number of entries. One of them is a registry administrator.
pub(crate) fn docker_config(entries: usize) -> String {
    let auth = |user: &str| BASE64_STANDARD.encode(format!("{user}:s3cret"));
    let mut text = String::from("{\"auths\":{");
    for i in 1..entries {
        let _ = write!(
            text,
            "\"host-{i}.example.com\":{{\"auth\":\"{}\"}},",
            auth("robot")
        );
    }
    let _ = write!(
        text,
        "\"contoso.azurecr.io\":{{\"auth\":\"{}\"}}}}}}",
        auth("contoso")
    );
    text
}

/// Returns a review of a docker-type Secret with this content.
pub(crate) fn secret(content: &str) -> Vec<u8> {
    let data = json!({".dockerconfigjson": BASE64_STANDARD.encode(content)});
    let object =
        json!({"metadata": {"name": "s"}, "type": "kubernetes.io/dockerconfigjson", "data": data});
    review(Kind::Secret, &object)
}

/// Returns a policy of two rules with the same patterns, and with namespace globs that begin alike.
pub(crate) fn policy_of_globs(bytes: usize) -> String {
    let images = fill(bytes / 4, |i| format!("a.io/{i},"));
    let rule = |name: &str, end: &str| {
        let names = fill(bytes / 4, |i| format!("'*{i:05}{end}',"));
        format!(
            "- {{name: {name}, images: [{images}], secrets: [s], namespaces: {{names: [{names}]}}}}\n"
        )
    };
    format!("{HEAD}registries:\n{}{}", rule("a", "a"), rule("b", "b"))
}

/// Returns a policy of rules with one common pattern, each for the namespaces with a different label.
pub(crate) fn policy_of_selectors(bytes: usize) -> String {
    let rule = |i| {
        format!(
            "- {{name: r{i}, images: [a.io], public: true, namespaces: {{names: ['t{i}-*'], labels: {{matchLabels: {{t: v{i}}}}}}}}}\n"
        )
    };
    format!("{HEAD}registries:\n{}", fill(bytes, rule))
}

/// Returns a policy of banned secrets, with an exception for each ban.
pub(crate) fn policy_of_exceptions(bytes: usize) -> String {
    let rule = |i| {
        format!(
            "- {{name: r{i}, images: [a.io/{i}], secrets: [s{i:05}], namespaces: {{names: [n{i}]}}}}\n"
        )
    };
    let ban = |i| format!("- {{name: b{i}, secrets: ['s{i:05}*']}}\n");
    let exception = |i| {
        format!(
            "- {{bans: [b{i}], namespaces: {{names: [n{i}]}}, owner: o, reason: r, expires: 2099-01-31}}\n"
        )
    };
    let count = bytes / 190;
    let all = |entry: &dyn Fn(usize) -> String| (0..count).map(entry).collect::<Vec<_>>().concat();
    format!(
        "{HEAD}registries:\n{}bans:\n{}exceptions:\n{}",
        all(&rule),
        all(&ban),
        all(&exception)
    )
}

/// Returns a policy with an unknown key in each rule, and with exceptions to bans that do not exist.
pub(crate) fn policy_of_faults(bytes: usize) -> String {
    let rules = fill(bytes / 3, |i| {
        format!("- {{name: r{i}, imagez: [a.io], secretz: [s]}}\n")
    });
    let bans = fill(bytes / 3, |i| {
        format!("- {{name: ban-of-many-{i}, secrets: [x]}}\n")
    });
    let names = fill(bytes / 3, |i| format!("bam-of-many-{i},"));
    format!(
        "{HEAD}registries:\n{rules}bans:\n{bans}exceptions:\n- {{bans: [{names}], namespaces: {{names: [n]}}, owner: o, reason: r, expires: 2099-01-31}}\n"
    )
}

/// Returns manifests that each name a banned secret.
pub(crate) fn manifests(bytes: usize) -> String {
    fill(bytes, |i| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{i}}}\nspec:\n  containers: [{{name: c, image: reg.io/{i}}}]\n  imagePullSecrets: [{{name: legacy-{i}}}]\n"
        )
    })
}
