//! Tests of `check --strict-names`: images without a registry.

use super::Folder;

fn pod(images: &[&str]) -> String {
    let containers: Vec<_> = images
        .iter()
        .map(|image| format!("{{name: c, image: \"{image}\"}}"))
        .collect();
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{containers: [{}]}}}}",
        containers.join(", ")
    )
}

#[test]
fn an_image_without_a_registry_is_a_finding() {
    let folder = Folder::new(&[]);
    let digest = format!("nginx@sha256:{}", "a".repeat(64));
    for image in [
        "nginx",
        "nginx:1.27",
        "library/nginx",
        "team/app/x:1",
        &digest,
    ] {
        let found = folder.findings(&["-f", "-", "--strict-names"], &pod(&[image]));
        assert_eq!(found.len(), 1, "{image}");
        assert!(
            found[0].ends_with(" warning short-name"),
            "{image}: {found:?}"
        );
        let without = folder.findings(&["-f", "-"], &pod(&[image]));
        assert_eq!(without, Vec::<String>::new(), "{image}");
    }
    for image in [
        "docker.io/library/nginx",
        "index.docker.io/nginx",
        "localhost/x",
        "reg:5000/x",
        "ghcr.io/acme/app:1",
    ] {
        let found = folder.findings(&["-f", "-", "--strict-names"], &pod(&[image]));
        assert_eq!(found, Vec::<String>::new(), "{image}");
    }
}

#[test]
fn the_full_name_is_suggested() {
    let folder = Folder::new(&[]);
    let run = folder.check(&["-f", "-", "--strict-names"], &pod(&["nginx:1.27"]));
    assert!(
        run.stdout.starts_with(
            "warning: Pod default/p: spec.containers[0].image \"nginx:1.27\" names no registry: nodes with CRI-O may not pull it from docker.io"
        ),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("help: Write docker.io/library/nginx:1.27, or the registry that is meant."),
        "{}",
        run.stdout
    );
    assert_eq!(run.code, 1);
    let lenient = ["-f", "-", "--strict-names", "--fail-on", "error"];
    assert_eq!(folder.check(&lenient, &pod(&["nginx"])).code, 0);
}

/// A placeholder of a template is not a short name, and exempt objects have none.
#[test]
fn placeholders_and_exempt_namespaces_are_left_alone() {
    let folder = Folder::new(&[]);
    let gateway = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: g}, spec: {template: {metadata: {annotations: {inject.istio.io/templates: gateway}}, spec: {containers: [{name: istio-proxy, image: auto}]}}}}";
    // The labels of the namespace may switch the injection on.
    let bare = gateway.replace(
        "metadata: {annotations: {inject.istio.io/templates: gateway}}, ",
        "",
    );
    assert!(bare.contains("template: {spec"), "{bare}");
    let exempt = pod(&["nginx"]).replace("name: p", "name: p, namespace: kube-system");
    for text in [gateway, &bare, &exempt] {
        let found = folder.findings(&["-f", "-", "--strict-names"], text);
        assert_eq!(found, Vec::<String>::new(), "{text}");
    }
}
