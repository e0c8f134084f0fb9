//! The table of inputs that are made to be expensive: one for every kind of object, and for every reader and check.

use super::bodies;
use super::work::{
    Work, checked, configuration, deployment, mutated, policy, previewed, reviewed, yaml,
};
use pullgate::admission::endpoint::Endpoint;
use pullgate::kubelet::registry::challenge;
use pullgate::objects::kind::Kind;
use pullgate::text::foreign::Confidential;
use serde_json::json;
use std::hint::black_box;

/// An expensive input.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The names of the kinds, readers and checks that this case covers.
    pub(crate) of: &'static [&'static str],
    /// Returns the work on an input of about the given number of bytes.
    pub(crate) work: fn(usize) -> Work,
}

macro_rules! kinds {
    ($($kind:ident),*) => {
        [$(Case {
            name: stringify!($kind),
            of: &[stringify!($kind), "references"],
            work: |bytes| reviewed(Endpoint::Validate, bodies::with_spec(Kind::$kind, bodies::busy_spec(bytes))),
        }),*]
    };
}

/// Returns all cases.
#[expect(clippy::too_many_lines, reason = "one row per case")]
pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = kinds![
        Pod,
        PodTemplate,
        ReplicationController,
        ReplicaSet,
        Deployment,
        StatefulSet,
        DaemonSet,
        ControllerRevision,
        Job,
        CronJob
    ]
    .into();
    let mut add = |name, of, work| cases.push(Case { name, of, work });
    add("ServiceAccount", &["ServiceAccount"], |bytes| {
        let secrets = bodies::pull_secrets(bytes, |i| format!("legacy-{i}"));
        let object = json!({"metadata": {"name": "web"}, "imagePullSecrets": secrets});
        reviewed(
            Endpoint::Validate,
            bodies::review(Kind::ServiceAccount, &object),
        )
    });
    add(
        "Secret, as many entries as are kept",
        &["Secret"],
        |bytes| {
            let content = bodies::docker_config(bodies::ENTRIES.min(bytes / 128));
            let pad = "x".repeat(bytes.saturating_sub(content.len()));
            let content = content.replacen('{', &format!("{{\"pad\":\"{pad}\","), 1);
            reviewed(Endpoint::Validate, bodies::secret(&content))
        },
    );
    add(
        "Secret, many entries",
        &["Secret", "docker config"],
        |bytes| {
            reviewed(
                Endpoint::Validate,
                bodies::secret(&bodies::docker_config(bytes / 80)),
            )
        },
    );
    add(
        "ConfigMap, a policy of globs",
        &["ConfigMap", "policy"],
        |bytes| {
            let object = json!({"metadata": {"name": "pullgate-policy"}, "data": {"policy.yaml": bodies::policy_of_globs(bytes)}});
            reviewed(Endpoint::Validate, bodies::review(Kind::ConfigMap, &object))
        },
    );
    add(
        "policy, globs that begin alike",
        &["policy", "globs"],
        |bytes| policy(bodies::policy_of_globs(bytes)),
    );
    add("policy, selectors", &["policy", "selectors"], |bytes| {
        policy(bodies::policy_of_selectors(bytes))
    });
    add("policy, lifted bans", &["policy", "globs"], |bytes| {
        policy(bodies::policy_of_exceptions(bytes))
    });
    add("policy, faults", &["policy"], |bytes| {
        policy(bodies::policy_of_faults(bytes))
    });
    add(
        "docker config, members `auths`",
        &["docker config"],
        |bytes| {
            let content = format!(
                "{{{}\"auths\":{{}}}}",
                bodies::fill(bytes, |i| format!("\"auths\":{{\"h{i}\":{{}}}},"))
            );
            configuration(content)
        },
    );
    add("docker config, escapes", &["docker config"], |bytes| {
        let escapes = bodies::fill(bytes, |_| "\\u0041".to_owned());
        configuration(format!(
            "{{\"auths\":{{\"{escapes}\":{{\"auth\":\"{escapes}\"}}}}}}"
        ))
    });
    add("keyring, images", &["keyring"], |bytes| {
        let images = bodies::containers(bytes, |i| format!("many.io/{i}"));
        let secrets = bodies::pull_secrets(100, |i| format!("wide-{i}"));
        mutated(json!({"containers": images, "imagePullSecrets": secrets}))
    });
    add(
        "references, one secret of 256 entries",
        &["references", "words"],
        |bytes| {
            let secrets = bodies::pull_secrets(bytes, |_| "wide-0".to_owned());
            deployment(
                json!({"containers": [{"name": "c", "image": "reg.io/a"}], "imagePullSecrets": secrets}),
            )
        },
    );
    add(
        "references, secrets that are missing",
        &["references", "words"],
        |bytes| {
            deployment(
                json!({"imagePullSecrets": bodies::pull_secrets(bytes, |i| format!("gone-{i}"))}),
            )
        },
    );
    add("globs, names of secrets", &["globs"], |bytes| {
        deployment(
            json!({"imagePullSecrets": bodies::pull_secrets(bytes, |i| format!("{}{i}", "a-".repeat(100)))}),
        )
    });
    add("selectors, images", &["selectors"], |bytes| {
        deployment(json!({"containers": bodies::containers(bytes, |i| format!("tenants.io/{i}"))}))
    });
    add("words, invalid images", &["words"], |bytes| {
        deployment(json!({"containers": bodies::containers(bytes, |i| format!("!{i}"))}))
    });
    add("patch, secrets in reverse", &["patch"], |bytes| {
        let images = bodies::containers(bytes / 2, |i| format!("each.io/{i}"));
        let last = images.len() - 1;
        let secrets = (0..images.len()).map(|i| json!({"name": format!("each-{}", last - i)}));
        mutated(json!({"containers": images, "imagePullSecrets": secrets.collect::<Vec<_>>()}))
    });
    add("preview", &["preview"], previewed);
    add("SARIF", &["SARIF", "YAML"], |bytes| {
        checked(bodies::manifests(bytes), |report| {
            black_box(report.sarif("/work"));
        })
    });
    add("challenges", &["challenges"], |bytes| {
        let header = bodies::fill(bytes, |i| format!("Basic realm=\"\\\"{i}\", "));
        Work {
            bytes,
            run: Box::new(move || drop(black_box(challenge::parse([header.as_str()])))),
        }
    });
    add("foreign texts", &["foreign texts"], |bytes| {
        let text = bodies::fill(bytes, |i| format!("aaaa%61a https://a@a/{i}?a=a "));
        let mut confidential = Confidential::default();
        confidential.add(&[b"a".repeat(64), b"b".to_vec()].concat());
        Work {
            bytes,
            run: Box::new(move || drop(black_box(confidential.show(&text)))),
        }
    });
    add("YAML, lists in lists", &["YAML"], |bytes| {
        yaml(bodies::fill(bytes, |_| {
            "[[[[a],[b]],[c]],{d: [e]}],".to_owned()
        }))
    });
    add("YAML, text of many lines", &["YAML"], |bytes| {
        yaml(format!(
            "a:\n{}",
            bodies::fill(bytes, |_| "  word\n\n".to_owned())
        ))
    });
    add("YAML, text in quotes", &["YAML"], |bytes| {
        yaml(format!(
            "a: \"{}\"",
            bodies::fill(bytes, |_| "\\n\\x41 \n\n ".to_owned())
        ))
    });
    add("YAML, keys", &["YAML"], |bytes| {
        yaml(bodies::fill(bytes, |i| format!("? k{i}\n: v\n")))
    });
    add("YAML, anchors and aliases", &["YAML"], |bytes| {
        yaml(bodies::fill(bytes, |i| {
            format!("k{i}: &a{i} [x, y]\nl{i}: *a{i}\n")
        }))
    });
    add("YAML, comments", &["YAML"], |bytes| {
        yaml(bodies::fill(bytes, |_| "a: # b\n #c\n".to_owned()))
    });
    cases
}
