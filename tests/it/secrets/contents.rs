//! Tests of the facts that are kept of the content of a Secret.

use super::{auths, facts, key, reduce};
use base64::prelude::{BASE64_STANDARD, Engine};
use pullgate::kubelet::docker_config::{self, Form, Malformed};
use pullgate::secrets::account::AccountClass;
use pullgate::secrets::credentials::{Content, FingerprintKey, Flaw, SecretContent};
use serde_json::json;
use zeroize::Zeroizing;

#[test]
fn what_is_wrong_with_entries_is_told() {
    let content = reduce(
        &json!({"auths": {
            "https://index.docker.io/v1": {"username": "a", "password": "b"},
            "https://index.docker.io/v1/": {"username": "a", "password": "b"},
            "registry-1.docker.io": {"username": "a", "password": "b"},
            "ghcr.io": {"identitytoken": "x"},
            // As `az acr login` writes it.
            "contoso.azurecr.io": {"auth": "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==", "identitytoken": "x"},
            "oci://reg.io": {"username": "a", "password": "b"},
            "reg.io/team/*": {"username": "a", "password": "b"},
            "reg.io": {"username": "a", "password": "b"},
            "https://reg.io/v2/": {"username": "a", "password": "c"},
            "[::1": {"username": "a", "password": "b"},
        }})
        .to_string(),
    );
    let flaws: Vec<_> = content
        .flaws()
        .map(|(credential, flaw)| (credential.key.to_string(), flaw))
        .collect();
    assert_eq!(
        flaws,
        [
            ("contoso.azurecr.io", Flaw::NoPassword),
            ("ghcr.io", Flaw::Empty),
            ("index.docker.io/v1", Flaw::NeverMatches),
            ("oci://reg.io", Flaw::NeverMatches),
            ("reg.io", Flaw::Shadowed),
            ("reg.io/team/*", Flaw::NeverMatches),
        ]
        .map(|(key, flaw)| (key.to_owned(), flaw))
    );
    // Entries that the kubelet ignores are left out.
    assert_eq!(content.credentials().len(), 9);
    let account = content.credentials()[0].account(None);
    assert_eq!(
        (account.class, account.reason),
        (AccountClass::Unknown, "it has no password")
    );
}

#[test]
fn equal_credentials_have_equal_fingerprints_and_others_have_others() {
    let print = |host: &str, user: &str, password: &str| {
        reduce(&auths(&[(host, user, password)])).credentials()[0]
            .fingerprint
            .unwrap()
    };
    let one = print("reg.io", "user", "password");
    for key in [
        "https://reg.io/v1/",
        "REG.io/team",
        "reg.io:443",
        "r*eg.io",
        "other.io",
    ] {
        assert_eq!(one, print(key, "user", "password"), "{key}");
    }
    for other in [
        print("reg.io", "user", "Password"),
        print("reg.io", "userp", "assword"),
        print("reg.io", "", "userpassword"),
    ] {
        assert_ne!(one, other);
    }
    // RFC 4231 has no case of this form: counted once with Python's hmac module.
    assert_eq!(
        format!("{one:?}"),
        "Fingerprint([1, 79, 212, 182, 244, 136, 158, 60, 245, 220, 64, 172, 47, 79, 161, 79])"
    );
    let bytes = Zeroizing::new(auths(&[("reg.io", "user", "password")]).into_bytes());
    let content = SecretContent::new(Form::ConfigJson, bytes).unwrap();
    let with =
        |key: Option<FingerprintKey>| content.reduce(key.as_ref()).credentials()[0].fingerprint;
    assert_ne!(Some(one), with(FingerprintKey::new(&[8; 32])));
    assert_eq!(with(None), None);
    assert!(FingerprintKey::new(&[1; 31]).is_none() && FingerprintKey::new(&[1; 33]).is_none());
}

