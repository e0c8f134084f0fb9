//! Replays kept inputs: each must finish without a panic, and in time.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// The time limit for one input. It is far more than any input needs, even unoptimised and on a busy machine.
const LIMIT: Duration = Duration::from_secs(10);

/// Defines the target as a function, and a program that replays files with it.
#[macro_export]
macro_rules! fuzz_target {
    (|$bytes:ident: &[u8]| $body:block) => {
        fn target($bytes: &[u8]) $body

        fn main() -> std::process::ExitCode {
            $crate::replay(target)
        }
    };
    (|$text:ident: &str| $body:block) => {
        fn target($text: &str) $body

        fn main() -> std::process::ExitCode {
            $crate::replay(|bytes| target($crate::text(bytes)))
        }
    };
}

/// Reads text as libFuzzer does for a target that takes text: up to the first byte that is not UTF-8.
#[must_use]
pub fn text(bytes: &[u8]) -> &str {
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// Replays every file of the folders that the arguments name.
#[must_use]
pub fn replay(target: fn(&[u8])) -> ExitCode {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let folders: Vec<String> = arguments.collect();
    let name = Path::new(&program).file_stem().unwrap_or_default();
    match replay_all(target, &folders) {
        Ok((count, time, slowest)) => {
            println!(
                "{}: {count} inputs, slowest {} ms ({})",
                name.display(),
                time.as_millis(),
                slowest.display()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", name.display());
            ExitCode::FAILURE
        }
    }
}

/// Returns the number of inputs, and the time and file of the slowest.
fn replay_all(
    target: fn(&[u8]),
    folders: &[String],
) -> Result<(usize, Duration, PathBuf), Box<dyn Error>> {
    let mut files = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))?;
        for entry in entries {
            files.push(entry?.path());
        }
    }
    files.sort();
    let mut times = Vec::new();
    for file in &files {
        times.push((replay_one(target, file)?, file));
    }
    let (time, slowest) = times.iter().max().ok_or("there is no input to replay")?;
    Ok((times.len(), *time, slowest.to_path_buf()))
}

/// Returns the time that the target takes for the file.
fn replay_one(target: fn(&[u8]), file: &Path) -> Result<Duration, Box<dyn Error>> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| format!("{name}: {error}"))?;
    let (done, is_done) = sync_channel(1);
    let start = Instant::now();
    // A thread can be abandoned when it takes too long. It is named after the file because a panic message contains the
    // thread's name, and so does the message of a stack overflow, which cannot be caught.
    thread::Builder::new().name(name.clone()).spawn(move || {
        target(&bytes);
        let _ = done.send(());
    })?;
    match is_done.recv_timeout(LIMIT) {
        Ok(()) => Ok(start.elapsed()),
        Err(RecvTimeoutError::Disconnected) => Err(format!("{name}: the target panics").into()),
        Err(RecvTimeoutError::Timeout) => {
            Err(format!("{name}: the target takes more than {} s", LIMIT.as_secs()).into())
        }
    }
}
