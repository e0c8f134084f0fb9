//! Continuous admissions during an event, and the result of each.

use crate::ground::Ground;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client, Error};
use pullgate::cluster;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The minimum number of admissions. `PULLGATE_TEST_ADMISSIONS` overrides it.
const ADMISSIONS: usize = 2000;
const WORKERS: usize = 4;
/// The namespace of the objects.
const NAMESPACE: &str = "load";

/// The results of the admissions.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The number of webhook calls with the expected answer: two for a Pod, one for a Deployment.
    pub good: usize,
    /// The answers of the API server that were not as expected, each with its time.
    pub failed: Vec<String>,
    /// The number of requests that did not reach the API server.
    pub unreached: usize,
    /// The duration of the longest request.
    pub longest: Duration,
}

struct Shared {
    is_over: AtomicBool,
    good: AtomicUsize,
    counts: Mutex<Counts>,
    began: Instant,
}

/// Lets several clients send requests while the action runs, and afterwards until the minimum is reached.
pub(crate) fn during(ground: &Ground, what: &str, action: impl FnOnce()) -> Counts {
    if !ground
        .plane
        .kubectl(&["get", "namespace", NAMESPACE], "")
        .ok
    {
        ground.run(&["create", "namespace", NAMESPACE]);
    }
    let shared = Arc::new(Shared {
        is_over: AtomicBool::new(false),
        good: AtomicUsize::new(0),
        counts: Mutex::default(),
        began: Instant::now(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let kubeconfig = ground.plane.kubeconfig();
    let client = runtime
        .block_on(cluster::client(Some(&kubeconfig)))
        .expect("a client");
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| runtime.spawn(work(client.clone(), shared.clone())))
        .collect();
    action();
    let wanted = std::env::var("PULLGATE_TEST_ADMISSIONS");
    let wanted = wanted.map_or(ADMISSIONS, |number| number.parse().expect("a number"));
    let deadline = Instant::now() + Duration::from_mins(10);
    while shared.good.load(Ordering::Relaxed) < wanted && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
    }
    shared.is_over.store(true, Ordering::Relaxed);
    for worker in workers {
        runtime.block_on(worker).expect("no panic");
    }
    let mut counts = std::mem::take(&mut *shared.counts.lock().expect("no panic"));
    counts.good = shared.good.load(Ordering::Relaxed);
    assert!(
        counts.good >= wanted,
        "{what}: {} of {wanted} admissions",
        counts.good
    );
    println!(
        "{what}: {} admissions in {:.0?}, {} failed, the longest request took {:.1?}{}",
        counts.good,
        shared.began.elapsed(),
        counts.failed.len(),
        counts.longest,
        match counts.unreached {
            0 => String::new(),
            number => format!(", {number} requests found no API server"),
        }
    );
    counts
}

/// Creates a Pod, which must get its secret (two webhooks), and a Deployment, which must be refused (one webhook), in
/// turn.
async fn work(client: Client, shared: Arc<Shared>) {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let deployments: Api<Deployment> = Api::namespaced(client, NAMESPACE);
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let spec = |more: serde_json::Value| {
        let mut spec =
            json!({"containers": [{"name": "a", "image": "contoso.azurecr.io/shop/api:1"}]});
        if let Some(more) = more.as_object() {
            spec.as_object_mut()
                .expect("an object")
                .extend(more.clone());
        }
        spec
    };
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"generateName": "load-"}, "spec": spec(json!({})),
    }))
    .expect("a pod");
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": {"generateName": "load-"},
        "spec": {
            "selector": {"matchLabels": {"app": "load"}},
            "template": {
                "metadata": {"labels": {"app": "load"}},
                "spec": spec(json!({"imagePullSecrets": [{"name": "regcred-shared"}]})),
            },
        },
    }))
    .expect("a deployment");
    while !shared.is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let created = pods.create(&params, &pod).await;
        shared.note(2, began, created, |created| match created {
            Ok(pod) if has_secret(&pod) => Ok(()),
            Ok(_) => Err("the Pod did not get its secret".to_owned()),
            Err(error) => Err(error.to_string()),
        });
        let began = Instant::now();
        let created = deployments.create(&params, &deployment).await;
        shared.note(1, began, created, |created| match created {
            Err(Error::Api(status)) if status.message.contains("banned by") => Ok(()),
            Err(error) => Err(error.to_string()),
            Ok(_) => Err("the Deployment was not refused".to_owned()),
        });
    }
}

fn has_secret(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let secrets = spec.and_then(|spec| spec.image_pull_secrets.as_ref());
    secrets.is_some_and(|secrets| secrets.iter().any(|secret| secret.name == "contoso-pull"))
}

impl Shared {
    fn note<T>(
        &self,
        webhooks: usize,
        began: Instant,
        answer: Result<T, Error>,
        judge: impl FnOnce(Result<T, Error>) -> Result<(), String>,
    ) {
        let took = began.elapsed();
        let is_reached = match &answer {
            Ok(_) | Err(Error::Api(_)) => true,
            Err(_) => false,
        };
        let judged = judge(answer);
        let mut counts = self.counts.lock().expect("no panic");
        if !is_reached {
            counts.unreached += 1;
            drop(counts);
            std::thread::sleep(Duration::from_millis(50));
            return;
        }
        counts.longest = counts.longest.max(took);
        match judged {
            Ok(()) => drop(self.good.fetch_add(webhooks, Ordering::Relaxed)),
            Err(why) => {
                let after = self.began.elapsed();
                counts
                    .failed
                    .push(format!("after {after:.1?} ({took:.1?}): {why}"));
            }
        }
    }
}

impl Counts {
    /// Asserts that no admission failed and that the API server was always reachable.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.unreached, 0);
        self.assert_none_failed();
    }

    /// Asserts that no admission failed.
    pub(crate) fn assert_none_failed(&self) {
        let first: Vec<_> = self.failed.iter().take(5).collect();
        assert!(first.is_empty(), "{} failed: {first:#?}", self.failed.len());
    }
}
