//! Tests of the statistics of Secrets, which the metrics show.

use super::{POLICY, auths, knowing, token};
use crate::support::Setting;
use base64::prelude::Engine;
use pullgate::reports::secret_statistics::{SecretState, SecretStatistics};
use pullgate::secrets::account::AccountClass;
use pullgate::verdict::world::{Controllers, World};

#[test]
fn statistics_count_what_there_is() {
    let jwt = |exp: i64| {
        let part = |text: String| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
        format!(
            "{}.{}.x",
            part("{\"alg\":\"x\"}".to_owned()),
            part(format!("{{\"exp\":{exp}}}"))
        )
    };
    let now = Setting::new(POLICY).now().as_second();
    let expiring = |exp| {
        auths(&[
            ("contoso.azurecr.io", "ci", &jwt(exp)),
            ("other.io", "x", &jwt(1)),
        ])
    };
    let mut setting = knowing(&[
        ("a", "contoso-pull", expiring(now + 50)),
        ("b", "contoso-pull", token("p")),
        ("c", "contoso-pull", "{".to_owned()),
        ("a", "harbor-pull", auths(&[("hub.corp", "admin", "x")])),
        ("a", "copy", token("p")),
        ("c", "copy", token("p")),
        (
            "c",
            "useless",
            auths(&[("https://index.docker.io/v1", "a", "b")]),
        ),
        ("d", "useless", auths(&[("contoso.azurecr.io", "x", "")])),
        ("d", "good", auths(&[("registry-1.docker.io", "a", "c")])),
        ("c", "empty", "{}".to_owned()),
        ("d", "empty", "{\"auths\":{}}".to_owned()),
    ]);
    for namespace in ["a", "b", "c", "d", "exempt"] {
        setting = setting.with_labels(namespace, &[]);
    }
    let controllers = Controllers::new(Vec::new());
    let world = World {
        policy: &setting.policy,
        facts: &setting.facts,
        controllers: &controllers,
        now: setting.now(),
    };
    let statistics = SecretStatistics::take(&world).expect("all are known");
    let count = |class, state| {
        statistics
            .secrets
            .get(&(class, state))
            .copied()
            .unwrap_or_default()
    };
    assert_eq!(count(AccountClass::Token, SecretState::Good), 3);
    assert_eq!(count(AccountClass::Token, SecretState::Expired), 1);
    assert_eq!(count(AccountClass::Admin, SecretState::Good), 1);
    assert_eq!(count(AccountClass::Unknown, SecretState::Malformed), 1);
    // Docker Hub by a host that images do not have.
    assert_eq!(count(AccountClass::Personal, SecretState::Useless), 1);
    // A user with an empty password.
    assert_eq!(count(AccountClass::Unknown, SecretState::Useless), 1);
    assert_eq!(count(AccountClass::Personal, SecretState::Good), 1);
    assert_eq!(count(AccountClass::Unknown, SecretState::Empty), 2);
    // One credential is in a, b and c.
    assert_eq!(statistics.shared, [1, 1, 0, 0, 0]);
    let contoso = &statistics.injected[0];
    assert_eq!(
        (contoso.rule.as_str(), contoso.secret.as_str()),
        ("contoso", "contoso-pull")
    );
    assert_eq!(
        contoso.present,
        [
            (SecretState::Good, 1),
            (SecretState::Malformed, 1),
            (SecretState::Expired, 1)
        ]
        .into()
    );
    assert_eq!((contoso.absent, contoso.expires), (Some(2), Some(now + 50)));
    assert_eq!(statistics.injected[2].absent, Some(5));
    assert_eq!(
        SecretStatistics::take(&World {
            facts: &Setting::new(POLICY).facts,
            ..world
        }),
        None
    );
}
