//! The sites where pods are created: namespaces of one API server, each with a different webhook or none.

use crate::client::Target;
use crate::control_plane::ControlPlane;
use crate::process::{Process, wait_for};
use crate::scene::{self, Scene, Size};
use crate::webhook::{self, Endpoint, LABEL};
use crate::{server, stand_in};
use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use pullgate::tls::self_signed::SelfSigned;
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;

/// A namespace and its webhook.
pub(crate) struct Site {
    /// The name of the namespace and of the webhook.
    pub(crate) name: &'static str,
    webhook: Option<Process>,
}

/// The creator of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creator {
    /// The ReplicaSet controller. Pullgate judges its pods in one call.
    Controller,
    /// A user. Pullgate is called twice for each of these pods.
    Person,
}

impl fmt::Display for Creator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controller => "by a controller",
            Self::Person => "by a person",
        })
    }
}

/// The namespace that calls Pullgate. The chart excludes Pullgate's own namespace `pullgate`.
const OURS: &str = "with-pullgate";

/// Creates all sites: without a webhook, with the constant webhook, and with Pullgate.
pub(crate) fn all(plane: &ControlPlane) -> Vec<Site> {
    let names = ["none", "constant", OURS];
    for name in names {
        webhook::namespace(plane, name, name, "");
    }
    let webhooks = [None, Some(constant(plane)), Some(pullgate(plane))];
    let sites = names.into_iter().zip(webhooks);
    let sites: Vec<_> = sites
        .map(|(name, webhook)| Site { name, webhook })
        .collect();
    for site in &sites[1..] {
        wait_for("the webhook is called", || site.injects(plane));
    }
    assert!(!sites[0].injects(plane), "there is no webhook");
    sites
}

/// Returns a client for the API server.
pub(crate) fn api_server(plane: &ControlPlane) -> Target {
    let config = std::fs::read_to_string(plane.kubeconfig()).expect("a kubeconfig");
    let address = config.split("https://").nth(1).expect("an address");
    let address = address.split('\'').next().expect("a quote");
    let certificate = std::fs::read_to_string(plane.dir().join("certs/apiserver.crt"));
    Target::new(address, "127.0.0.1", &certificate.expect("a certificate"))
}

/// Serves constant answers with only the uid exchanged: the patch that Pullgate would return on `/mutate`, and
/// `allowed` on `/validate`. The rest of the body is not read.
pub(crate) fn serve_constant(dir: &Path) {
    let answer = Scene::new(Size::Typical).answer();
    let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
    let mutate = answer.to_string();
    let response = answer["response"].as_object_mut().expect("an object");
    response.retain(|field, _| field == "uid" || field == "allowed");
    let validate = answer.to_string();
    let old = response_uid(&mutate).to_owned();
    let answering = |answer: String, old: String| {
        post(async move |body: Bytes| {
            let body = std::str::from_utf8(&body).expect("UTF-8");
            let answer = answer.replace(&old, response_uid(body));
            ([(CONTENT_TYPE, "application/json")], answer)
        })
    };
    let router = Router::new()
        .route("/mutate", answering(mutate, old.clone()))
        .route("/validate", answering(validate, old));
    stand_in::serve(dir, router);
}

