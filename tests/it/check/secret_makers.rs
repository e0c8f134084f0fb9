//! Tests of objects of other projects for which a controller makes Secrets.

use super::Folder;

fn found(text: &str) -> Vec<String> {
    Folder::new(&[]).findings(&["-f", "-"], text)
}

const DOCKER: &str = "kubernetes.io/dockerconfigjson";

#[test]
fn a_banned_name_of_a_secret_that_an_operator_makes_is_warned_of() {
    let object = |head: &str, rest: &str| {
        format!("apiVersion: {head}\nmetadata: {{name: pull, namespace: shop}}\n{rest}\n")
    };
    let secret = format!("type: {DOCKER}");
    for text in [
        object(
            "external-secrets.io/v1\nkind: ExternalSecret",
            &format!("spec: {{target: {{name: legacy-1, template: {{{secret}}}}}}}"),
        ),
        object(
            "external-secrets.io/v1beta1\nkind: ClusterExternalSecret",
            &format!("spec: {{externalSecretName: legacy-1, externalSecretSpec: {{target: {{template: {{{secret}}}}}}}}}"),
        ),
        object(
            "secrets.hashicorp.com/v1beta1\nkind: VaultStaticSecret",
            &format!("spec: {{destination: {{name: legacy-1, {secret}}}}}"),
        ),
        object(
            "isindir.github.com/v1alpha3\nkind: SopsSecret",
            &format!("spec: {{secretTemplates: [{{name: fine, {secret}}}, {{name: legacy-1, {secret}}}]}}"),
        ),
        object(
            "secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass",
            &format!("spec: {{secretObjects: [{{secretName: legacy-1, {secret}}}]}}"),
        ),
        object(
            "secrets.infisical.com/v1alpha1\nkind: InfisicalSecret",
            &format!("spec: {{managedKubeSecretReferences: [{{secretName: legacy-1, secretType: {DOCKER}}}]}}"),
        ),
        object(
            "bitnami.com/v1alpha1\nkind: SealedSecret",
            &format!("spec: {{encryptedData: {{.dockerconfigjson: AgBy}}, template: {{metadata: {{name: other}}, {secret}}}}}"),
        )
        .replace("name: pull", "name: legacy-1"),
        object("onepassword.com/v1\nkind: OnePasswordItem", &secret)
            .replace("name: pull", "name: legacy-1"),
    ] {
        let found = found(&text);
        assert_eq!(found.len(), 1, "{text}");
        assert!(
            found[0].ends_with(" warning banned-name"),
            "{text}: {found:?}"
        );
    }
}

/// Without a type the Secret is `Opaque`, which the kubelet does not use for pulls; a good name is a good name.
#[test]
fn other_secrets_are_not_warned_of() {
    let of = |name: &str, secret_type: &str| {
        format!(
            "{{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {{name: e}}, spec: {{target: {{name: {name}, template: {{type: {secret_type}}}}}}}}}"
        )
    };
    for text in [
        of("fine", DOCKER),
        of("legacy-1", "Opaque"),
        of("legacy-1", ""),
        of("legacy-1", DOCKER).replace("external-secrets.io", "example.com"),
        "{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: legacy-1}, spec: [x]}".to_owned(),
    ] {
        assert_eq!(found(&text), Vec::<String>::new(), "{text}");
    }
}

/// The object is named, the Secret, the ban, and the field.
#[test]
fn the_warning_says_which_secret_would_be_made() {
    let folder = Folder::new(&[]);
    let text = format!(
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: pull, namespace: shop}}\nspec:\n  target:\n    name: legacy-1\n    template: {{type: {DOCKER}}}\n"
    );
    let run = folder.check(&["-f", "-"], &text);
    assert!(
        run.stdout.starts_with(
            "warning: ExternalSecret shop/pull: makes the Secret \"legacy-1\": the name is banned by \"legacy-shared\""
        ),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("--> <stdin>:6:11"), "{}", run.stdout);
    let report = folder.check(&["-f", "-", "-o", "json"], &text).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let finding = &report["findings"][0];
    assert_eq!(finding["field"], "spec.target.name");
    assert_eq!(finding["kind"], "ExternalSecret");
    assert_eq!(finding["ban"], "legacy-shared");
}
