//! `pullgate check` on manifests.

use crate::policy::EXAMPLE;
use crate::support::{Run, run_in};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with files, in which the command runs.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("policy.yaml", EXAMPLE);
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn check(&self, args: &[&str], stdin: &str) -> Run {
        let args = [&["check", "--policy", "policy.yaml"], args].concat();
        run_in(self.0.path(), &args, stdin)
    }

    /// `FILE:LINE:COLUMN SEVERITY CODE` of each finding.
    fn findings(&self, args: &[&str], stdin: &str) -> Vec<String> {
        let run = self.check(&[args, &["-o", "json"]].concat(), stdin);
        let report: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
        let told = |finding: &Value| {
            let text = |key: &str| finding[key].as_str().expect(key).to_owned();
            format!(
                "{}:{}:{} {} {}",
                text("file"),
                finding["line"],
                finding["column"],
                text("severity"),
                text("code")
            )
        };
        report["findings"]
            .as_array()
            .expect("a list")
            .iter()
            .map(told)
            .collect()
    }
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  namespace: payments
spec:
  template:
    spec:
      imagePullSecrets:
        - name: regcred-shared
      containers:
        - name: api
          image: contoso.azurecr.io/payments/api:1.4
";

#[test]
fn findings_look_as_those_of_rustc() {
    let folder = Folder::new(&[("api.yaml", DEPLOYMENT)]);
    let run = folder.check(&["-f", "api.yaml"], "");
    let expected = "\
error: Deployment payments/api: spec.template.spec.imagePullSecrets[0] names \"regcred-shared\", banned by \"legacy-shared\" (One expiry stopped 48 namespaces.)
  --> api.yaml:10:17
   |
10 |         - name: regcred-shared
   |                 ^^^^^^^^^^^^^^
   |
   = help: Remove it: \"contoso-pull\" is added to the pods by itself for contoso.azurecr.io. Ask #platform-registry. See https://wiki.example.com/pull-secrets

would be injected into the pods of:
  Deployment payments/api: contoso-pull (contoso)
";
    assert_eq!(run.stdout, expected);
    assert_eq!(
        run.stderr,
        "pullgate: checked 1 object in 1 file: 1 error, 0 warnings\n"
    );
    assert_eq!(run.code, 1);
}

/// One judgement, many mouths: what the webhook would say about the object is what `check` says.
#[test]
fn trap_11_the_judgement_is_that_of_the_webhook() {
    let setting =
        crate::support::Setting::new(EXAMPLE.split_once("kind: PullPolicy").expect("a policy").1);
    let object = json!({
        "metadata": {"name": "api", "namespace": "ns"},
        "spec": {"template": {"spec": {
            "imagePullSecrets": [{"name": "legacy-1"}, {"name": "fine"}],
            "containers": [{"name": "c", "image": "BAD IMAGE", "envFrom": [{"secretRef": {"name": "regcred-shared"}}]}],
            "volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "legacy-2"}}]}}],
        }}},
    });
    let answer = setting.validate(&crate::support::create(
        "apps",
        "Deployment",
        object.clone(),
    ));
    let mut manifest = object;
    manifest["apiVersion"] = json!("apps/v1");
    manifest["kind"] = json!("Deployment");
    let folder = Folder::new(&[]);
    let run = folder.check(&["-f", "-", "-o", "json"], &manifest.to_string());
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let fields = |severity: &str| -> Vec<&str> {
        let findings = report["findings"].as_array().expect("a list").iter();
        findings
            .filter(|finding| finding["severity"] == severity)
            .filter_map(|finding| finding["field"].as_str())
            .collect()
    };
    let causes = answer.response["status"]["details"]["causes"]
        .as_array()
        .expect("a list");
    let denied: Vec<_> = causes
        .iter()
        .filter_map(|cause| cause["field"].as_str())
        .collect();
    // The answer has them in the order of the fields, a report in that of the text.
    let sorted = |mut fields: Vec<&str>| {
        fields.sort_unstable();
        fields.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(sorted(fields("error")), sorted(denied.clone()));
    assert_eq!(denied.len(), 3);
    assert_eq!(fields("warning").len(), answer.warnings().len());
}

/// Every way in which objects come.
#[test]
fn objects_are_found_wherever_they_are() {
    let folder = Folder::new(&[
        ("two.yaml", &format!("# Source: x\n---\n{DEPLOYMENT}---\n# nothing\n---\n{DEPLOYMENT}...\n")),
        ("list.yaml", "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: p}
  spec:
    imagePullSecrets: [{name: legacy-1}]
- apiVersion: v1
  kind: List
  items:
  - {apiVersion: v1, kind: ServiceAccount, metadata: {name: s}, imagePullSecrets: [{name: legacy-2}]}
"),
        ("typed.json", "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"PodList\",\n\t\"items\": [\n\t\t{\"metadata\": {\"name\": \"p\"}, \"spec\": {\"imagePullSecrets\": [\n\t\t\t{\"name\": \"legacy-\\u0031\"}\n\t\t]}}\n\t]\n}\n"),
        ("merge.yml", "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: a}
  spec: &spec
    imagePullSecrets:
    - &pull {name: legacy-1}
- apiVersion: v1
  kind: Pod
  metadata: {name: b}
  spec:
    <<: *spec
    containers: [{name: c, image: x}]
- apiVersion: v1
  kind: Pod
  metadata: {name: c}
  spec: {<<: [*spec], imagePullSecrets: []}
"),
        ("nested/deeper/cron.yaml", "\
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, env: [
  {name: X, valueFrom: {secretKeyRef: {name: regcred-shared, key: k}}}]}]}}}}}
