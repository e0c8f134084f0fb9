//! Short forms for requests, policies and verdicts in tests.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use pullgate::admission;
use pullgate::admission::endpoint::Endpoint;
use pullgate::facts::{Facts, ServiceAccountFacts};
use pullgate::objects::subject::Subject;
use pullgate::policy::Policy;
use pullgate::verdict::world::{Controllers, World};
use pullgate::verdict::{Mutation, mutate};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) const TODAY: Date = date(2026, 11, 22);

/// The policy of most tests.
pub(crate) const POLICY: &str = "
registries:
  - {name: contoso, images: [contoso.azurecr.io], secrets: [contoso-pull]}
  - {name: payments, images: [contoso.azurecr.io/payments], secrets: [payments-pull, contoso-pull], namespaces: {names: ['payments*']}}
  - {name: ecr, images: ['*.dkr.ecr.*.amazonaws.com'], identity: node}
  - {name: public, images: [docker.io/library], public: true}
bans:
  - {name: legacy-shared, secrets: [regcred-shared, 'legacy-*'], reason: One expiry stopped 48 namespaces., instead: contoso-pull, contact: '#platform-registry'}
exempt: {namespaces: {names: [exempt]}}
";

/// The world in which tests judge a review.
pub(crate) struct Setting {
    pub(crate) policy: Policy,
    pub(crate) facts: Facts,
    pub(crate) controllers: Controllers,
    pub(crate) today: Date,
}

/// An answer as the API server reads it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Value,
    pub(crate) patch: Option<Value>,
}

impl Setting {
    pub(crate) fn new(policy: &str) -> Self {
        let policy = crate::policy::policy(policy);
        Self {
            policy,
            facts: Facts::default(),
            controllers: Controllers::new(Vec::new()),
            today: TODAY,
        }
    }

    pub(crate) fn with_account(mut self, namespace: &str, name: &str, secrets: &[&str]) -> Self {
        let image_pull_secrets = secrets.iter().map(|name| (*name).into()).collect();
        let facts = ServiceAccountFacts {
            image_pull_secrets,
            enforce_mountable_secrets: false,
        };
        self.facts.set_service_account(namespace, name, Some(facts));
        self
    }

    pub(crate) fn with_labels(mut self, namespace: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect();
        self.facts.set_labels(namespace, Some(labels));
        self
    }

    /// Returns midnight of the setting's day.
    pub(crate) fn now(&self) -> Timestamp {
        let midnight = self.today.to_zoned(TimeZone::UTC).expect("a time");
        midnight.timestamp()
    }

    pub(crate) fn mutate(&self, review: &Value) -> Answer {
        self.answer(&review.to_string(), mutate)
    }

    pub(crate) fn validate(&self, review: &Value) -> Answer {
        self.validate_text(&review.to_string())
    }

    /// Validates a review given as text, which can have forms that a [`Value`] cannot hold.
    pub(crate) fn validate_text(&self, review: &str) -> Answer {
        self.answer(review, |world, subject| {
            Endpoint::Validate.judge(world, subject)
        })
    }

    fn answer(
        &self,
        review: &str,
        judge: for<'a> fn(&World<'a>, &'a Subject<'_>) -> Mutation<'a>,
    ) -> Answer {
        let parsed =
            admission::parse(review.as_bytes()).unwrap_or_else(|error| panic!("{error}: {review}"));
        let world = World {
            policy: &self.policy,
            facts: &self.facts,
            controllers: &self.controllers,
            now: self.now(),
        };
        let answer = parsed.answer(&judge(&world, &parsed.subject));
        Answer::read(&answer.expect("JSON"))
    }
}

