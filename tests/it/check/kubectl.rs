//! `check` reads the files that kubectl reads, and refuses those that kubectl or the API server refuses.

use super::Folder;
use pullgate::objects::kind::Kind;
use pullgate::objects::read;

const POD: &str = "\
---
apiVersion: v1
kind: Pod
metadata: {name: behind, namespace: shop}
spec:
  imagePullSecrets: [{name: regcred-shared}]
";

fn pod(spec: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: shop}}\nspec:\n{spec}")
}

/// Texts that readers of YAML 1.2 refuse. The Pod behind each of them is judged.
#[test]
fn what_kubectl_reads_is_read() {
    let folder = Folder::new(&[]);
    let map = |data: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata:\n{data}{POD}")
    };
    for data in [
        "  text: \"one\n  two\"\n",
        "  text: 'one\n\n  two'\n",
        "  text: \"don\\'t\"\n",
        "  text: !!binary aGVsbG8=\n",
        "  {\n\t\"a\": \"b\",\n\t\"c\": \"d\"\n  }\n",
        "  on: \"1\"\n  0x10: \"2\"\n",
        "  <<: {a: b}\n",
    ] {
        let findings = folder.findings(&["-f", "-"], &map(data));
        assert_eq!(findings.len(), 1, "{data}: {findings:?}");
        assert!(
            findings[0].ends_with("error banned-secret"),
            "{data}: {findings:?}"
        );
    }
    let crlf = POD.replace('\n', "\r\n");
    let (bom, behind) = (
        format!("\u{feff}{POD}"),
        format!("a: b\n---\n\u{feff}{}", &POD[4..]),
    );
    for (text, place) in [(&*crlf, "6:29"), (&bom, "6:29"), (&behind, "7:29")] {
        let found = folder.findings(&["-f", "-"], text);
        assert_eq!(found, [format!("<stdin>:{place} error banned-secret")]);
    }
}

/// A document that cannot be read is told, and the others are judged.
#[test]
fn an_unreadable_document_hides_no_other() {
    let folder = Folder::new(&[]);
    let judged = |text: &str| folder.findings(&["-f", "-"], &format!("{text}{POD}"));
    for (text, place, banned) in [
        ("a: [\n", "1:4", "7:29"),
        ("a: b: c\n", "1:5", "7:29"),
        ("{{ .Values.x }}: y\n", "1:4", "7:29"),
        ("a: {{ .Values.x }}\n", "1:7", "7:29"),
        ("a: b\n---\n[a, b]: c\n", "3:1", "9:29"),
        ("? \n: b\n", "1:1", "8:29"),
        ("a: .nan\n", "1:4", "7:29"),
        ("a: !!int b\n", "1:10", "7:29"),
        ("<<: b\n", "1:5", "7:29"),
        ("a: *b\n", "1:4", "7:29"),
        ("%YAML 1.2\n", "2:1", "7:29"),
        ("--- {a: b}\n", "1:1", "7:29"),
        (" a: b\nc: d\n", "2:1", "8:29"),
        ("a: b\n...\nc: d\n", "3:1", "9:29"),
        ("a: \u{7}\n", "1:4", "7:29"),
    ] {
        let expected = [
            format!("<stdin>:{place} error unreadable"),
            format!("<stdin>:{banned} error banned-secret"),
        ];
        assert_eq!(judged(text), expected, "{text}");
    }
    let run = folder.check(&["-f", "-"], "{{ .Values.x }}: y\n");
    assert!(
        run.stdout.contains("a mapping cannot be a key"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("helm template"), "{}", run.stdout);
}

/// YAML 1.1 makes booleans and numbers of these. The API server refuses them where a text is due.
#[test]
fn a_boolean_or_number_in_place_of_a_text_is_an_error() {
    let folder = Folder::new(&[]);
    let refused = |text: &str, place: &str, says: &str| {
        let found = folder.findings(&["-f", "-"], text);
        assert_eq!(
            found,
            [format!("<stdin>:{place} error unreadable")],
            "{text}"
        );
        let run = folder.check(&["-f", "-"], text);
        assert!(
            run.stdout.contains(&format!(": {says} has to be a text\n")),
            "{}",
            run.stdout
        );
    };
    for scalar in [
        "on", "no", "y", "1_000", "0b11", "0x1F", "017", "1.5", "true",
    ] {
        let list = format!("  imagePullSecrets: [{{name: {scalar}}}]\n");
        refused(&pod(&list), "5:29", "spec.imagePullSecrets[0].name");
    }
    let env = |value: &str| {
        pod(&format!(
            "  containers:\n  - name: a\n    image: x\n    env: [{{name: A, value: {value}}}]\n"
        ))
    };
    refused(&env("5"), "8:28", "spec.containers[0].env[0].value");
    refused(&env("off"), "8:28", "spec.containers[0].env[0].value");
    for text in ["\"5\"", "a", "null", "2027-01-31", "1.2.3", "!!str 5", "oN"] {
        assert!(
            folder.findings(&["-f", "-"], &env(text)).is_empty(),
            "{text}"
        );
    }
    let labels = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  labels: {b: yes}\n";
    refused(labels, "5:15", "metadata.labels.b");
    let data = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {b: 5}\n";
    refused(data, "4:11", "data.b");
    let args = pod("  containers: [{name: a, image: x, args: [a, 5]}]\n");
    refused(&args, "5:46", "spec.containers[0].args[1]");
}

/// Lists of texts where mappings are due, and a mapping where a list is due.
#[test]
fn a_list_of_texts_is_not_a_list_of_references() {
    let folder = Folder::new(&[]);
    let found = |text: &str| folder.findings(&["-f", "-"], text);
    let account =
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nimagePullSecrets: [team-own]\n";
    assert_eq!(
        found(&pod("  imagePullSecrets:\n  - team-own\n")),
        ["<stdin>:6:5 error unreadable"]
    );
    assert_eq!(found(account), ["<stdin>:4:20 error unreadable"]);
    assert_eq!(
        found(&pod("  imagePullSecrets: {name: own}\n")),
        ["<stdin>:5:22 error unreadable"]
    );
}

/// The API server makes an empty object of a null item, and judges the rest; so do reviews and files.
#[test]
fn a_null_item_is_an_empty_object() {
    let folder = Folder::new(&[]);
    let spec = "  imagePullSecrets: [null, {name: regcred-shared}]
  containers: [null, {name: a, image: x, env: [null, {name: A}], envFrom: [null, {secretRef: {name: legacy-1}}]}]
  initContainers: [null]
  volumes: [null, {name: v, projected: {sources: [null, {secret: {name: legacy-2}}]}}, {name: w, secret: null}]
";
    let found = folder.findings(&["-f", "-"], &pod(spec));
    assert_eq!(
        found,
        [
            "<stdin>:5:35 error banned-secret",
            "<stdin>:6:101 error banned-secret",
            "<stdin>:8:73 error banned-secret"
        ]
    );
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, ownerReferences: [null]}\nsecrets: [null]\nimagePullSecrets: [null, {name: legacy-1}]\n";
    assert_eq!(
        folder.findings(&["-f", "-"], account),
        ["<stdin>:5:33 error banned-secret"]
    );
    let json = r#"{"spec": {"imagePullSecrets": [null, {"name": "a"}, {}]}}"#;
    let read = read::read(Kind::Pod, json).expect("a Pod");
    let places: Vec<_> = read
        .references
        .iter()
        .map(|used| used.place.to_string())
        .collect();
    assert_eq!(places, ["imagePullSecrets[1]"]);
    assert_eq!(read.pod.expect("a spec").pull_secrets, ["", "a", ""]);
}

