//! The common part of the fuzz targets: the macro `fuzz_target!`. With the feature `libfuzzer` it is the one of
//! libFuzzer. Without it, each target is a program that replays the files of folders, and a stable compiler is enough.

#[cfg(feature = "libfuzzer")]
pub use libfuzzer_sys::fuzz_target;

#[cfg(not(feature = "libfuzzer"))]
mod replay;
#[cfg(not(feature = "libfuzzer"))]
pub use replay::{replay, text};