"),
        ("notes.txt", "apiVersion: v1\nkind: Pod\n"),
        (".hidden/pod.yaml", "what: ever"),
    ]);
    let found = |args: &[&str]| folder.findings(args, "");
    assert_eq!(
        found(&["-f", "two.yaml"]),
        [
            "two.yaml:12:17 error banned-secret",
            "two.yaml:28:17 error banned-secret"
        ]
    );
    assert_eq!(
        found(&["-f", "list.yaml"]),
        [
            "list.yaml:8:31 error banned-secret",
            "list.yaml:12:91 error banned-secret"
        ]
    );
    assert_eq!(
        found(&["-f", "typed.json"]),
        ["typed.json:6:13 error banned-secret"]
    );
    assert_eq!(
        found(&["-f", "merge.yml"]),
        [
            "merge.yml:9:20 error banned-secret",
            "merge.yml:9:20 error banned-secret"
        ]
    );
    assert_eq!(
        found(&["-f", "nested"]),
        ["nested/deeper/cron.yaml:5:46 error banned-secret"]
    );
    assert_eq!(found(&["-f", "."]).len(), 8);
    assert_eq!(
        found(&["-f", "two.yaml", "list.yaml", "-f", "nested"]).len(),
        5
    );
    assert_eq!(
        folder.findings(&["-f", "-"], DEPLOYMENT),
        ["<stdin>:10:17 error banned-secret"]
    );
}