/// Promise 5.
#[test]
fn nothing_that_is_kept_shows_a_password() {
    let text = auths(&[
        ("reg.io", "user", "hunter2"),
        ("ghcr.io", "x", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    ]);
    let bytes = Zeroizing::new(text.clone().into_bytes());
    let content = SecretContent::new(Form::ConfigJson, bytes).unwrap();
    let shown = format!("{content:?} {:?} {:?}", facts(&text), key());
    for value in [
        "hunter2",
        "ghp_",
        "7, 7",
        &BASE64_STANDARD.encode("user:hunter2"),
    ] {
        assert!(!shown.contains(value), "{shown}");
    }
}

#[test]
fn too_many_entries_are_not_kept() {
    let names: Vec<String> = (0..300).map(|i| format!("r{i}.io")).collect();
    let entries: Vec<_> = names.iter().map(|name| (name.as_str(), "a", "b")).collect();
    assert_eq!(reduce(&auths(&entries)), Content::TooManyEntries);
    assert_eq!(reduce(&auths(&entries[..256])).credentials().len(), 256);
}

/// Entries after the limit are not kept, and still count as the kubelet counts them.
#[test]
fn entries_after_the_limit_are_looked_at_and_not_kept() {
    let entries = |begin: usize, end: usize| {
        let entries: Vec<_> = (begin..end)
            .map(|i| format!("\"r{i}.io\":{{\"username\":\"a\",\"password\":\"b\"}}"))
            .collect();
        format!("{{{}}}", entries.join(","))
    };
    let known = |text: &str| reduce(text).credentials().len();
    // The same names again are no more entries.
    let twice = format!("{{\"auths\":{0},\"auths\":{0}}}", entries(0, 256));
    assert_eq!(known(&twice), 256);
    let more = format!(
        "{{\"auths\":{},\"auths\":{}}}",
        entries(0, 256),
        entries(255, 257)
    );
    assert_eq!(reduce(&more), Content::TooManyEntries);
    // `null` empties the map, also if there were too many.
    let emptied = format!(
        "{{\"auths\":{},\"auths\":null,\"auths\":{}}}",
        entries(0, 300),
        entries(0, 2)
    );
    assert_eq!(known(&emptied), 2);
    let broken = more.replacen("}}}", "},\"x.io\":1}}", 1);
    assert_ne!(broken, more);
    assert_eq!(reduce(&broken), Content::Malformed(Malformed::NoEntry));
}

/// A Secret of 1 MiB with 60 000 entries leads to no more allocations that are held at once than one with 300.
#[test]
fn the_memory_for_entries_ends_at_the_limit() {
    let text = |count: usize| {
        let entries: Vec<_> = (0..count).map(|i| format!("\"{i:06}.io\":{{}}")).collect();
        format!("{{\"auths\":{{{}}}}}", entries.join(","))
    };
    let held = |count: usize| {
        let text = text(count);
        let read = || docker_config::read_at_most(256, Form::ConfigJson, text.as_bytes());
        let info = allocation_counter::measure(|| assert!(matches!(read(), Ok(None))));
        info.bytes_max
    };
    // The first call may set something up.
    held(300);
    assert!(
        held(60_000) <= held(300) + 1024,
        "{} {}",
        held(60_000),
        held(300)
    );
}

/// Trap 24: a Secret of 1 MiB costs time in proportion to its length. Half of it are entries, half are `auths`
/// members, each of which once walked all entries so far: minutes for one Secret, in which a replica learned nothing.
#[test]
fn trap_24_many_auths_members_do_not_walk_the_entries_again() {
    let half = 512 * 1024;
    let entries: Vec<_> = (0..half / 11)
        .map(|i| format!("\"{i:05x}\":{{}}"))
        .collect();
    let entries = entries.join(",");
    let empty = "\"auths\":{},".repeat(half / 11);
    // `null` empties the map, and the last member fills it again.
    let nulls = "\"auths\":null,".repeat(half / 13);
    let many = format!("{{\"auths\":{{{entries}}},{empty}\"auths\":{{\"reg.io\":{{}}}}}}");
    let few = format!("{{\"auths\":{{{entries}}},{nulls}\"auths\":{{\"reg.io\":{{}}}}}}");
    let read = |text: &str| docker_config::read(Form::ConfigJson, text.as_bytes());
    assert_eq!(read(&many).expect("readable").len(), half / 11 + 1);
    assert_eq!(read(&few).expect("readable").len(), 1);
}
