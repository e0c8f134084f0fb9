//! Each rule of the layout, held against a small crate that breaks it.

use super::rules::{self, Edge, Names, Pure, Wings};
use super::tree::Source;

const WINGS: Wings<'_> = &[
    ("low", Pure),
    ("high", Pure),
    ("server", Edge),
    ("cluster", Edge),
    ("lib", Edge),
];
const APART: &[(&str, &str)] = &[("server", "cluster")];

fn sources(files: &[(&str, &str)]) -> Vec<Source> {
    files
        .iter()
        .map(|(path, text)| Source::new(path, text))
        .collect()
}

fn library(files: &[(&str, &str)]) -> (Vec<Source>, Names) {
    let sources = sources(files);
    let names = rules::names(&sources, "src/lib.rs", None);
    (sources, names)
}

fn arrows_back(low: &str, high: &str) -> Vec<String> {
    let (_, names) = library(&[
        (
            "src/lib.rs",
            "pub mod low; pub mod high; pub mod face { pub use crate::high::High as Other; }",
        ),
        ("src/low/mod.rs", low),
        ("src/high/mod.rs", high),
        ("src/high/deep.rs", "pub struct Deep;"),
    ]);
    rules::arrows_back(&names, WINGS, APART)
}

#[test]
fn an_import_that_points_back_is_found_however_it_is_written() {
    let high = "pub mod deep; pub use deep::Deep; pub struct High; #[macro_export] macro_rules! high { () => {} }";
    for low in [
        "use crate::high::High;",
        "use crate::{high::High};",
        "use crate::high::{self}; pub fn f(_: high::High) {}",
        "use crate::high as other; pub fn f(_: other::High) {}",
        "pub fn f(_: crate::high::High) {}",
        "pub fn f() -> super::high::High { todo!() }",
        "pub fn f() { use crate::high::High; }",
        "pub use crate::high::High; pub fn f(_: High) {}",
        "use crate::high::Deep;",
        "use crate::face::Other;",
        "pub fn f() { println!(\"{}\", size_of::<crate::high::High>()); }",
        "macro_rules! low { () => { $crate::high::High } }",
        "#[serde(with = \"crate::high::High\")] struct Low;",
        "use crate::high::*; pub fn f(_: High) {}",
    ] {
        assert_ne!(arrows_back(low, high), [""; 0], "{low}");
    }
    for low in [
        "pub struct Low;",
        "#[cfg(test)] mod tests { use crate::high::High; }",
        "// crate::high::High\npub const TEXT: &str = \"crate::high::High\";",
    ] {
        assert_eq!(arrows_back(low, high), [""; 0], "{low}");
    }
    assert_eq!(
        arrows_back("pub struct Low;", "use crate::low::Low;"),
        [""; 0]
    );
}

#[test]
fn an_import_between_wings_that_are_apart_is_found() {
    let (_, names) = library(&[
        ("src/lib.rs", "mod server; mod cluster;"),
        ("src/server.rs", "pub struct Server;"),
        ("src/cluster.rs", "use crate::server::Server;"),
    ]);
    assert_eq!(
        rules::arrows_back(&names, WINGS, APART),
        ["src/cluster.rs imports from src/server.rs: crate::server::Server"]
    );
}

#[test]
fn a_circle_between_files_is_found_also_in_a_benchmark() {
    let (_, names) = library(&[
        ("src/lib.rs", "mod low;"),
        (
            "src/low/mod.rs",
            "mod a; mod b; mod c; pub use a::A; pub struct Low(A);",
        ),
        ("src/low/a.rs", "pub struct A; fn f(_: super::b::B) {}"),
        ("src/low/b.rs", "pub struct B; fn f(_: super::c::C) {}"),
        ("src/low/c.rs", "pub struct C; fn f(_: super::A) {}"),
    ]);
    assert_eq!(
        rules::circles(&names),
        ["src/low/a.rs <-> src/low/b.rs <-> src/low/c.rs"]
    );
    let sources = sources(&[
        ("src/lib.rs", "pub struct Library;"),
        (
            "benches/load/main.rs",
            "mod one; #[path = \"../common/two.rs\"] mod two; use pullgate::Library;",
        ),
        (
            "benches/load/one.rs",
            "use super::two::two; pub fn one() {}",
        ),
        (
            "benches/common/two.rs",
            "use super::one::one; pub fn two() {}",
        ),
    ]);
    let names = rules::names(&sources, "benches/load/main.rs", Some("src/lib.rs"));
    assert_eq!(
        rules::circles(&names),
        ["benches/common/two.rs <-> benches/load/one.rs"]
    );
}

#[test]
fn passing_a_name_on_makes_no_circle() {
    let (_, names) = library(&[
        ("src/lib.rs", "mod low;"),
        ("src/low/mod.rs", "mod a; pub use a::A; pub struct Low;"),
        ("src/low/a.rs", "pub struct A(super::Low);"),
    ]);
    assert_eq!(rules::circles(&names), [""; 0]);
}

#[test]
fn a_pure_wing_that_names_an_edge_of_the_world_is_found() {
    for text in [
        "use std::net::TcpStream;",
        "use core::net::SocketAddr;",
        "use std::{fmt, fs};",
        "use std as other; fn f() { other::fs::read(\"\"); }",
        "fn f() { std::env::var(\"X\"); }",
        "use jiff::Timestamp; fn f() { Timestamp::now(); }",
        "use std::time::Instant;",
        "fn f() { tracing::info!(\"x\"); }",
        "async fn f() {}",
        "fn f() { let _ = async {}; }",
    ] {
        let (_, names) = library(&[("src/lib.rs", "mod low;"), ("src/low.rs", text)]);
        assert_eq!(rules::impurities(&names, WINGS).len(), 1, "{text}");
        let (_, names) = library(&[("src/lib.rs", "mod server;"), ("src/server.rs", text)]);
        assert_eq!(rules::impurities(&names, WINGS), [""; 0], "{text}");
    }
    for text in [
        "use std::time::Duration;",
        "use std::fmt;",
        "use core::net::Ipv6Addr;",
        "use jiff::Timestamp;",
    ] {
        let (_, names) = library(&[("src/lib.rs", "mod low;"), ("src/low.rs", text)]);
        assert_eq!(rules::impurities(&names, WINGS), [""; 0], "{text}");
    }
}

#[test]
fn a_long_file_and_a_file_in_no_wing_are_found() {
    let long = "// a line\n".repeat(rules::MAX_LINES + 1);
    let sources = sources(&[("src/other/deep.rs", ""), ("tests/it/long.rs", &long)]);
    assert_eq!(
        rules::long_files(&sources),
        ["tests/it/long.rs has 401 lines"]
    );
    assert_eq!(
        rules::strangers(&sources, WINGS),
        ["src/other/deep.rs is in no wing of the table"]
    );
}

#[test]
fn a_public_item_that_no_other_file_names_is_found() {
    let sources = sources(&[
        (
            "src/low.rs",
            "pub struct Used; pub fn unused() {} impl Used { pub fn method() {} pub(crate) const LIMIT: u8 = 1; fn own() {} }",
        ),
        (
            "tests/it/main.rs",
            "use pullgate::low::Used; // unused, method\nconst TEXT: &str = \"unused LIMIT\";",
        ),
    ]);
    assert_eq!(
        rules::unused(&sources),
        [
            "src/low.rs: LIMIT",
            "src/low.rs: method",
            "src/low.rs: unused"
        ]
    );
}
