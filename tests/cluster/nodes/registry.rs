//! A real registry that asks for a password, and the images in it.

use crate::control_plane::ADDRESS;
use crate::process::{Process, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How nodes call the registry: a name as in real life.
pub(crate) const NAME: &str = "contoso.azurecr.io";
/// Another name of it, with a port.
pub(crate) const NAME_WITH_PORT: &str = "registry.test:5000";
/// And another: what has no host in its name is looked for there.
pub(crate) const DOCKER_HUB: &str = "docker.io";
/// Who may pull and push.
pub(crate) const USER: &str = "robot";
/// With this password.
pub(crate) const PASSWORD: &str = "pull-me";
/// Another one, whose password has a colon.
pub(crate) const USER_WITH_COLON: (&str, &str) = ("clerk", "a:b");
/// Accounts whose password no test knows. The registry logs who came with a wrong one only of accounts that there are.
pub(crate) const STRANGERS: [&str; 3] = ["anna", "ben", "cleo"];
/// The bcrypt hashes of their passwords.
const HTPASSWD: &str = "\
robot:$2a$04$deZnLQhrzZwwfxXx2VRVjehMttWreWpo7mni8JCks.18raNEiJL5a
clerk:$2a$04$IKpIFQIMdPzq2dboiMgVYuE0F0n/NU1CDtNppVDIgMSwP0.utL6gm
anna:$2a$04$XZnb0ystr9buKhHf3Jq8eeNzK5.OMDNE4qDXRrBZwU4hG3NKwQGZa
ben:$2a$04$XZnb0ystr9buKhHf3Jq8eeNzK5.OMDNE4qDXRrBZwU4hG3NKwQGZa
cleo:$2a$04$XZnb0ystr9buKhHf3Jq8eeNzK5.OMDNE4qDXRrBZwU4hG3NKwQGZa
";
const PORT: u16 = 5000;

/// The registry.
pub(crate) struct Registry {
    server: Process,
    bin: PathBuf,
    dir: PathBuf,
}

impl Registry {
    /// Starts an empty one.
    pub(crate) fn start(bin: &Path, dir: &Path) -> Self {
        let dir = dir.join("registry");
        std::fs::create_dir(&dir).expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(dir.join(name), text).expect("a file");
        write("htpasswd", HTPASSWD);
        write(
            "config.yaml",
            &format!(
                "version: 0.1\nlog: {{level: info, formatter: json, accesslog: {{disabled: true}}}}\n\
                 storage: {{filesystem: {{rootdirectory: {root}/data}}}}\n\
                 http: {{addr: '{ADDRESS}:{PORT}', secret: x}}\n\
                 auth: {{htpasswd: {{realm: test, path: {root}/htpasswd}}}}\n",
                root = dir.display()
            ),
        );
        write(
            "config.json",
            &format!(
                r#"{{"auths": {{"{ADDRESS}:{PORT}": {{"username": "{USER}", "password": "{PASSWORD}"}}}}}}"#
            ),
        );
        let args = [
            "serve".to_owned(),
            dir.join("config.yaml").display().to_string(),
        ];
        let server = Process::start(&bin.join("registry"), &args, &dir, "registry");
        let registry = Self {
            server,
            bin: bin.to_owned(),
            dir,
        };
        wait_for("the registry answers", || {
            registry.crane(&["catalog", &format!("{ADDRESS}:{PORT}")])
        });
        registry
    }

    /// Pushes an image `REPOSITORY:TAG` with one static program in it.
    pub(crate) fn push(&self, image: &str, program: &Path) {
        let layer = self.layer(program);
        let name = program.file_name().expect("a name").to_string_lossy();
        let target = format!("{ADDRESS}:{PORT}/{image}");
        let append = ["append", "--oci-empty-base", "-f", &layer, "-t", &target];
        assert!(self.crane(&append), "crane append {image}");
        let entrypoint = format!("/{name}");
        let mutate = [
            "mutate",
            &target,
            "--entrypoint",
            &entrypoint,
            "-t",
            &target,
        ];
        assert!(self.crane(&mutate), "crane mutate {image}");
    }

    /// Has an image in another repository, too.
    pub(crate) fn copy(&self, image: &str, other: &str) {
        let [from, to] = [image, other].map(|image| format!("{ADDRESS}:{PORT}/{image}"));
        assert!(self.crane(&["copy", &from, &to]), "crane copy {to}");
    }

    /// As whom nodes asked for the manifest of a tag, in order, by repository; nobody is an empty text.
    pub(crate) fn asked(&self) -> BTreeMap<String, Vec<String>> {
        let log = std::fs::read_to_string(&self.server.log).expect("a log");
        let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in log.lines() {
            // The last line may be half written, and what writes no JSON is not the one that knows users.
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let text = |key: &str| line[key].as_str().unwrap_or_default();
            let user = match text("msg") {
                "authorized request" => text("auth.user.name"),
                "user failed to authenticate" => text("username"),
                other if other.ends_with("invalid authorization credential") => "",
                _ => continue,
            };
            // The namespace is what containerd adds, and nobody else.
            let is_of_node = text("http.request.uri").contains("?ns=");
            if is_of_node && text("http.request.method") == "HEAD" {
                let tries = asked.entry(text("vars.name").to_owned()).or_default();
                add_request(tries, user);
            }
        }
        asked
    }

    /// Writes an image that is in the registry to a file, as another name, for nodes that import it.
    pub(crate) fn save(&self, image: &str) -> PathBuf {
        let file = self.dir.join("image.tar");
        let source = format!("{ADDRESS}:{PORT}/{image}");
        let path = file.display().to_string();
        assert!(self.crane(&["pull", &source, &path]), "crane pull {image}");
        file
    }

    fn layer(&self, program: &Path) -> String {
        let layer = self.dir.join("layer.tar").display().to_string();
        let status = Command::new("tar")
            .args(["--owner=0", "--group=0", "-chf", &layer, "-C"])
            .arg(program.parent().expect("a folder"))
            .arg(program.file_name().expect("a name"))
            .status();
        assert!(status.expect("tar").success(), "tar {}", program.display());
        layer
    }

    fn crane(&self, args: &[&str]) -> bool {
        let output = Command::new(self.bin.join("crane"))
            .arg("--insecure")
            .args(args)
            .env("DOCKER_CONFIG", &self.dir)
            .output()
            .expect("crane");
        output.status.success()
    }
}

/// containerd comes as nobody first, each time that it tries, and repeats a password that is refused.
fn add_request(tries: &mut Vec<String>, user: &str) {
    match tries.last_mut() {
        Some(last) if last.is_empty() && !user.is_empty() => user.clone_into(last),
        Some(last) if last == user && !user.is_empty() => {}
        _ => tries.push(user.to_owned()),
    }
}

/// The name by which a saved image is known.
pub(crate) fn local_name(image: &str) -> String {
    format!("{ADDRESS}:{PORT}/{image}")
}

/// Has containerd find the registry under its names as in real life, without TLS, and ask it once.
pub(crate) fn write_hosts(dir: &Path) {
    for name in [NAME, NAME_WITH_PORT, DOCKER_HUB] {
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        let text = format!("server = \"http://{ADDRESS}:{PORT}\"\n");
        std::fs::write(dir.join("hosts.toml"), text).expect("a file");
    }
}
