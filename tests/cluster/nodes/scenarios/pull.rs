//! Tests the main purpose of Pullgate: private images are pulled, and banned secrets are refused.

use super::{POLICY, deployment, is_running, waiting_reason};
use crate::Test;
use crate::ground::Ground;
use crate::process::wait_for;

pub(super) const TESTS: &[Test] = &[(
    "a_private_image_is_pulled_with_pullgate_alone_and_a_banned_secret_is_refused",
    a_private_image_is_pulled_with_pullgate_alone_and_a_banned_secret_is_refused,
)];

/// The most important test, with `kubectl apply` alone.
fn a_private_image_is_pulled_with_pullgate_alone_and_a_banned_secret_is_refused(ground: &Ground) {
    ground.uninstall();
    ground.namespace_with_pull_secret("shop");
    let image = "contoso.azurecr.io/shop/api:1";
    ground.apply(&deployment("shop", "without", image, ""));
    wait_for("the pod without a secret cannot pull", || {
        waiting_reason(ground, "shop", "without") == "ImagePullBackOff"
    });
    ground.install(&[]);
    ground.apply(POLICY);
    ground.apply(&deployment("shop", "with", image, ""));
    wait_for("the pod with the secret runs", || {
        is_running(ground, "shop", "with")
    });
    assert!(!is_running(ground, "shop", "without"));
    // A pod that exists cannot be changed; its successor gets the secret.
    ground.run(&["-n", "shop", "rollout", "restart", "deployment/without"]);
    wait_for("the restarted pod runs", || {
        is_running(ground, "shop", "without")
    });
    let banned = deployment(
        "shop",
        "banned",
        image,
        ", imagePullSecrets: [{name: regcred-shared}]",
    );
    let refused = ground.try_apply(&banned);
    assert!(!refused.ok, "{refused:?}");
    assert!(
        refused.stderr.contains(
            "admission webhook \"guard.pullgate.dev\" denied the request: Deployment shop/banned: \
             spec.template.spec.imagePullSecrets[0] names \"regcred-shared\", banned by \"legacy-shared\""
        ),
        "{}",
        refused.stderr
    );
}