impl Answer {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        use base64::prelude::{BASE64_STANDARD, Engine};
        let answer: Value = serde_json::from_slice(bytes).expect("JSON");
        assert_eq!(
            (&answer["apiVersion"], &answer["kind"]),
            (&json!("admission.k8s.io/v1"), &json!("AdmissionReview"))
        );
        let response = answer["response"].clone();
        let patch = response["patch"]
            .as_str()
            .map(|patch| BASE64_STANDARD.decode(patch).expect("base64"));
        let patch = patch.map(|patch| serde_json::from_slice(&patch).expect("JSON"));
        Self { response, patch }
    }

    pub(crate) fn allowed(&self) -> bool {
        self.response["allowed"] == true
    }

    /// Returns the message of the denial, or an empty text for an admission.
    pub(crate) fn message(&self) -> &str {
        self.response["status"]["message"]
            .as_str()
            .unwrap_or_default()
    }

    pub(crate) fn warnings(&self) -> Vec<&str> {
        self.response["warnings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    pub(crate) fn audit(&self, key: &str) -> Option<&str> {
        self.response["auditAnnotations"][key].as_str()
    }

    /// Returns the object after the patch. Panics if the patch does not apply.
    pub(crate) fn applied(&self, object: &Value) -> Value {
        let mut object = object.clone();
        if let Some(patch) = &self.patch {
            let patch: json_patch::Patch =
                serde_json::from_value(patch.clone()).expect("a JSON Patch");
            json_patch::patch(&mut object, &patch)
                .unwrap_or_else(|error| panic!("{error}: {patch}\n{object}"));
        }
        object
    }
}

/// Returns a request to create an object in the namespace `ns`.
pub(crate) fn create(group: &str, kind: &str, object: Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "uid-1", "kind": {"group": group, "version": "v1", "kind": kind},
            "name": object["metadata"]["name"], "namespace": "ns", "operation": "CREATE",
            "userInfo": {"username": "jane"}, "object": object, "oldObject": null, "dryRun": false,
        },
    })
}

/// Returns a request to create a Pod with this spec.
pub(crate) fn create_pod(spec: Value) -> Value {
    create(
        "",
        "Pod",
        json!({"metadata": {"name": "web"}, "spec": spec}),
    )
}

/// Turns a request into one for a pod that a built-in controller creates.
pub(crate) fn by_controller(mut review: Value, user: &str) -> Value {
    review["request"]["userInfo"]["username"] = json!(user);
    review["request"]["object"]["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "controller": true}]);
    review
}

/// Turns a request into an update of this old object.
pub(crate) fn update(mut review: Value, old: Value) -> Value {
    review["request"]["operation"] = json!("UPDATE");
    review["request"]["oldObject"] = old;
    review
}

/// Moves a request to another namespace.
pub(crate) fn in_namespace(mut review: Value, namespace: &str) -> Value {
    review["request"]["namespace"] = json!(namespace);
    review
}

/// The result of a command.
pub(crate) struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `pullgate` in a folder.
pub(crate) fn run_in(dir: &Path, args: &[&str], stdin: &str) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pullgate");
    let mut input = child.stdin.take().expect("piped");
    // The program may exit without reading its stdin.
    let _ = input.write_all(stdin.as_bytes());
    drop(input);
    let output = child.wait_with_output().expect("pullgate");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run {
        code: output.status.code().expect("a code"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Runs a Go program, a package of the module in this folder, and returns its answer to each line.
pub(crate) fn ask_go(folder: &str, package: &str, lines: String) -> Vec<Value> {
    assert!(
        std::env::var_os("PULLGATE_TESTS").is_none_or(|which| which != "fast"),
        "`tests/run fast` runs without Go: name this test in tests/run, so that it is skipped there"
    );
    let mut go = Command::new("go")
        .args(["run", package])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect(
            "this test compares with Go: install Go and add it to the PATH (https://go.dev/dl)",
        );
    let mut stdin = go.stdin.take().expect("piped");
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = go.wait_with_output().expect("go run");
    writer
        .join()
        .expect("no panic")
        .expect("Go read everything");
    assert!(output.status.success(), "go run failed: {}", output.status);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}
