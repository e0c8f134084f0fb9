//! A real registry that asks for a password, and the images in it.

use crate::control_plane::ADDRESS;
use crate::process::{Process, wait_for};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How nodes call the registry: a name as in real life.
pub(crate) const NAME: &str = "contoso.azurecr.io";
/// Who may pull and push.
pub(crate) const USER: &str = "robot";
/// With this password, whose bcrypt hash follows.
pub(crate) const PASSWORD: &str = "pull-me";
const HTPASSWD: &str = "robot:$2a$04$deZnLQhrzZwwfxXx2VRVjehMttWreWpo7mni8JCks.18raNEiJL5a\n";
const PORT: u16 = 5000;

/// The registry.
pub(crate) struct Registry {
    _server: Process,
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
                "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {root}/data}}}}\n\
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
            _server: server,
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

/// The name by which a saved image is known.
pub(crate) fn local_name(image: &str) -> String {
    format!("{ADDRESS}:{PORT}/{image}")
}

/// Has containerd find the registry under its real name, without TLS.
pub(crate) fn write_hosts(dir: &Path) {
    let dir = dir.join(NAME);
    std::fs::create_dir_all(&dir).expect("a folder");
    let url = format!("http://{ADDRESS}:{PORT}");
    let text =
        format!("server = \"{url}\"\n[host.\"{url}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    std::fs::write(dir.join("hosts.toml"), text).expect("a file");
}
