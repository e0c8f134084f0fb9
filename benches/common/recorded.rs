//! Reviews recorded from a real API server.

/// Returns each review with its endpoint, which is the last part of the file name.
pub(crate) fn reviews() -> Vec<(&'static str, Vec<u8>)> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reviews");
    let mut paths: Vec<_> = std::fs::read_dir(dir)
        .expect("reviews")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let is_mutate = path.to_string_lossy().contains(".mutate.");
        let endpoint = if is_mutate { "/mutate" } else { "/validate" };
        (endpoint, std::fs::read(path).expect("a file"))
    };
    paths.iter().map(read).collect()
}
