//! Files that change under a running server.

use pullgate::files;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// As the kubelet updates a mounted `ConfigMap`: a new folder, and `..data` points to it from one moment to the next.
fn swap(dir: &Path, version: &str, text: &str) {
    std::fs::create_dir(dir.join(version)).expect("a folder");
    std::fs::write(dir.join(version).join("policy.yaml"), text).expect("a file");
    symlink(version, dir.join("..new")).expect("a link");
    std::fs::rename(dir.join("..new"), dir.join("..data")).expect("a link");
}

/// After the first swap an inotify watch on the file is dead; so swap twice, and let the file be gone for a while.
#[tokio::test]
async fn trap_16_a_mounted_file_is_seen_to_change_each_time() {
    let dir = tempfile::tempdir().expect("a folder");
    swap(dir.path(), "..1", "one");
    let path = dir.path().join("policy.yaml");
    symlink("..data/policy.yaml", &path).expect("a link");
    let (tell, mut told) = mpsc::unbounded_channel();
    let poll = files::poll(vec![path], vec!["one".to_owned()], move |texts| {
        tell.send(texts[0].clone()).expect("somebody listens");
    });
    let changes = async {
        for text in ["two", "three"] {
            std::fs::remove_file(dir.path().join("..data")).expect("a link");
            tokio::time::sleep(2 * files::PERIOD).await;
            swap(dir.path(), &format!("..{text}"), text);
            let heard = tokio::time::timeout(Duration::from_secs(30), told.recv()).await;
            assert_eq!(heard.expect("in time").as_deref(), Some(text));
        }
    };
    tokio::select! {
        () = poll => panic!("the poll ended"),
        () = changes => {}
    }
    assert!(told.is_empty(), "told of a change where there was none");
}
