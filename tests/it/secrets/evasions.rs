//! Tests of the ways around bans by credential that a tenant can try.

use super::{POLICY, admin, auths, knowing, pod, secret, token};
use crate::support::{Setting, update};

/// The kubelet uses the credential of a key with a glob for every host that the key matches.
#[test]
fn a_key_with_a_glob_hides_no_account() {
    let setting = knowing(&[(
        "ns",
        "glob",
        auths(&[("*.azurecr.io", "contoso", "s3cret")]),
    )]);
    for key in [
        "*.azurecr.io",
        "contos*.azurecr.io",
        "c*ontoso.azurecr.io:443",
        "https://CONTOSO.*.io/v1/",
        "*.*.*",
        "contoso-*.azurecr.io",
        "*-h4sh.azurecr.io",
    ] {
        let answer = setting.validate(&secret("mine", &auths(&[(key, "contoso", "x")])));
        assert!(
            answer.message().contains("holds an admin account of"),
            "{key}: {answer:?}"
        );
    }
    let answer = setting.validate(&pod(&["x.io/a"], &["glob"]));
    assert!(
        answer
            .message()
            .contains("names \"glob\", an admin account of *.azurecr.io (the user has the name"),
        "{answer:?}"
    );
    // The user name tells of no registry that the key matches.
    for (key, user) in [
        ("*.azurecr.io", "ci-pull"),
        ("fabrikam*.azurecr.io", "contoso"),
        ("*.azurecr.io.example.com", "contoso"),
        ("*.azurecr.io", "con"),
    ] {
        let answer = setting.validate(&secret("mine", &auths(&[(key, user, "x")])));
        assert!(
            answer.allowed() && answer.warnings().is_empty(),
            "{key} {user}: {answer:?}"
        );
    }
}

/// A mere possibility warns, and does not hide a certain fact.
#[test]
fn a_guess_warns_and_excuses_nothing() {
    let policy = POLICY.replace("class: [admin]", "class: [personal, admin]");
    let setting = Setting::new(&policy);
    let guess = auths(&[("*.io", "jane", "x")]);
    let answer = setting.validate(&secret("mine", &guess));
    assert!(
        answer.allowed() && answer.warnings()[0].contains("; the account type is only a guess"),
        "{answer:?}"
    );
    // `root` somewhere is a guess too.
    let both = auths(&[
        ("a.corp", "root", "x"),
        ("contoso.azurecr.io", "contoso", "x"),
    ]);
    assert!(!setting.validate(&secret("mine", &both)).allowed());
    let old = secret("mine", &guess)["request"]["object"].clone();
    assert!(
        setting
            .validate(&update(secret("mine", &guess), old.clone()))
            .allowed()
    );
    assert!(
        !setting
            .validate(&update(secret("mine", &admin()), old))
            .allowed()
    );
}

/// A Secret that is not read to its end counts as banned if it is in the request, and as unknown if it is only referred
/// to.
#[test]
fn too_many_entries_hide_no_account() {
    let names: Vec<String> = (0..256).map(|i| format!("r{i}.example")).collect();
    let mut entries: Vec<_> = names.iter().map(|name| (name.as_str(), "", "")).collect();
    entries.push(("contoso.azurecr.io", "contoso", "s3cret"));
    let content = auths(&entries);
    let setting = knowing(&[("ns", "wide", content.clone())]);
    let answer = setting.validate(&secret("wide", &content));
    assert_eq!(
        answer.message(),
        "Secret ns/wide: data[\".dockerconfigjson\"] holds more than 256 entries, which are not read and may be banned by \
         \"admin-accounts\" (It can push and delete.). Split it into several Secrets, or keep only the entries that are needed. \
         Ask #platform."
    );
    let old = |content: &str| secret("wide", content)["request"]["object"].clone();
    let change = |before: &str| setting.validate(&update(secret("wide", &content), old(before)));
    assert!(!change(&token("a")).allowed());
    assert!(change(&content).allowed() && change(&admin()).allowed());
    assert!(
        setting
            .validate(&pod(&["x.io/a"], &["wide"]))
            .warnings()
            .is_empty()
    );
    let warning = POLICY.replace("reason: It can", "mode: warn, reason: It can");
    let answer = Setting::new(&warning).validate(&secret("wide", &content));
    assert!(
        answer.allowed() && answer.warnings().len() == 1,
        "{answer:?}"
    );
    let sharing = POLICY.replace("class: [admin]", "sharedAcrossNamespaces: 1");
    assert!(
        Setting::new(&sharing)
            .validate(&secret("wide", &content))
            .allowed()
    );
}

/// A tenant can write the registry in another way in each namespace.
#[test]
fn a_credential_is_counted_however_its_registry_is_spelled() {
    let spelled = |key: &str| auths(&[(key, "ci-pull", "p")]);
    let setting = knowing(&[
        ("a", "x", spelled("c*ontoso.azurecr.io")),
        ("b", "x", spelled("contoso.azurecr.io:443")),
    ]);
    for key in [
        "contoso.azurecr.io",
        "co*ntoso.azurecr.io",
        "contoso.azurecr.io/team",
    ] {
        let answer = setting.validate(&secret("copy", &spelled(key)));
        assert!(
            answer.message().contains("in more than 2 namespaces"),
            "{key}: {answer:?}"
        );
    }
}

/// `explain` says that a cluster keeps no facts of such a Secret.
#[test]
fn explain_tells_of_globs_and_of_too_many_entries() {
    let dir = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..257).map(|i| format!("r{i}.example")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), "a", "b")).collect();
    let says = |content: String| {
        let secret = secret("mine", &content)["request"]["object"].clone();
        let mut secret = serde_json::json!({"apiVersion": "v1", "kind": "Secret", "data": secret["data"], "type": secret["type"]});
        secret["metadata"] = serde_json::json!({"name": "mine"});
        std::fs::write(dir.path().join("secret.json"), secret.to_string()).unwrap();
        let args = ["explain", "--secrets", "secret.json", "nginx"];
        crate::support::run_in(dir.path(), &args, "").stdout
    };
    let glob = says(auths(&[("*.azurecr.io", "contoso", "x")]));
    assert!(
        glob.contains("mine: *.azurecr.io is of class admin"),
        "{glob}"
    );
    let wide = says(auths(&entries));
    assert!(wide.contains("mine: more than 256 entries"), "{wide}");
}