/// Returns the first uid in a review, which is the uid of the request or of the response.
fn response_uid(review: &str) -> &str {
    let rest = review.split(r#""uid":""#).nth(1).expect("a uid");
    rest.split('"').next().expect("a quote")
}

impl Site {
    /// Returns the processor time that the webhook has used, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let id = self.webhook.as_ref().map(Process::id);
        id.map_or(0.0, server::cpu)
    }

    /// Returns a request that creates a pod here by dry run.
    pub(crate) fn request(&self, creator: Creator) -> Vec<u8> {
        let user = match creator {
            Creator::Controller => {
                "Impersonate-User: system:serviceaccount:kube-system:replicaset-controller\r\n"
            }
            Creator::Person => "",
        };
        let (body, name) = (creator.pod().to_string(), self.name);
        let head = format!(
            "POST /api/v1/namespaces/{name}/pods?dryRun=All HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin\r\n\
             {user}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        (head + &body).into_bytes()
    }

    /// Returns whether a pod gets its pull secret here.
    fn injects(&self, plane: &ControlPlane) -> bool {
        let pod = Creator::Person.pod().to_string();
        let create = "create --dry-run=server -o yaml -f -";
        let args: Vec<_> = ["-n", self.name]
            .into_iter()
            .chain(create.split(' '))
            .collect();
        let created = plane.kubectl(&args, &pod);
        assert!(created.ok, "{created:?}");
        created.stdout.contains("contoso-pull")
    }
}

impl Creator {
    /// Returns a pod as this creator sends it.
    fn pod(self) -> Value {
        let mut pod = scene::pod(Size::Typical, &[]);
        let metadata = pod["metadata"].as_object_mut().expect("an object");
        metadata.remove("managedFields");
        if self == Self::Person {
            metadata.remove("ownerReferences");
        }
        pod
    }
}

/// Starts Pullgate as the chart registers it, with a policy from a file, and watching the cluster.
fn pullgate(plane: &ControlPlane) -> Process {
    let dir = certified(plane, OURS);
    let file = |name: &str| dir.join(name);
    std::fs::write(file("policy.yaml"), scene::policy_text(10)).expect("a file");
    let [policy, certificate, key] = ["policy.yaml", "tls.crt", "tls.key"].map(file);
    let args = server::serve(&policy, &certificate, &key);
    let mut args: Vec<_> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    args.extend([
        "--kubeconfig".to_owned(),
        plane.kubeconfig().display().to_string(),
    ]);
    let (process, endpoint) = started(env!("CARGO_BIN_EXE_pullgate").as_ref(), &args, &dir);
    let chart = include_str!("../../tests/chart/default.yaml");
    webhook::register(plane, OURS, chart, &endpoint);
    process
}

/// Starts the constant webhook, which is called twice for each pod.
fn constant(plane: &ControlPlane) -> Process {
    let dir = certified(plane, "constant");
    let this = std::env::current_exe().expect("this program");
    let args = ["--serve".to_owned(), dir.display().to_string()];
    let (process, endpoint) = started(&this, &args, &dir);
    let webhook = |path: &str| {
        json!([{
            "name": "constant.example.com",
            "clientConfig": {
                "url": format!("https://127.0.0.1:{}{path}", endpoint.port),
                "caBundle": webhook::base64(&endpoint.certificate),
            },
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
            "namespaceSelector": {"matchLabels": {LABEL: "constant"}},
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
        }])
    };
    for (kind, path) in [("Mutating", "/mutate"), ("Validating", "/validate")] {
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": format!("{kind}WebhookConfiguration"),
            "metadata": {"name": "constant"},
            "webhooks": webhook(path),
        });
        let applied = plane.kubectl(&["apply", "-f", "-"], &configuration.to_string());
        assert!(applied.ok, "{applied:?}");
    }
    process
}

/// Creates a folder with a certificate.
fn certified(plane: &ControlPlane, name: &str) -> std::path::PathBuf {
    let dir = plane.dir().join(name);
    let pair = SelfSigned::new(&["127.0.0.1"]).expect("a certificate");
    std::fs::create_dir(&dir).expect("a folder");
    std::fs::write(dir.join("tls.crt"), &pair.certificate).expect("a file");
    std::fs::write(dir.join("tls.key"), &pair.key).expect("a file");
    dir
}

/// Starts a server, and reads its port from its log.
fn started(program: &Path, args: &[String], dir: &Path) -> (Process, Endpoint) {
    let mut process = Process::start(program, args, dir, "webhook");
    let log = process.log.clone();
    process.wait_until("a webhook", || webhook::port(&log).is_some());
    let certificate = std::fs::read_to_string(dir.join("tls.crt")).expect("a file");
    let port = webhook::port(&log).expect("it serves");
    (process, Endpoint { port, certificate })
}
