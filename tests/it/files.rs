//! Tests of files that change while a server runs.

use pullgate::runtime::files::{self, Taken};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// Updates a file like the kubelet updates a mounted `ConfigMap`: it makes a new folder, and swaps the link `..data`
/// atomically.
fn swap(dir: &Path, version: &str, text: &str) {
    std::fs::create_dir(dir.join(version)).expect("a folder");
    std::fs::write(dir.join(version).join("policy.yaml"), text).expect("a file");
    symlink(version, dir.join("..new")).expect("a link");
    std::fs::rename(dir.join("..new"), dir.join("..data")).expect("a link");
}

/// An inotify watch on the file would be dead after the first swap. So this test swaps twice, and removes the file for
/// a while.
#[tokio::test]
async fn trap_16_a_mounted_file_is_seen_to_change_each_time() {
    let dir = tempfile::tempdir().expect("a folder");
    swap(dir.path(), "..1", "one");
    let path = dir.path().join("policy.yaml");
    symlink("..data/policy.yaml", &path).expect("a link");
    let (tell, mut told) = mpsc::unbounded_channel();
    let poll = files::poll(vec![path], vec!["one".to_owned()], move |texts, _| {
        tell.send(texts[0].clone()).expect("the receiver is open");
        Taken::Yes
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
    assert!(
        told.is_empty(),
        "a change was reported although there was none"
    );
}

/// A text that cannot be used now may be usable later, for example a certificate that is not valid yet. So it is
/// offered again, but is new only once. A text that was only half written is not offered.
#[tokio::test(start_paused = true)]
async fn an_unusable_text_is_offered_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("tls.crt");
    std::fs::write(&path, "one").expect("a file");
    let mut offers = Vec::new();
    let poll = files::poll(
        vec![path.clone()],
        vec!["one".to_owned()],
        |texts, is_new| {
            offers.push((texts[0].clone(), is_new));
            let is_bad = texts[0] == "bad" || offers.len() < 3;
            if is_bad { Taken::No } else { Taken::Yes }
        },
    );
    let writes = async {
        std::fs::write(&path, "half").expect("a file");
        tokio::time::sleep(files::PERIOD / 2).await;
        std::fs::write(&path, "two").expect("a file");
        tokio::time::sleep(10 * files::PERIOD).await;
        for text in ["bad", "two", "bad", "three", "bad"] {
            std::fs::write(&path, text).expect("a file");
            tokio::time::sleep(10 * files::PERIOD).await;
        }
    };
    tokio::select! {
        () = poll => panic!("the poll ended"),
        () = writes => {}
    }
    let is = |text: &str, is_new| (text.to_owned(), is_new);
    offers.dedup();
    offers.truncate(9);
    // The good text ends the refusal when it comes back, and the bad text is new each time it comes.
    assert_eq!(
        offers,
        [
            is("two", true),
            is("two", false),
            is("bad", true),
            is("bad", false),
            is("two", true),
            is("bad", true),
            is("bad", false),
            is("three", true),
            is("bad", true),
        ]
    );
}