#[test]
fn a_chart_is_not_read_before_it_is_rendered() {
    let folder = Folder::new(&[
        (
            "charts/shop/Chart.yaml",
            "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        ),
        ("charts/shop/values.yaml", "replicas: 1\n"),
        (
            "charts/shop/templates/api.yaml",
            "{{- if .Values.x }}\napiVersion: v1\n{{ end }}\n",
        ),
        ("charts/shop/crds/a.yaml", DEPLOYMENT),
    ]);
    for path in ["charts/shop/templates", "charts/shop/templates/api.yaml"] {
        let run = folder.check(&["-f", path], "");
        assert!(
            run.stderr.contains("charts/shop is a chart"),
            "{}",
            run.stderr
        );
    }
    let run = folder.check(&["-f", "charts"], "");
    assert!(
        run.stdout.contains("--> charts/shop/crds/a.yaml:10:17"),
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("pullgate: charts/shop is a chart, its templates were not looked at: check what `helm template` makes of it"), "{}", run.stderr);
    assert!(run.stderr.contains("checked 1 object in 3 files: 1 error, 0 warnings (2 documents are no objects of Kubernetes)"), "{}", run.stderr);
}

/// Promise 5. Of a line is shown what leads to the place, and the place: whatever else is there may be a secret.
#[test]
fn promise_5_no_credential_of_a_manifest_is_shown() {
    let secret = "apiVersion: v1\nkind: Secret\n";
    let docker = "type: kubernetes.io/dockerconfigjson";
    let pod = "apiVersion: v1, kind: Pod, metadata: {name: p}";
    let pull = "imagePullSecrets: [{name: legacy-1}]";
    let long = "x".repeat(200);
    let files = [
        format!("{secret}metadata:\n  name: legacy-hub\n  annotations: {{last-applied: 'hidden'}}\n{docker}\ndata: {{a: hidden}}\nstringData:\n  b: |\n    hidden\n"),
        r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"type":"kubernetes.io/dockercfg","data":{".dockercfg":"hidden"}}"#.to_owned(),
        format!("{{{pod}, spec: {{containers: [{{name: c, env: [{{name: P, value: hidden}}], image: 'A B'}}]}}}}"),
        format!("{{{pod}, spec: {{containers: [{{name: c, image: 'A B', env: [{{name: P, value: hidden}}]}}]}}}}"),
        format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p","annotations":{{"a":"hidden {long}"}}}},"spec":{{"imagePullSecrets":[{{"name":"legacy-1"}}]}}}}"#),
        format!("{{apiVersion: v1, kind: Pod, metadata: {{name: p, annotations: {{a: hidden}}}}, spec: {{{pull}}}}}"),
        format!("{secret}{docker}\ndata:\n  .dockerconfigjson: [hidden\n"),
        format!("{secret}type: [hidden]\n"),
        format!("{secret}{docker} # hidden\n"),
        format!("{secret}{docker}\ndata: {{a: hidden, a: x}}\n"),
        format!("{secret}{docker}\ndata: {{<<: {{x: hidden}}, x: y}}\n"),
        "password: hidden\npassword: hidden\n".to_owned(),
        "apiVersion: x.y/v1\nkind: Secret\nspec: {password: hidden, password: hidden}\n".to_owned(),
        format!("{{{pod}, spec: {{containers: [{{name: c, image: 'https://bob:hidden@reg.io/x'}}, {{name: d, image: 'bob:hidden@reg.io/x'}}]}}}}"),
        format!("{{{pod}, spec: {{imagePullSecrets: [{{name: 5, hidden: hidden}}]}}}}"),
        format!("{{{pod}, spec: {{containers: [{{name: c, image: 'bob:hidden@reg.io/x@sha256:{}'}}, {{name: d, image: hidden@reg.io/x}}]}}}}", "0".repeat(64)),
        format!("{pod}\nspec:\n  containers:\n  - image: bob:hidden@reg.io/x\n").replace(", ", "\n"),
    ];
    let names: Vec<_> = (0..files.len()).map(|i| format!("f{i:02}.yaml")).collect();
    let pairs: Vec<_> = names
        .iter()
        .map(String::as_str)
        .zip(files.iter().map(String::as_str))
        .collect();
    let folder = Folder::new(&pairs);
    for format in ["text", "json", "sarif"] {
        let run = folder.check(&["-f", ".", "-o", format], "");
        assert_eq!(run.code, 1);
        let all = run.stdout + &run.stderr;
        assert!(!all.contains("hidden"), "{all}");
        for name in &names {
            assert!(all.contains(name), "{name} in {all}");
        }
    }
    let run = folder.check(&["-f", "f00.yaml", "f03.yaml", "f08.yaml"], "");
    assert!(
        run.stdout
            .contains("6 | type: kubernetes.io/dockerconfigjson\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("3 | type: kubernetes.io/dockerconfigjson\n"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("the name is banned by \"legacy-shared\""),
        "{}",
        run.stdout
    );
    // The same of what is no policy and was given for one.
    folder.write(
        "secret.json",
        r#"{"kind": "Secret", "stringData": {"password": "hidden"}}"#,
    );
    for command in [&["check"][..], &["explain", "nginx"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_pullgate"))
            .args(command)
            .args(["--policy", "secret.json"])
            .current_dir(folder.0.path())
            .output()
            .expect("pullgate");
        let all = [output.stdout, output.stderr].concat();
        let all = String::from_utf8_lossy(&all).into_owned();
        assert!(
            all.contains("secret.json:1:") && !all.contains("hidden"),
            "{all}"
        );
    }
}

/// As kubectl reads it: `kubectl label --local -f FILE a=b -o yaml` shows how that is.
#[test]
fn merge_keys_count_where_they_stand() {
    let folder = Folder::new(&[]);
    let pod = |spec: &str| {
        format!("{{apiVersion: v1, kind: Pod, metadata: {{name: p}}, spec: {{{spec}}}}}")
    };
    let count = |spec: &str| folder.findings(&["-f", "-"], &pod(spec)).len();
    let (good, bad) = (
        "imagePullSecrets: [{name: fine}]",
        "imagePullSecrets: [{name: legacy-1}]",
    );
    assert_eq!(count(&format!("{good}, <<: {{{bad}}}")), 1);
    assert_eq!(count(&format!("<<: {{{bad}}}, {good}")), 0);
    assert_eq!(count(&format!("<<: {{{good}}}, <<: {{{bad}}}")), 1);
    assert_eq!(count(&format!("<<: [{{{good}}}, {{{bad}}}]")), 0);
    assert_eq!(count(&format!("<<: [{{{bad}}}, {{{good}}}]")), 1);
    assert_eq!(
        count(&format!("{good}, {bad}")),
        2,
        "a key that is there twice, and the last one counts"
    );
}

/// In a policy a key that is there twice is a fault, in a file as in a `ConfigMap`: half of it would be lost.
#[test]
fn a_policy_is_no_manifest() {
    let folder = Folder::new(&[]);
    let faults = |policy: &str| {
        folder.write("policy.yaml", policy);
        let output = folder.check(&["-o", "json"], "").stdout;
        let report: Value = serde_json::from_str(&output).expect("JSON");
        let findings = report["findings"].as_array().expect("a list").iter();
        findings
            .map(|finding| finding["message"].as_str().expect("a text").to_owned())
            .collect::<Vec<_>>()
    };
    for (more, message) in [
        (
            "bans: [{name: a, secrets: [old]}]\nbans: []\n",
            "the key `bans` is there twice",
        ),
        ("<<: {unmatched: warn}\n", "unknown key `<<`"),
    ] {
        let policy = format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\n{more}");
        let block = indented(&policy);
        let config_map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  policy.yaml: |\n{block}"
        );
        assert_eq!(faults(&policy), [message]);
        assert_eq!(faults(&config_map), [message]);
        assert_eq!(
            faults(&format!(
                "apiVersion: v1\nkind: Namespace\nmetadata: {{name: n}}\n---\n{config_map}"
            )),
            [message]
        );
    }
}

