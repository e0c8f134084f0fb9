//! Tests of the inventory of an installed chart, in each mode, with only the rights of that mode.

use super::{POLICY, deployment, is_running, policy::policy, waiting_reason};
use crate::Test;
use crate::ground::Ground;
use crate::install::{NAMESPACE, Replica};
use crate::process::wait_for;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const TESTS: &[Test] = &[(
    "the_inventory_is_current_in_each_mode_and_survives_the_api_server",
    the_inventory_is_current_in_each_mode_and_survives_the_api_server,
)];

const BANS: &str = "
registries:
  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}
bans:
  - {name: admin-accounts, credentials: {class: [admin]}, reason: It can push and delete.}
";

fn the_inventory_is_current_in_each_mode_and_survives_the_api_server(ground: &Ground) {
    ground.ensure_installed();
    // Only later events count: uninstalling in an earlier test removed rights of pods that still ran.
    let begin = ground.plane.audit_log().len();
    let warned = ground.apply(&policy(BANS));
    assert!(
        warned
            .stderr
            .contains("bans by `credentials` do nothing here"),
        "{warned:?}"
    );
    ground.install(&["inventory=names"]);
    a_missing_secret_is_reported_and_its_pod_cannot_pull(ground);
    ground.install(&["inventory=contents"]);
    let warned = ground.apply(&policy(&format!("{BANS}unmatched: allow\n")));
    assert!(!warned.stderr.contains("do nothing here"), "{warned:?}");
    an_admin_account_is_refused(ground);
    the_api_server_goes_and_comes_back(ground);
    let key = ["get", "secret", "pullgate-fingerprints", "-o", "name"];
    assert_eq!(
        ground
            .run(&[&["-n", NAMESPACE], &key[..]].concat())
            .lines()
            .count(),
        1
    );
    for replica in ground.pullgate_pods() {
        assert!(!ground.logs(&replica).contains(crate::registry::PASSWORD));
    }
    nothing_was_forbidden(&ground.plane.audit_log()[begin..]);
    ground.install(&["inventory=off"]);
    ground.apply(POLICY);
}

/// The pod cannot pull until the Secret is created with the command in the warning.
fn a_missing_secret_is_reported_and_its_pod_cannot_pull(ground: &Ground) {
    ground.run(&["create", "namespace", "lacking"]);
    let image = "contoso.azurecr.io/shop/api:1";
    let told = ground.apply(&deployment("lacking", "api", image, ""));
    let command = "Deployment lacking/api: no pull secret \"contoso-pull\" (delete one of another type first): kubectl create \
                   secret docker-registry contoso-pull -n lacking --docker-server=contoso.azurecr.io";
    assert!(told.stderr.contains(command), "{told:?}");
    wait_for("the pod cannot pull", || {
        waiting_reason(ground, "lacking", "api") == "ImagePullBackOff"
    });
    ground.pull_secret("lacking", "contoso-pull");
    wait_for("the pod runs", || is_running(ground, "lacking", "api"));
    wait_for("the warning is gone", || {
        tried(ground, &deployment("lacking", "other", image, "")).is_empty()
    });
}

/// Returns the warnings for creating this object. A dry run, because an object that exists is not judged again.
fn tried(ground: &Ground, manifest: &str) -> String {
    let create = ["create", "--dry-run=server", "-f", "-"];
    ground.plane.kubectl(&create, manifest).stderr
}

fn an_admin_account_is_refused(ground: &Ground) {
    let create = |name: &str, user: &str| {
        let user = format!("--docker-username={user}");
        let server = "--docker-server=contoso.azurecr.io";
        let args = [
            "-n",
            "lacking",
            "create",
            "secret",
            "docker-registry",
            name,
            server,
            &user,
            "--docker-password=x",
        ];
        ground.plane.kubectl(&args, "")
    };
    let refused = create("mine", "contoso");
    assert!(
        refused.stderr.contains(
            "admission webhook \"secrets.guard.pullgate.dev\" denied the request: Secret lacking/mine: \
             data[\".dockerconfigjson\"] holds an admin account of contoso.azurecr.io"
        ),
        "{refused:?}"
    );
    let made = create("robot", "ci-pull");
    assert!(made.ok && made.stderr.is_empty(), "{made:?}");
    wait_for("all replicas have counted it", || {
        let tokens = |replica: &Replica| {
            sample(replica, "pullgate_secrets{class=\"token\",state=\"good\"}") > 0
        };
        ground.pullgate_pods().iter().all(tokens)
    });
    let coverage =
        "pullgate_injected_secrets{rule=\"contoso\",secret=\"contoso-pull\",state=\"good\"}";
    for replica in ground.pullgate_pods() {
        assert!(
            sample(&replica, coverage) > 0,
            "{}",
            replica.admin("/metrics")
        );
    }
}

/// While the API server is gone, known facts still count. Afterwards, changes are noticed.
fn the_api_server_goes_and_comes_back(ground: &Ground) {
    let current = "pullgate_inventory_current_timestamp_seconds";
    let replicas = ground.pullgate_pods();
    let times = || -> Vec<i64> {
        replicas
            .iter()
            .map(|replica| sample(replica, current))
            .collect()
    };
    wait_for("the inventory is current", || {
        times().iter().all(|time| *time > 0)
    });
    let mut before = Vec::new();
    ground.plane.while_api_server_is_gone(|| {
        std::thread::sleep(Duration::from_secs(12));
        before = times();
        std::thread::sleep(Duration::from_secs(12));
        assert_eq!(
            times(),
            before,
            "without the API server, the inventory does not count as current"
        );
        let tokens = |replica: &Replica| {
            sample(replica, "pullgate_secrets{class=\"token\",state=\"good\"}") > 0
        };
        assert!(replicas.iter().all(tokens), "the inventory is kept");
    });
    ground.run(&["-n", "lacking", "delete", "secret", "contoso-pull"]);
    let another = deployment("lacking", "another", "contoso.azurecr.io/shop/api:1", "");
    wait_for("the watch goes on", || {
        tried(ground, &another).contains("no pull secret \"contoso-pull\"")
    });
    wait_for("the inventory is current again", || {
        times()
            .iter()
            .zip(&before)
            .all(|(now, before)| now > before)
    });
}

/// Returns the value of a sample with its labels, or 0 if there is none.
fn sample(replica: &Replica, name: &str) -> i64 {
    let text = replica.admin("/metrics");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
        .unwrap_or_default()
}

fn nothing_was_forbidden(audit_log: &str) {
    let events = audit_log
        .lines()
        .filter(|line| line.contains("system:serviceaccount:pullgate:pullgate"));
    let events = events.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours: Vec<_> = events
        .filter(|event| event["user"]["username"] == "system:serviceaccount:pullgate:pullgate")
        .collect();
    assert!(ours.len() > 10);
    let forbidden: Vec<_> = ours
        .iter()
        .filter(|event| event["responseStatus"]["code"] == json!(403))
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
}
