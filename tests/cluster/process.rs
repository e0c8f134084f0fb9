//! Processes that end with the process that started them.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process. It is killed on drop, and by the kernel when the test run is killed.
pub(crate) struct Process {
    child: Child,
    /// The file with stdout and stderr.
    pub log: PathBuf,
}

impl Process {
    /// Starts a program. Its output goes to `LOG_DIR/NAME.log`.
    pub(crate) fn start(program: &Path, args: &[String], log_dir: &Path, name: &str) -> Self {
        let log = log_dir.join(format!("{name}.log"));
        let out = File::create(&log).expect("a log file");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stderr(out.try_clone().expect("a log file"))
            .stdout(out)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start {} (setpriv is in Debian's util-linux): {error}",
                    program.display()
                )
            });
        Self { child, log }
    }

    /// Waits until the process is ready. On failure, panics with the process's log.
    pub(crate) fn wait_until(&mut self, what: &str, ready: impl FnMut() -> bool) {
        let log = self.log.clone();
        let child = &mut self.child;
        let ended = move || {
            child
                .try_wait()
                .expect("a child")
                .map(|status| format!("ended with {status}"))
        };
        if let Err(why) = wait(ready, ended) {
            panic!("{what}: {why}\n{}", tail(&log));
        }
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process now. The order matters: the API server must end before etcd.
    pub(crate) fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for a condition that takes seconds, or until the next full minute. The limit is generous, for slow machines.
pub(crate) fn wait_for(what: &str, ready: impl FnMut() -> bool) {
    if let Err(why) = wait(ready, || None) {
        panic!("{what}: {why}");
    }
}

fn wait(
    mut ready: impl FnMut() -> bool,
    mut failed: impl FnMut() -> Option<String>,
) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_mins(3);
    while !ready() {
        if let Some(why) = failed() {
            return Err(why);
        }
        if Instant::now() > deadline {
            return Err("not within three minutes".to_owned());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Returns a free port.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