/// A digest that is none is no password.
#[test]
fn a_bad_digest_is_told_as_what_it_is() {
    let folder = Folder::new(&[]);
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: 'reg.io:5000/x@sha256:abc'}]}}";
    let run = folder.check(&["-f", "-"], pod);
    assert!(
        run.stdout
            .contains("\"reg.io:5000/x@sha256:abc\" is no image reference"),
        "{}",
        run.stdout
    );
    let run = folder.check(
        &["-f", "-"],
        &pod.replace("reg.io:5000/x@sha256:abc", "bob:pw@reg.io:5000/x"),
    );
    assert!(
        run.stdout.contains(
            "has a user and a password before \"reg.io:5000/x\", and is no image reference"
        ),
        "{}",
        run.stdout
    );
}

#[test]
fn the_old_name_of_service_account_name_counts() {
    let folder = Folder::new(&[]);
    let text = "\
{apiVersion: v1, kind: ServiceAccount, metadata: {name: old}, imagePullSecrets: [{name: fine}]}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}, imagePullSecrets: [{name: legacy-1}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {serviceAccount: old, containers: []}}
";
    assert_eq!(
        folder.findings(&["-f", "-"], text),
        ["<stdin>:3:93 error banned-secret"],
        "only the account itself"
    );
}

/// `null` is nothing, as where it is absent.
#[test]
fn a_null_name_or_namespace_is_none() {
    let folder = Folder::new(&[]);
    for null in ["null", "~", "", "Null"] {
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, namespace: {null}}}\nspec: {{imagePullSecrets: [{{name: legacy-1}}]}}\n"
        );
        let run = folder.check(&["-f", "-", "-n", "shop"], &text);
        assert!(run.stdout.contains("error: Pod shop/p: "), "{}", run.stdout);
    }
}

/// The policy of a file is told of once, and what else is in it is judged.
#[test]
fn objects_beside_the_policy_are_judged() {
    let folder = Folder::new(&[]);
    let config_map = format!(
        "kind: ConfigMap\napiVersion: v1\nmetadata: {{name: p}}\ndata:\n  policy.yaml: |\n{}",
        indented(EXAMPLE)
    );
    folder.write("policy.yaml", &format!("{config_map}---\n{DEPLOYMENT}"));
    for name in ["policy.yaml", "./policy.yaml", "."] {
        let found = folder.findings(&["-f", name], "");
        assert_eq!(found.len(), 1, "{found:?}");
    }
    folder.write("policy.yaml", &EXAMPLE.replace("2027-01-31", "2020-01-31"));
    assert_eq!(
        folder.findings(&["-f", "."], "").len(),
        1,
        "the exception that is over"
    );
}

#[test]
fn json_values_may_follow_each_other() {
    let folder = Folder::new(&[]);
    let pod = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"imagePullSecrets": [{"name": "legacy-1"}]}}"#;
    let found = folder.findings(&["-f", "-"], &format!("{pod}\n{pod} {pod}\n\n  {pod}"));
    let column = pod.find("\"legacy").expect("it is there") + 1;
    let third = column + pod.len() + 1;
    let fourth = column + 2;
    let expected = [(1, column), (2, column), (2, third), (4, fourth)];
    assert_eq!(
        found,
        expected.map(|(line, column)| format!("<stdin>:{line}:{column} error banned-secret"))
    );
}