/// An entry that a strategic merge patch deletes is not in the object afterwards.
#[test]
fn what_a_patch_deletes_is_not_reported() {
    let folder = Folder::new(&[]);
    let found = |text: &str| folder.findings(&["-f", "-"], text);
    let list = |items: &str| pod(&format!("  imagePullSecrets:\n{items}"));
    assert!(found(&list("  - {name: regcred-shared, $patch: delete}\n")).is_empty());
    assert!(found(&list("  - $patch: delete\n    name: legacy-1\n")).is_empty());
    assert_eq!(
        found(&list(
            "  - {name: regcred-shared, $patch: delete}\n  - {name: legacy-1}\n"
        )),
        ["<stdin>:7:12 error banned-secret"]
    );
    assert_eq!(
        found(&list("  - $patch: replace\n  - {name: legacy-1}\n")),
        ["<stdin>:7:12 error banned-secret"]
    );
    assert!(found(&pod("  containers:\n  - {name: a, $patch: delete, envFrom: [{secretRef: {name: legacy-1}}]}\n")).is_empty());
    assert!(
        found(&pod(
            "  volumes: [{name: a, secret: {$patch: delete, secretName: legacy-1}}]\n"
        ))
        .is_empty()
    );
    assert!(
        found(&pod(
            "  $setElementOrder/imagePullSecrets: [{name: legacy-1}]\n"
        ))
        .is_empty()
    );
    assert!(
        found(&pod(
            "  $retainKeys: [containers]\n  $deleteFromPrimitiveList/x: [legacy-1]\n"
        ))
        .is_empty()
    );
    let object = pod("  imagePullSecrets: [{name: legacy-1}]\n") + "$patch: delete\n";
    assert!(found(&object).is_empty());
}

/// Go skips line ends in base64, and bits behind the last byte; spaces it refuses.
#[test]
fn base64_is_read_as_go_reads_it() {
    let secret = |data: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\ntype: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: {data}\n"
        )
    };
    let read = |data: &str| {
        let manifests = pullgate::objects::manifest::read(&secret(data));
        manifests.objects[0]
            .docker_content()
            .is_ok_and(|content| content.is_some())
    };
    assert!(read("eyJhdXRocyI6e319"));
    assert!(read("|\n    eyJhdXRo\n    cyI6e319"));
    assert!(read("e30K"));
    assert!(read("e31="), "two bits behind the last byte");
    assert!(!read(">-\n    eyJhdXRo\n    cyI6e319"), "a space");
    assert!(!read("e30"), "no padding");
}
