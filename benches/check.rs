//! Measures the time that `check` needs for 1 000 objects. `cargo bench --bench check`

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark prints results and panics on errors"
)]

use jiff::Timestamp;
use jiff::civil::date;
use pullgate::policy::Policy;
use pullgate::reports::check::{Input, Report, Settings};
use pullgate::text::diagnostic::Colour;
use std::time::{Duration, Instant};

const ROUNDS: usize = 21;

fn main() {
    let policy = include_str!("../src/commands/example-policy.yaml");
    let policy = Policy::load(policy, date(2026, 1, 1))
        .policy
        .expect("a policy");
    println!(
        "{:<34} {:>8} {:>9} {:>9}",
        "1000 objects", "size", "median", "slowest"
    );
    for (what, offenders) in [
        ("no object with a finding", 0),
        ("a finding in every tenth object", 100),
        ("a finding in each object", 1000),
    ] {
        let text = manifests(1000, offenders);
        let mut times: Vec<Duration> = (0..ROUNDS).map(|_| check(&text, &policy)).collect();
        times.sort();
        let size = text.len() / 1024;
        println!(
            "{what:<34} {size:>5} KB {:>6.1} ms {:>6.1} ms",
            millis(times[ROUNDS / 2]),
            millis(times[ROUNDS - 1])
        );
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn check(text: &str, policy: &Policy) -> Duration {
    let input = Input {
        name: "all.yaml".to_owned(),
        text: text.to_owned(),
        is_policy: false,
    };
    let began = Instant::now();
    let mut report = Report::default();
    let settings = Settings {
        policy,
        namespace: "default",
        now: Timestamp::UNIX_EPOCH,
        strict_names: false,
    };
    report.add_manifests(vec![input], &settings);
    let shown = report.text(Colour::Never);
    let took = began.elapsed();
    assert!(!shown.is_empty());
    took
}

/// Returns deployments like real ones: with labels, resources, probes, variables and volumes.
fn manifests(count: usize, offenders: usize) -> String {
    let mut text = String::new();
    for i in 0..count {
        let is_offender = i * offenders / count < (i + 1) * offenders / count;
        let secret = if is_offender {
            "regcred-shared"
        } else {
            "team-pull"
        };
        let manifest = DEPLOYMENT
            .replace("SECRET", secret)
            .replace("NUMBER", &i.to_string());
        text.push_str(&manifest);
    }
    text
}

const DEPLOYMENT: &str = "---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api-NUMBER
  namespace: team-a
  labels:
    app.kubernetes.io/name: api-NUMBER
    app.kubernetes.io/part-of: shop
    app.kubernetes.io/managed-by: Helm
spec:
  replicas: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: api-NUMBER
  template:
    metadata:
      labels:
        app.kubernetes.io/name: api-NUMBER
        app.kubernetes.io/part-of: shop
    spec:
      serviceAccountName: api
      imagePullSecrets:
        - name: SECRET
      containers:
        - name: api
          image: contoso.azurecr.io/shop/api:1.NUMBER
          ports:
            - name: http
              containerPort: 8080
          env:
            - name: LOG_LEVEL
              value: info
            - name: DATABASE_PASSWORD
              valueFrom:
                secretKeyRef:
                  name: database
                  key: password
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits: {memory: 256Mi}
          readinessProbe:
            httpGet: {path: /ready, port: http}
          volumeMounts:
            - name: config
              mountPath: /etc/api
      volumes:
        - name: config
          configMap:
            name: api-config
";
