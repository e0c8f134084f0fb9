//! The `pullgate` command.

fn main() {}
