//! `pullgate check` on manifests.

mod ci_examples;
mod credentials;
mod facts;
mod judgement;
mod kubectl;
mod misplaced;
mod objects;
mod output;
mod policy;
mod sarif;
mod secret_makers;
mod short_names;
mod unjudged;

use crate::policy::EXAMPLE;
use crate::support::{Run, run_in};
use serde_json::Value;

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

fn indented(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| format!("    {line}\n")).collect();
    lines.concat()
}
