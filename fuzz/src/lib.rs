//! What the fuzz targets share: `fuzz_target!`, which is libFuzzer's with the feature `libfuzzer`. Without it, each target
//! is a program that replays the files of folders, for which a stable compiler is enough.

#[cfg(feature = "libfuzzer")]
pub use libfuzzer_sys::fuzz_target;

#[cfg(not(feature = "libfuzzer"))]
mod replay;
#[cfg(not(feature = "libfuzzer"))]
pub use replay::{replay, text};
