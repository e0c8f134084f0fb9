//! Tests that the JSON scanner reads the same values as `serde_json`.

use proptest::prelude::*;
use pullgate::text::scan::{Nested, Raw, from_slice, from_str, skimmed};
use serde::Deserialize;
use std::borrow::Cow;

/// A type with every kind of field that the types of objects have.
#[derive(Debug, PartialEq, Deserialize)]
struct Wanted<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    list: Option<Vec<Option<Wanted<'a>>>>,
    flag: Option<bool>,
    #[serde(borrow)]
    raw: Option<Raw<'a>>,
}

/// A type with a field that matters only if it is an object.
#[derive(Deserialize)]
struct Variable<'a> {
    #[serde(borrow)]
    from: Option<Wanted<'a>>,
}

impl<'a> Variable<'a> {
    fn of(nested: Nested<Self>) -> Option<Wanted<'a>> {
        nested.0.and_then(|variable| variable.from)
    }
}

fn oracle(json: &str) -> Result<Wanted<'_>, serde_json::Error> {
    serde_json::from_str(json)
}

/// Generates short and long texts with brackets, quotes and other characters that could mislead the scanner.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-z]{1,12}",
        2 => "[\\[\\]{},: ]{1,3}",
        1 => Just("é𝄞".to_owned()),
        1 => Just(r#"\""#.to_owned()),
        1 => Just(r"\\".to_owned()),
        1 => Just(r"\u0041\n".to_owned()),
    ];
    let pieces = prop_oneof![
        5 => prop::collection::vec(piece.clone(), 0..3),
        1 => prop::collection::vec(piece, 0..40),
    ];
    pieces.prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just("\n\t\r  ")]
}

fn key() -> impl Strategy<Value = String> {
    let known = ["text", "list", "flag", "raw", r"te\u0078t"].as_slice();
    let known = prop::sample::select(known).prop_map(|key| format!("\"{key}\""));
    prop_oneof![known, text()]
}

fn value() -> impl Strategy<Value = String> {
    let words = ["null", "true", "false", "0", "-1.5e3", "[]", "{}"].as_slice();
    let leaf = prop_oneof![prop::sample::select(words).prop_map(str::to_owned), text()];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let list = (
            prop::collection::vec((space(), inner.clone()), 0..5),
            space(),
        );
        let list = list.prop_map(|(items, end)| {
            let items: Vec<_> = items
                .iter()
                .map(|(space, item)| format!("{space}{item}"))
                .collect();
            format!("[{}{end}]", items.join(","))
        });
        prop_oneof![list, object(inner)]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let entry = (space(), key(), space(), value, space());
    prop::collection::vec(entry, 0..6).prop_map(|entries| {
        let entries: Vec<_> = entries
            .iter()
            .map(|(before, key, between, value, after)| {
                format!("{before}{key}{between}:{between}{value}{after}")
            })
            .collect();
        format!("{{{}}}", entries.join(","))
    })
}

