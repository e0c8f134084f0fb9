//! Tests of verdicts as `kubectl` shows them, and of workloads that already run.

mod changes;
mod messages;
mod policy;
mod running;
mod service_accounts;

use crate::Test;

pub(crate) const TESTS: &[Test] = &[
    ("denials_read_as_docs_messages_says", messages::messages),
    (
        "promise_3_what_already_runs_keeps_running",
        running::keeps_running,
    ),
    (
        "running_deny_refuses_new_pods_of_controllers",
        running::running_deny,
    ),
    (
        "trap_15_an_old_offender_can_be_changed_and_deleted",
        changes::ratchet,
    ),
    (
        "trap_22_a_service_account_that_is_being_deleted_gets_no_banned_secret",
        changes::kept_by_a_finalizer,
    ),
    ("guard_warns_and_audits", policy::warns_and_audits),
    (
        "labels_that_lift_bans_are_changed_by_the_owners_of_the_policy",
        policy::labels_that_lift_bans,
    ),
    ("trap_10_ephemeral_containers_are_judged", changes::debug),
    (
        "guard_judges_a_dry_run_like_the_real_thing",
        changes::dry_run,
    ),
    (
        "guard_names_the_secrets_that_a_service_account_passes_on",
        service_accounts::service_accounts,
    ),
    (
        "trap_25_odd_objects_hide_no_other",
        service_accounts::trap_25_odd_objects_hide_no_other,
    ),
    (
        "guard_lets_exceptions_and_exempt_namespaces_through",
        policy::exceptions,
    ),
    (
        "guard_refuses_a_bad_policy_config_map",
        policy::policy_config_map,
    ),
    (
        "with_pullgate_down_what_runs_goes_on",
        running::pullgate_down,
    ),
    (
        "trap_20_match_conditions_can_always_be_evaluated",
        running::match_conditions,
    ),
];

const POLICY: &str = "
registries:
  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}
  - {name: public, images: [docker.io/library], public: true}
bans:
  - name: legacy-shared
    secrets: [regcred-shared, 'legacy-*']
    reason: One expiry stopped 48 namespaces.
    instead: contoso-pull
    contact: '#platform-registry'
    docs: https://wiki.example.com/pull-secrets
";

fn pod(name: &str, more: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}"
    )
}

const BANNED: &str = ", imagePullSecrets: [{name: regcred-shared}]";

fn deployment(name: &str, more: &str) -> String {
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{selector: {{matchLabels: {{app: {name}}}}},
           template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}}}}}"
    )
}

fn cron_job(name: &str, schedule: &str, more: &str) -> String {
    format!(
        "{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: {name}}}, spec: {{schedule: '{schedule}', suspend: true, jobTemplate: {{spec: {{
           template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{restartPolicy: Never, containers: [{{name: c, image: contoso.azurecr.io/a}}]{more}}}}}}}}}}}}}"
    )
}
