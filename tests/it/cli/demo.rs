//! Tests of `serve --demo`.

use std::process::{Command, Stdio};

/// Ended also when the test fails.
struct Ending(std::process::Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first command of the README.
#[test]
fn the_demo_shows_a_patch_and_a_refusal_and_serves_until_it_is_asked_to_stop() {
    use std::io::{BufRead, BufReader, Read};
    let child = Command::new(env!("CARGO_BIN_EXE_pullgate"))
        .args(["serve", "--demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("pullgate");
    let Ending(child) = &mut Ending(child);
    let mut shown = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    while !shown.contains("curl -sk") {
        assert_ne!(lines.read_line(&mut shown).expect("text"), 0, "{shown}");
    }
    assert!(
        shown.contains("\"path\": \"/spec/imagePullSecrets\"")
            && shown.contains("\"name\": \"contoso-pull\""),
        "{shown}"
    );
    let refusal = "denied the request: Deployment payments/api: spec.template.spec.imagePullSecrets[0] names \"regcred-shared\", banned by \"legacy-shared\"";
    assert!(shown.contains(refusal), "{shown}");
    let address = shown
        .split("curl -sk https://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .expect("an address");
    std::net::TcpStream::connect(address).expect("it serves");
    assert!(child.try_wait().expect("a child").is_none(), "it stays up");
    let kill = format!("kill {}", child.id());
    // A shell has a `kill` of its own; a small machine may have no other.
    let stopped = Command::new("sh").args(["-c", &kill]).status().expect("sh");
    assert!(
        stopped.success() && child.wait().expect("a child").success(),
        "SIGTERM is a clean end"
    );
    lines.read_to_string(&mut shown).expect("text");
}