/// Generates an object with texts and perhaps `from`, which is an object or null.
fn variable() -> impl Strategy<Value = String> {
    let texts = || prop::collection::vec((text(), text()), 0..3);
    let from = prop_oneof![
        2 => Just(None),
        1 => Just(Some("null".to_owned())),
        3 => object(value()).prop_map(Some),
    ];
    (texts(), from, texts(), space()).prop_map(|(before, from, after, space)| {
        let field = |(key, text): &(String, String)| format!("{key}:{space}{text}");
        let from = from.map(|from| format!("\"from\":{space}{from}"));
        let fields = before.iter().map(field).chain(from);
        let fields: Vec<_> = fields.chain(after.iter().map(field)).collect();
        format!("{space}{{{space}{}}}", fields.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_in_no_object_is_passed_over(items in prop::collection::vec(variable(), 0..40)) {
        let json = format!("[{}]", items.join(","));
        let read = serde_json::from_str::<Vec<Variable<'_>>>(&json);
        let read = read.map(|all| all.into_iter().map(|variable| variable.from).collect::<Vec<_>>());
        let scanned = from_str::<Vec<Nested<Variable<'_>>>>(&json);
        let scanned = scanned.map(|all| all.into_iter().map(Variable::of).collect::<Vec<_>>());
        prop_assert_eq!(scanned.ok(), read.ok());
    }

    #[test]
    fn skimming_reads_the_same_values_as_serde_json(json in object(value())) {
        let read = oracle(&json);
        if let Some(skimmed) = skimmed::<Wanted<'_>>(&json) {
            prop_assert_eq!(Some(skimmed), read.ok());
        }
    }

    /// The scanner may accept JSON that is malformed in a skipped part. It reads valid JSON like `serde_json`.
    #[test]
    fn damaged_json_is_read_as_serde_json_reads_it(json in object(value()), at in any::<prop::sample::Index>(), with in "[{}\\[\\]\",:\\\\x0 ]") {
        let mut bytes = json.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with.as_bytes()[0];
        let (read, scanned) = (serde_json::from_slice::<Wanted<'_>>(&bytes), from_slice::<Wanted<'_>>(&bytes));
        match (read, scanned) {
            (Ok(read), scanned) => prop_assert_eq!(Some(read), scanned.ok()),
            (Err(read), Err(scanned)) => prop_assert_eq!(read.to_string(), scanned.to_string()),
            (Err(_), Ok(_)) => {}
        }
    }
}

/// Ordinary JSON, as from the API server, is read in one pass.
#[test]
fn ordinary_json_is_read_in_one_pass() {
    for json in [
        "{}",
        r#" { "list" : [ null , {"text":"a"} , {} ] , "flag" : true }"#,
        r#"{"text":"a\"b\\","other":{"a":[{"b":"]}\""}],"c":"\\"},"flag":false,"n":-1.5e3,"raw":[1,{"a":null}]}"#,
    ] {
        let skimmed = skimmed::<Wanted<'_>>(json).unwrap_or_else(|| panic!("{json}"));
        assert_eq!(skimmed, oracle(json).unwrap());
    }
    let raw = skimmed::<Wanted<'_>>(r#"{"raw": {"a": "}"} }"#)
        .unwrap()
        .raw;
    assert_eq!(raw, Some(Raw(r#"{"a": "}"}"#)));
}

/// Errors have the text and the position that `serde_json` gives.
#[test]
fn errors_are_those_of_serde_json() {
    for json in [
        "",
        "{",
        "[1,]",
        r#"{"text":1}"#,
        "{\n\"flag\":\n\"x\"}",
        r#"{"text":"a","text":"b"}"#,
        r#"{"list":[{},]}"#,
        r#"{"text":"a",}"#,
        r#"{"text":"a"}x"#,
        r#"{"text":"\ud800"}"#,
        "{\"text\":\"a\nb\"}",
        r#"{"flag":truefalse}"#,
        r#"{"other":{"a":[}"#,
    ] {
        let wanted = oracle(json).unwrap_err().to_string();
        assert_eq!(
            from_str::<Wanted<'_>>(json).unwrap_err().to_string(),
            wanted,
            "{json}"
        );
    }
}

/// JSON of any depth must not overflow the stack.
#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = format!(
        "{{\"other\":{}{}}}",
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    assert!(skimmed::<Wanted<'_>>(&deep).is_some());
    let deep = format!("{}{}", "{\"list\":[".repeat(100_000), "]}".repeat(100_000));
    assert!(from_str::<Wanted<'_>>(&deep).is_err());
}

#[test]
fn bytes_that_are_not_utf_8_are_skipped() {
    let json = b"{\"other\": \"\xff\", \"text\": \"a\"}";
    assert_eq!(
        from_slice::<Wanted<'_>>(json).unwrap().text.as_deref(),
        Some("a")
    );
}

/// After a misplaced quote, the scanner could take texts for structure and structure for texts.
#[test]
fn a_misplaced_quote_is_an_error() {
    for json in [
        r#"{"x":1"2,"y":{"a":"}"},"text":"a"}"#,
        r#"{"x":1{2,"text":"a"}"#,
        r#"{"x":tr[ue,"text":"a"}"#,
    ] {
        assert!(skimmed::<Wanted<'_>>(json).is_none(), "{json}");
        assert!(from_str::<Wanted<'_>>(json).is_err(), "{json}");
    }
}
