//! The installation of Pullgate by its chart.

use crate::control_plane::Output;
use crate::ground::Ground;
use crate::process::wait_for;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The namespace of the release.
pub(crate) const NAMESPACE: &str = "pullgate";
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/pullgate");

impl Ground {
    /// Installs or upgrades Pullgate with these values (`key=value`), and waits until it is ready.
    pub(crate) fn install(&self, values: &[&str]) {
        self.prepare_namespace();
        let output = self.helm_upgrade(&[values, &["image.tag=test"]].concat(), &["--wait"]);
        assert!(output.ok, "{output:?}\n{}", self.pods_of_pullgate());
    }

    /// Installs Pullgate with default values unless it is installed.
    pub(crate) fn ensure_installed(&self) {
        if !self.is_installed() {
            self.install(&[]);
        }
        self.apply(crate::scenarios::POLICY);
        wait_for("all replicas are ready", || self.ready_replicas() == 2);
    }

    /// Runs `helm upgrade --install`.
    pub(crate) fn helm_upgrade(&self, values: &[&str], flags: &[&str]) -> Output {
        let image = format!("image.repository={}/pullgate", crate::registry::NAME);
        let mut args = vec!["upgrade", "--install", "pullgate", CHART, "-n", NAMESPACE];
        args.extend([
            "--set",
            &image,
            "--set",
            "imagePullSecrets[0].name=own-pull",
        ]);
        args.extend(["--timeout", "120s"]);
        args.extend_from_slice(flags);
        for value in values {
            args.extend(["--set", value]);
        }
        self.tool("helm", &args)
    }

    /// Runs `helm uninstall`, if Pullgate is installed.
    pub(crate) fn uninstall(&self) {
        if self.is_installed() {
            let output = self.tool(
                "helm",
                &["uninstall", "pullgate", "-n", NAMESPACE, "--wait"],
            );
            assert!(output.ok, "{output:?}");
        }
    }

    fn is_installed(&self) -> bool {
        self.tool("helm", &["status", "pullgate", "-n", NAMESPACE])
            .ok
    }

    /// Creates the namespace of the release, and in it the pull secret for Pullgate's own image.
    pub(crate) fn prepare_namespace(&self) {
        if !self.plane.kubectl(&["get", "namespace", NAMESPACE], "").ok {
            self.run(&["create", "namespace", NAMESPACE]);
            self.pull_secret(NAMESPACE, "own-pull");
        }
    }

    /// Scales Pullgate, and waits until all replicas are ready.
    pub(crate) fn scale(&self, replicas: u64) {
        let flag = format!("--replicas={replicas}");
        self.run(&["-n", NAMESPACE, "scale", "deployment/pullgate", &flag]);
        if replicas == 0 {
            self.wait_for_no_pods();
        } else {
            wait_for("all replicas are ready", || {
                self.ready_replicas() == replicas
            });
        }
    }

    /// Waits until all pods of the release are gone.
    pub(crate) fn wait_for_no_pods(&self) {
        self.run(&[
            "-n",
            NAMESPACE,
            "wait",
            "--for=delete",
            "pod",
            "-l",
            "app.kubernetes.io/name=pullgate",
            "--timeout=90s",
        ]);
    }

    /// Waits until terminating pods are gone.
    pub(crate) fn wait_for_old_pods(&self) {
        wait_for("old pods are gone", || {
            self.release_pods().len() == self.pullgate_pods().len()
        });
    }

    /// Returns the nodes of the release's pods, in order. A node with several pods appears several times.
    pub(crate) fn nodes_of_pullgate(&self) -> Vec<String> {
        let pods = self.release_pods();
        let nodes = pods
            .iter()
            .filter_map(|pod| pod["spec"]["nodeName"].as_str());
        let mut nodes: Vec<String> = nodes.map(str::to_owned).collect();
        nodes.sort_unstable();
        nodes
    }

    fn release_pods(&self) -> Vec<Value> {
        let selector = "app.kubernetes.io/name=pullgate";
        let get = ["-n", NAMESPACE, "get", "pods", "-l", selector, "-o", "json"];
        let pods: Value = serde_json::from_str(&self.run(&get)).expect("JSON");
        pods["items"].as_array().cloned().unwrap_or_default()
    }

    /// Returns how many policies each replica has put in force since its start.
    pub(crate) fn policy_generations(&self) -> Vec<i64> {
        let replicas = self.pullgate_pods();
        let generation = |replica: &Replica| replica.metric("pullgate_policy_generation");
        replicas.iter().map(generation).collect()
    }

    /// Returns the log of a pod.
    pub(crate) fn logs(&self, pod: &Replica) -> String {
        self.plane
            .kubectl(&["-n", NAMESPACE, "logs", &pod.name], "")
            .stdout
    }

    /// Returns the number of ready replicas.
    pub(crate) fn ready_replicas(&self) -> u64 {
        let get = [
            "-n",
            NAMESPACE,
            "get",
            "deployment",
            "pullgate",
            "-o",
            "json",
        ];
        let deployment: Value = serde_json::from_str(&self.run(&get)).expect("JSON");
        deployment["status"]["readyReplicas"]
            .as_u64()
            .unwrap_or_default()
    }

    /// Returns the pods of the release and their logs, to find a fault.
    pub(crate) fn pods_of_pullgate(&self) -> String {
        let selector = "app.kubernetes.io/name=pullgate";
        let show = |args: &[&str]| {
            let output = self.plane.kubectl(&[&["-n", NAMESPACE], args].concat(), "");
            format!("{}{}\n", output.stdout, output.stderr)
        };
        [
            show(&["get", "pods", "-o", "wide"]),
            show(&["get", "events"]),
            show(&["logs", "-l", selector, "--tail=40", "--prefix"]),
        ]
        .concat()
    }

    /// Returns the pods of the release that are not terminating.
    pub(crate) fn pullgate_pods(&self) -> Vec<Replica> {
        let pods = self.release_pods();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        pods.iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .map(|pod| Replica {
                name: text(&pod["metadata"]["name"]),
                address: text(&pod["status"]["podIP"]),
            })
            .collect()
    }
}

/// A pod of the release.
pub(crate) struct Replica {
    /// The name of the pod.
    pub name: String,
    /// The address of the pod. Empty while the pod has none.
    pub address: String,
}

impl Replica {
    /// Returns the answer of the admin port for any status. Empty if the port does not answer.
    pub(crate) fn admin(&self, path: &str) -> String {
        let ask = || -> std::io::Result<String> {
            let deadline = Duration::from_secs(5);
            let address = format!("{}:8080", self.address);
            let address = address.parse().map_err(std::io::Error::other)?;
            let mut stream = TcpStream::connect_timeout(&address, deadline)?;
            stream.set_read_timeout(Some(deadline))?;
            let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        body.unwrap_or_default().to_owned()
    }

    /// Returns the value of a gauge without labels, or 0 if it is not available.
    pub(crate) fn metric(&self, name: &str) -> i64 {
        let text = self.admin("/metrics");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok())
            .unwrap_or_default()
    }
}