/// What is no Namespace of Kubernetes says nothing about one, and what contradicts itself says nothing at all.
#[test]
fn facts_come_from_the_right_objects_and_agree() {
    let folder = Folder::new(&[]);
    folder.write(
        "policy.yaml",
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nbans: [{name: b, secrets: [old]}]\n\
         exempt: {namespaces: {labels: {matchLabels: {e: f}}}}\n",
    );
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {imagePullSecrets: [{name: old}]}}\n";
    let namespace = |api: &str, label: &str| {
        format!(
            "---\n{{apiVersion: {api}, kind: Namespace, metadata: {{name: default, labels: {{e: {label}}}}}}}\n"
        )
    };
    let found = |more: &str| folder.findings(&["-f", "-"], &format!("{pod}{more}"));
    assert_eq!(
        found(&namespace("servicebus.azure.com/v1", "f")),
        ["<stdin>:1:83 warning banned-secret"]
    );
    assert_eq!(
        found(&namespace("v1", "x")),
        ["<stdin>:1:83 error banned-secret"]
    );
    assert!(found(&namespace("v1", "f")).is_empty());
    let both = namespace("v1", "x") + &namespace("v1", "f");
    assert_eq!(found(&both), ["<stdin>:1:83 warning banned-secret"]);
    let run = folder.check(&["-f", "-"], pod);
    assert!(
        run.stdout
            .contains("add what `kubectl get namespace default -o yaml` prints to the files"),
        "{}",
        run.stdout
    );
    let account = |secret: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: default}}, imagePullSecrets: [{secret}]}}\n"
        )
    };
    let bare = "---\n{apiVersion: v1, kind: Pod, metadata: {name: q}, spec: {containers: []}}\n";
    let found = |text: String| {
        folder
            .findings(&["-f", "-"], &(namespace("v1", "x") + &text))
            .len()
    };
    assert_eq!(found(account("{name: old}") + bare), 2);
    assert_eq!(
        found(account("{name: old}") + &account("") + bare),
        1,
        "only the account that lists it"
    );
    let exempt = folder
        .check(
            &["-f", "-", "-o", "json"],
            &format!("{pod}{}", namespace("v1", "f")),
        )
        .stdout;
    let exempt: Value = serde_json::from_str(&exempt).expect("JSON");
    assert_eq!(
        (&exempt["exempt"][0]["name"], &exempt["judged"]),
        (&json!("p"), &json!(true))
    );
}

#[test]
fn a_secret_that_cannot_be_injected_is_told() {
    let folder = Folder::new(&[]);
    let text = "\
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, annotations: {kubernetes.io/enforce-mountable-secrets: 'true'}}}
---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers: [{name: c, image: contoso.azurecr.io/a}]
";
    assert_eq!(
        folder.findings(&["-f", "-"], text),
        ["<stdin>:7:3 warning secret-not-mountable"]
    );
}

/// Green because of nothing is not green: `helm template` may have failed before the pipe.
#[test]
fn nothing_to_check_is_no_success() {
    let folder = Folder::new(&[("empty/notes.txt", ""), ("values.yaml", "a: 1\n")]);
    for args in [&["-f", "-"], &["-f", "empty"]] {
        let run = folder.check(args, "");
        assert_eq!((run.code, &*run.stdout), (2, ""));
        assert!(
            run.stderr.contains("there is nothing in what -f names"),
            "{}",
            run.stderr
        );
    }
    assert_eq!(folder.check(&["-f", "values.yaml"], "").code, 0);
    // What there is to say about the policy does not make it something.
    folder.write("policy.yaml", &EXAMPLE.replace("2027-01-31", "2020-01-31"));
    assert_eq!(folder.check(&["-f", "-"], "").code, 2);
}

/// Long lines and many findings: time in proportion, here 24 000 findings in one line.
#[test]
fn many_findings_in_one_line_take_no_more_than_their_share() {
    let folder = Folder::new(&[]);
    let secrets = vec![r#"{"name":"legacy-1"}"#; 24_000].join(",");
    let text = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p"}},"spec":{{"imagePullSecrets":[{secrets}]}}}}"#
    );
    let run = folder.check(&["-f", "-"], &text);
    assert_eq!(run.stdout.matches("error: ").count(), 24_000);
    let doubles = format!(
        "a: &a {{x: 1, x: 2}}\nb: [{}]\n",
        vec!["*a"; 1000].join(", ")
    );
    assert_eq!(
        folder.findings(&["-f", "-"], &doubles),
        ["<stdin>:1:14 warning double-key"]
    );
    let bomb = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, i| {
        text + &format!(
            "a{i}: &a{i} [{}]\n",
            vec![format!("*a{}", i - 1); 9].join(", ")
        )
    });
    assert_eq!(folder.findings(&["-f", "-"], &bomb).len(), 1);
}

