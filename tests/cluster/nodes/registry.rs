//! A real registry that demands a password, and its images.

use crate::control_plane::ADDRESS;
use crate::process::{Process, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of the registry on the nodes, like one in real use.
pub(crate) const NAME: &str = "contoso.azurecr.io";
/// Another name of the registry, with a port.
pub(crate) const NAME_WITH_PORT: &str = "registry.test:5000";
/// A third name: images without a host in their name are looked up here.
pub(crate) const DOCKER_HUB: &str = "docker.io";
/// The user who may pull and push.
pub(crate) const USER: &str = "robot";
/// The password of that user.
pub(crate) const PASSWORD: &str = "pull-me";
/// A second user who may pull. The password has a colon.
pub(crate) const USER_WITH_COLON: (&str, &str) = ("clerk", "a:b");
/// Accounts with passwords that no test knows. The registry logs the user name of a failed login only for accounts that
/// exist.
pub(crate) const STRANGERS: [&str; 3] = ["anna", "ben", "cleo"];
/// The bcrypt hashes of all passwords.
const HTPASSWD: &str = "\
robot:$2a$04$deZnLQhrzZwwfxXx2VRVjehMttWreWpo7mni8JCks.18raNEiJL5a
clerk:$2a$04$IKpIFQIMdPzq2dboiMgVYuE0F0n/NU1CDtNppVDIgMSwP0.utL6gm
anna:$2a$04$XZnb0ystr9buKhHf3Jq8eeNzK5.OMDNE4qDXRrBZwU4hG3NKwQGZa
ben:$2a$04$XZnb0ystr9buKhHf3Jq8eeNzK5.OMDNE4qDXRrBZwU4hG3NKwQGZa
cleo:$2a$04$XZnb0ystr9buKhHf3Jq8eeNzK5.OMDNE4qDXRrBZwU4hG3NKwQGZa
";
const PORT: u16 = 5000;

/// The registry process and its files.
pub(crate) struct Registry {
    server: Process,
    bin: PathBuf,
    dir: PathBuf,
}

impl Registry {
    /// Starts an empty registry.
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

    /// Pushes an image `REPOSITORY:TAG` that contains one static program.
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

    /// Copies an image to another repository.
    pub(crate) fn copy(&self, image: &str, other: &str) {
        let [from, to] = [image, other].map(|image| format!("{ADDRESS}:{PORT}/{image}"));
        assert!(self.crane(&["copy", &from, &to]), "crane copy {to}");
    }

    /// Returns, by repository, the users with which nodes asked for the manifest of a tag, in order. An anonymous
    /// request is an empty text.
    pub(crate) fn asked(&self) -> BTreeMap<String, Vec<String>> {
        let log = std::fs::read_to_string(&self.server.log).expect("a log");
        let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in log.lines() {
            // The last line may be incomplete, and lines that are not JSON name no users.
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
            // Only containerd adds the parameter `ns`.
            let is_of_node = text("http.request.uri").contains("?ns=");
            if is_of_node && text("http.request.method") == "HEAD" {
                let tries = asked.entry(text("vars.name").to_owned()).or_default();
                add_request(tries, user);
            }
        }
        asked
    }

    /// Writes an image of the registry to a file under its local name, for nodes to import.
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

/// Adds a request to the tries. containerd starts each try anonymously, and repeats a password that was refused.
fn add_request(tries: &mut Vec<String>, user: &str) {
    match tries.last_mut() {
        Some(last) if last.is_empty() && !user.is_empty() => user.clone_into(last),
        Some(last) if last == user && !user.is_empty() => {}
        _ => tries.push(user.to_owned()),
    }
}

/// Returns the name of a saved image.
pub(crate) fn local_name(image: &str) -> String {
    format!("{ADDRESS}:{PORT}/{image}")
}

/// Writes the configuration with which containerd finds the registry under its names, without TLS, and asks it only
/// once.
pub(crate) fn write_hosts(dir: &Path) {
    for name in [NAME, NAME_WITH_PORT, DOCKER_HUB] {
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        let text = format!("server = \"http://{ADDRESS}:{PORT}\"\n");
        std::fs::write(dir.join("hosts.toml"), text).expect("a file");
    }
}