/// What the objects beside it say is known: labels of namespaces, and what a `ServiceAccount` hands down.
#[test]
fn namespaces_and_service_accounts_are_facts() {
    let folder = Folder::new(&[]);
    folder.write(
        "policy.yaml",
        "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nbans: [{name: b, secrets: [old]}]\nexceptions:\n\
         - {bans: [b], namespaces: {labels: {matchLabels: {free: 'yes'}}}, owner: o, reason: r, expires: 2999-01-01}\n",
    );
    let pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {imagePullSecrets: [{name: old}]}}\n";
    let namespace = |label: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Namespace, metadata: {{name: ns, labels: {{free: '{label}'}}}}}}\n"
        )
    };
    let found = |text: &str| folder.findings(&["-f", "-", "-n", "ns"], text);
    assert_eq!(
        found(pod),
        ["<stdin>:2:83 warning banned-secret"],
        "the labels are unknown"
    );
    assert_eq!(
        found(&(pod.to_owned() + &namespace("no"))),
        ["<stdin>:2:83 error banned-secret"]
    );
    assert!(found(&(pod.to_owned() + &namespace("yes"))).is_empty());
    let account = "---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: ns}, imagePullSecrets: [{name: old}]}\n";
    let bare = "---\n{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: []}}\n";
    let inherited = found(&(namespace("no") + bare + account));
    assert_eq!(
        inherited,
        [
            "<stdin>:4:57 error banned-secret",
            "<stdin>:6:108 error banned-secret"
        ]
    );
    let run = folder.check(
        &["-f", "-", "-n", "ns"],
        &(namespace("no") + bare + account),
    );
    assert!(
        run.stdout
            .contains("serviceAccountName \"default\" passes \"old\" on to the pods"),
        "{}",
        run.stdout
    );
    // A pod that lists what a person wrote got it from nobody.
    let run = folder.check(&["-f", "-", "-n", "ns"], &(namespace("no") + pod));
    assert!(
        run.stdout
            .contains("spec.imagePullSecrets[0] names \"old\", banned by \"b\"\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn exceptions_in_use_are_told_with_the_days_they_have_left() {
    let folder = Folder::new(&[]);
    let today = pullgate::live::today();
    let policy = |expires: jiff::civil::Date| {
        format!(
            "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nbans: [{{name: b, secrets: [old]}}]\nexceptions:\n\
             - {{bans: [b], namespaces: {{names: [default]}}, owner: o@x, reason: PAY-1, expires: {expires}}}\n"
        )
    };
    let pod =
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {imagePullSecrets: [{name: old}]}}";
    let later = today
        .checked_add(jiff::Span::new().days(70))
        .expect("a date");
    for (expires, words) in [(today, "ends today"), (later, "70 days left")] {
        folder.write("policy.yaml", &policy(expires));
        let run = folder.check(&["-f", "-"], pod);
        let expected = format!(
            "exceptions in use:\n  b is lifted until {expires}, {words} (o@x: PAY-1): Pod default/p\n"
        );
        assert_eq!((run.code, run.stdout), (0, expected));
    }
    let report = folder.check(&["-f", "-", "-o", "json"], pod).stdout;
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let used = &report["exceptions"][0];
    assert_eq!(
        (&used["ban"], &used["daysLeft"], &used["line"]),
        (&json!("b"), &json!(70), &json!(1))
    );
    let yesterday = today.yesterday().expect("a date");
    folder.write("policy.yaml", &policy(yesterday));
    assert_eq!(folder.check(&["-f", "-"], pod).code, 1);
}

/// The places in the policy are those of the file that it is in.
#[test]
fn the_policy_is_checked_wherever_it_is() {
    let inner = "apiVersion: pullgate.dev/v1\nkind: PullPolicy\nregistries:\n  - name: a\n    images: [https://reg.io]\n    public: true\n";
    let block = indented(inner);
    let literal = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: pullgate-policy}}\ndata:\n  policy.yaml: |\n{block}"
    );
    let quoted = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: mine}}\ndata:\n  policy.yaml: {inner:?}\n"
    );
    let folder = Folder::new(&[
        ("plain.yaml", inner),
        ("literal.yaml", &literal),
        ("quoted.yaml", &quoted),
    ]);
    let after = format!("---\nkind: x\n---\n{inner}");
    assert_eq!(
        folder.findings(&["-f", "plain.yaml"], ""),
        ["plain.yaml:5:14 error policy"]
    );
    assert_eq!(
        folder.findings(&["-f", "literal.yaml"], ""),
        ["literal.yaml:10:18 error policy"]
    );
    assert_eq!(
        folder.findings(&["-f", "quoted.yaml"], ""),
        ["quoted.yaml:5:16 error policy"]
    );
    assert_eq!(
        folder.findings(&["-f", "-"], &after),
        ["<stdin>:8:14 error policy"]
    );
    let blank = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: pullgate-policy}}\ndata:\n  policy.yaml: |\n\n\n{block}"
    );
    assert_eq!(
        folder.findings(&["-f", "-"], &blank),
        ["<stdin>:12:18 error policy"]
    );
    // The same as --policy: nothing else can be judged then, and that is said.
    folder.write("policy.yaml", &literal);
    let run = folder.check(&["-f", "plain.yaml"], "");
    assert_eq!(run.code, 1);
    assert!(
        run.stdout.contains("--> policy.yaml:10:18\n")
            && run.stdout.contains("10 |         images: [https://reg.io]"),
        "{}",
        run.stdout
    );
    assert!(
        run.stderr
            .contains("the policy has faults, and so nothing else was judged"),
        "{}",
        run.stderr
    );
    // A good one in a ConfigMap judges.
    let good = indented(EXAMPLE);
    folder.write("policy.yaml", &format!("kind: ConfigMap\napiVersion: v1\nmetadata: {{name: p}}\ndata:\n  policy.yaml: |\n{good}"));
    assert_eq!(
        folder.findings(&["-f", "-"], DEPLOYMENT),
        ["<stdin>:10:17 error banned-secret"]
    );
}

#[test]
fn what_the_api_server_would_not_take_is_told_with_its_place() {
    let folder = Folder::new(&[]);
    let found = |text: &str| folder.findings(&["-f", "-"], text);
    let pod =
        |spec: &str| format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n{spec}");
    assert_eq!(
        found(&pod("  containers:\n  - name: c\n    image: 5\n")),
        ["<stdin>:8:12 error unreadable"]
    );
    assert_eq!(
        found(&pod("  containers:\n    name: c\n")),
        ["<stdin>:7:5 error unreadable"]
    );
    assert_eq!(
        found(&pod("  hostname: a\n  hostname: b\n")),
        ["<stdin>:7:3 warning double-key"]
    );
    assert_eq!(found("a: [\n"), ["<stdin>:1:4 error unreadable"]);
    assert_eq!(
        found(&format!("{DEPLOYMENT}---\nb: {{\n")),
        [
            "<stdin>:10:17 error banned-secret",
            "<stdin>:15:4 error unreadable"
        ]
    );
    for (spec, says) in [
        (
            "  containers:\n  - name: c\n    image: 5\n",
            "error: Pod p: spec.containers[0].image has to be a text\n",
        ),
        (
            "  imagePullSecrets: [legacy-1]\n",
            "error: Pod p: spec.imagePullSecrets[0] has to be a mapping\n",
        ),
        (
            "  containers: {name: c}\n",
            "error: Pod p: spec.containers has to be a list\n",
        ),
    ] {
        let run = folder.check(&["-f", "-"], &pod(spec));
        assert!(run.stdout.contains(says), "{}", run.stdout);
    }
    let run = folder.check(&["-f", "-"], "a: {{ .Values.x }\n");
    assert!(
        run.stdout
            .contains("check what `helm template` makes of it"),
        "{}",
        run.stdout
    );
    let run = folder.check(&["-f", "nowhere.yaml", "-f", "policy.yaml"], "");
    assert_eq!((run.code, &*run.stdout), (2, ""));
    assert!(
        run.stderr.contains("cannot read nowhere.yaml"),
        "{}",
        run.stderr
    );
}

/// Which findings make a pipeline fail.
#[test]
fn the_exit_code_says_whether_there_are_findings() {
    let folder = Folder::new(&[]);
    let pod =
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {imagePullSecrets: [{name: old}]}}";
    for (mode, lenient, strict) in [("enforce", 1, 1), ("warn", 0, 1), ("audit", 0, 0)] {
        folder.write(
            "policy.yaml",
            &format!("apiVersion: pullgate.dev/v1\nkind: PullPolicy\nbans: [{{name: b, secrets: [old], mode: {mode}}}]\n"),
        );
        assert_eq!(folder.check(&["-f", "-"], pod).code, strict, "{mode}");
        assert_eq!(
            folder.check(&["-f", "-", "--fail-on", "error"], pod).code,
            lenient,
            "{mode}"
        );
    }
    let without = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(["check", "-f", "x"])
        .output()
        .expect("pullgate");
    assert_eq!(without.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&without.stderr)
            .contains("name the policy: --policy FILE or --policy-configmap NAMESPACE/NAME")
    );
}

/// The types of that crate are made from the schema: what they do not know is lost on the way.
#[test]
fn the_sarif_is_valid_by_its_schema() {
    let folder = Folder::new(&[("a b#.yaml", DEPLOYMENT), ("c.yaml", "a: [\n")]);
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: payments-eu}, spec: {imagePullSecrets: [{name: legacy-1}]}}";
    folder.write("lifted.yaml", pod);
    let run = folder.check(
        &["-f", "./a b#.yaml", "c.yaml", "lifted.yaml", "-o", "sarif"],
        "",
    );
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let typed: serde_sarif::sarif::Sarif = serde_json::from_value(report.clone()).expect("SARIF");
    assert_eq!(serde_json::to_value(&typed).expect("JSON"), report);
    let results = report["runs"][0]["results"].as_array().expect("a list");
    let told = |i: usize| {
        let place = &results[i]["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("a text");
        format!(
            "{} {} {uri}:{}",
            results[i]["ruleId"], results[i]["level"], place["region"]["startLine"]
        )
    };
    assert_eq!(told(0), "\"banned-secret\" \"error\" a%20b%23.yaml:10");
    assert_eq!(told(1), "\"unreadable\" \"error\" c.yaml:1");
    assert_eq!(told(2), "\"exception\" \"note\" lifted.yaml:1");
    let rules = report["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .expect("a list");
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("a number");
        assert_eq!(
            rules[usize::try_from(index).expect("small")]["id"],
            result["ruleId"]
        );
    }
}

/// Comments, empty documents, quotes and kinds that nobody judges, as helm writes them.
#[test]
fn what_was_written_by_tools_is_read() {
    let folder = Folder::new(&[]);
    let text = "\
apiVersion: v1
kind: Namespace
metadata:
  name: payments
---
# Source: shop/templates/api.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  labels: {\"app.kubernetes.io/managed-by\": Helm}
  name: \"release-name-api\"
  namespace: payments
spec:
  replicas: 1
  template:
    metadata: {annotations: {checksum/config: 0e1}}
    spec:
      containers:
        - name: api
          image: \"contoso.azurecr.io/payments/api:1.4\"
---
# Source: shop/templates/empty.yaml

---
# Source: shop/templates/crd.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: a.b.c}
";
    let run = folder.check(&["-f", "-"], text);
    assert_eq!(run.code, 0, "{}", run.stdout);
    assert_eq!(
        run.stdout,
        "would be injected into the pods of:\n  Deployment payments/release-name-api: contoso-pull (contoso)\n"
    );
    assert!(run.stderr.contains("checked 3 objects"), "{}", run.stderr);
}

/// An annotation of a template switches injection off there, and neither of the workload.
#[test]
fn a_template_that_opts_out_gets_nothing() {
    let folder = Folder::new(&[]);
    let deployment = |own: &str, template: &str| {
        format!(
            "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d, annotations: {{{own}}}}}, spec: {{template: {{metadata: {{annotations: {{{template}}}}},\
             spec: {{containers: [{{name: c, image: contoso.azurecr.io/a}}]}}}}}}}}"
        )
    };
    let off = "pullgate.dev/inject: disabled";
    let injected = |text: &str| {
        folder
            .check(&["-f", "-"], text)
            .stdout
            .contains("contoso-pull")
    };
    assert!(injected(&deployment("", "")));
    assert!(injected(&deployment(off, "")));
    assert!(!injected(&deployment("", off)));
}

/// The hook and the workflows that the documentation offers name flags that exist.
#[test]
fn the_examples_for_ci_use_flags_that_exist() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let help = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(["check", "--help"])
        .output()
        .expect("pullgate");
    let help = String::from_utf8(help.stdout).expect("UTF-8");
    let files = [
        ".pre-commit-hooks.yaml",
        "docs/ci/github.yaml",
        "docs/ci/gitlab.yaml",
    ];
    for file in files.map(|file| root.join(file)) {
        let text = read(&file);
        let _: Value = serde_saphyr::from_str(&text).expect("YAML");
        let uses = text.lines().filter(|line| line.contains("pullgate check"));
        let flags = uses
            .filter_map(|line| line.split("pullgate check").nth(1))
            .flat_map(str::split_whitespace);
        let mut count = 0;
        for flag in flags.filter(|word| word.starts_with('-') && word.len() > 1) {
            count += 1;
            assert!(
                help.contains(&format!("{flag} ")) || help.contains(&format!("{flag},")),
                "{flag} in {}",
                file.display()
            );
        }
        assert!(count > 0, "{}", file.display());
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("    {line}\n")).collect();
    lines.concat()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
