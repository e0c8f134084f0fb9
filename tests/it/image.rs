//! The reference grammar: the tables of the projects that define it, and a differential test against Go's own package.

use crate::support;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use pullgate::kubelet::image::{Image, ImageError};
use serde_json::Value;

#[test]
fn every_row_of_the_table_holds() {
    let rows: Vec<_> = include_str!("../tables/image_references.tsv")
        .lines()
        .collect();
    assert_eq!(rows.len(), 82);
    for row in rows {
        let (input, expected) = row.split_once('\t').expect("two columns");
        let actual = match Image::parse(input) {
            Err(error) => format!("ERR {error}"),
            Ok(image) => {
                let tag = image.tag().or(image.digest().is_none().then_some("latest"));
                let [tag, digest] = [tag, image.digest()].map(|part| part.unwrap_or("-"));
                format!("{}|{}|{tag}|{digest}", image.registry(), image.repository())
            }
        };
        assert_eq!(actual, expected, "{input:?}");
    }
}

/// The tables of distribution/reference v0.6.0 that speak of `ParseNormalizedNamed`.
#[test]
fn the_tables_of_distribution_reference_hold() {
    for case in [
        cases("ParseNormalizedNamed_valid"),
        cases("ParseNormalizedNamed_remote_valid"),
    ]
    .concat()
    {
        Image::parse(case.as_str().unwrap()).unwrap_or_else(|error| panic!("{case}: {error}"));
    }
    for case in [
        cases("ParseNormalizedNamed_invalid"),
        cases("ParseNormalizedNamed_remote_invalid"),
    ]
    .concat()
    {
        assert!(Image::parse(case.as_str().unwrap()).is_err(), "{case}");
    }
    for case in cases("ParseNormalizedNamed_repository_info") {
        for key in ["FamiliarName", "FullName", "AmbiguousName"] {
            let Some(name) = case[key].as_str().filter(|name| !name.is_empty()) else {
                continue;
            };
            let image = Image::parse(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(image.to_string(), case["FullName"], "{name}");
            assert_eq!(image.registry(), case["Domain"], "{name}");
            assert_eq!(image.repository(), case["RemoteName"], "{name}");
        }
    }
    for case in cases("ParseNormalizedNamed_split_hostname") {
        let image = Image::parse(case["input"].as_str().unwrap()).unwrap();
        assert_eq!(
            (image.registry(), image.repository()),
            (str(&case["domain"]), str(&case["path"])),
            "{case}"
        );
    }
    for case in cases("tag_and_digest") {
        let image = Image::parse(case["input"].as_str().unwrap()).unwrap();
        assert_eq!(image.to_string(), case["string"]);
        assert_eq!(
            (image.tag().unwrap(), image.digest().unwrap()),
            (str(&case["tag"]), str(&case["digest"]))
        );
    }
    for case in cases("ParseDockerRef") {
        let image = Image::parse(case["input"].as_str().unwrap()).unwrap();
        // ParseDockerRef drops the tag beside a digest and adds `latest` where neither is.
        let expected = str(&case["expected"]);
        let whole = image.to_string();
        let image_tag = image.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        let docker = match image.digest() {
            Some(_) => whole.replacen(&format!("{image_tag}@"), "@", 1),
            None if image.tag().is_none() => format!("{whole}:latest"),
            None => whole,
        };
        assert_eq!(docker, expected, "{case}");
    }
}

/// `Parse` does not normalise, so its rows are compared where normalising changes nothing: names with a registry.
#[test]
fn the_grammar_rows_of_distribution_reference_hold() {
    let table: Value =
        serde_json::from_str(include_str!("../tables/distribution_reference.json")).unwrap();
    let mut compared = 0;
    for case in table["v0.6.0"]["Parse"]["cases"].as_array().unwrap() {
        let input = str(&case["input"]);
        if case["domain"].is_null() || case["domain"] == "test:5000" && !input.contains('/') {
            continue;
        }
        compared += 1;
        if let Some(error) = case["err"].as_str() {
            assert!(Image::parse(input).is_err(), "{input}: {error}");
            continue;
        }
        let image = Image::parse(input).unwrap_or_else(|error| panic!("{input}: {error}"));
        let named = |part: &str| {
            case[part]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let name = match image.registry() {
            "docker.io" if !input.starts_with("docker.io/") => image.repository().to_owned(),
            "" => image.repository().to_owned(),
            registry => format!("{registry}/{}", image.repository()),
        };
        assert_eq!(name, str(&case["repository"]), "{input}");
        assert_eq!(image.tag().map(str::to_owned), named("tag"), "{input}");
        assert_eq!(
            image.digest().map(str::to_owned),
            named("digest"),
            "{input}"
        );
    }
    assert!(compared >= 20, "only {compared} rows compared");
}

/// The tables of v0.6.0, as far as they concern this parser. Not compared: `WithName`, which takes a name alone and
/// does not normalise; bare digests of `ParseAnyReference`, which cannot be pulled; and `FamiliarMatch`.
#[test]
fn the_other_tables_of_distribution_reference_hold() {
    let mut compared = 0;
    for case in cases("ParseNamed_canonical_only") {
        let input = str(&case["input"]);
        match (Image::parse(input), case["err"].as_str()) {
            (Ok(image), None) => {
                assert_eq!(image.to_string(), input);
                assert_eq!(
                    (image.registry(), image.repository()),
                    (str(&case["domain"]), str(&case["path"])),
                    "{case}"
                );
            }
            (Ok(image), Some("ErrNameNotCanonical")) => assert_ne!(image.to_string(), input),
            (Err(_), Some(error)) => assert_ne!(error, "ErrNameNotCanonical", "{case}"),
            (result, _) => panic!("{case}: {result:?}"),
        }
        compared += 1;
    }
    for case in cases("ParseAnyReference")
        .iter()
        .filter(|case| case["Expected"].is_null())
    {
        let image =
            Image::parse(str(&case["Reference"])).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(image.to_string(), str(&case["Equivalent"]), "{case}");
        compared += 1;
    }
    for case in cases("invalid_components") {
        let separator = if case["tag"].is_null() { "@" } else { ":" };
        let suffix = str(&case["tag"]).to_owned() + str(&case["digest"]);
        let input = match case["input"].as_str() {
            Some(input) => input.to_owned(),
            None => format!("{}{separator}{suffix}", str(&case["name"])),
        };
        assert!(Image::parse(&input).is_err(), "{case}");
        compared += 1;
    }
    assert!(compared >= 18, "only {compared} rows compared");
}

#[test]
fn the_table_of_the_kubelet_holds() {
    let table: Value =
        serde_json::from_str(include_str!("../tables/distribution_reference.json")).unwrap();
    for case in table["kubernetes_ParseImageName"]["cases"]
        .as_array()
        .unwrap()
    {
        let input = str(&case["Input"]);
        match (Image::parse(input), case["error_contains"].as_str()) {
            (Err(error), Some(part)) => {
                assert!(error.to_string().contains(part), "{input}: {error}");
            }
            (Ok(image), None) => {
                assert_eq!(
                    format!("{}/{}", image.registry(), image.repository()),
                    str(&case["Repo"])
                );
                let tag = image.tag().or(image.digest().is_none().then_some("latest"));
                assert_eq!(tag.unwrap_or_default(), str(&case["Tag"]), "{input}");
                assert_eq!(
                    image.digest().unwrap_or_default(),
                    str(&case["Digest"]),
                    "{input}"
                );
            }
            (result, expected) => panic!("{input}: {result:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn each_error_has_its_own_kind() {
    let digits = "a".repeat(64);
    let rows = [
        ("reg.io/a:".to_owned(), ImageError::Format),
        (
            "reg.io/A".to_owned(),
            ImageError::RepositoryNotLowercase("A".into()),
        ),
        ("Foo_bar/x".to_owned(), ImageError::NameNotLowercase),
        (digits.clone(), ImageError::ImageId(digits.clone())),
        (
            format!("reg.io/{}", "a".repeat(256)),
            ImageError::RepositoryTooLong,
        ),
        (format!("a@md5:{digits}"), ImageError::DigestAlgorithm),
        (format!("a@sha512:{digits}"), ImageError::DigestLength),
        (
            format!("a:1@sha256:{}", "A".repeat(64)),
            ImageError::DigestFormat,
        ),
        (format!("a:1@SHA256:{digits}"), ImageError::DigestFormat),
    ];
    for (input, expected) in rows {
        assert_eq!(Image::parse(&input), Err(expected), "{input}");
    }
}

proptest! {
    #[test]
    fn what_is_displayed_reads_as_the_same(text in reference()) {
        if let Ok(image) = Image::parse(&text) {
            let shown = image.to_string();
            prop_assert_eq!(Image::parse(&shown), Ok(image));
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        let _ = Image::parse(&text);
    }
}

/// 100 000 generated references, the same each time, through Go's own package and through ours.
#[test]
fn go_reads_every_reference_the_same() {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let strategy = reference();
    let texts: Vec<String> = (0..100_000)
        .map(|_| strategy.new_tree(&mut runner).expect("a value").current())
        .collect();
    let answers = ask_go(&texts);
    assert_eq!(answers.len(), texts.len());
    let valid = answers
        .iter()
        .filter(|answer| str(&answer["error"]).is_empty())
        .count();
    assert!(
        (20_000..80_000).contains(&valid),
        "{valid} of 100000 are valid: the generator is lopsided"
    );
    for (text, expected) in texts.iter().zip(&answers) {
        let actual = match Image::parse(text) {
            Ok(image) => [
                image.registry(),
                image.repository(),
                image.tag().unwrap_or_default(),
                image.digest().unwrap_or_default(),
                "",
            ]
            .map(str::to_owned),
            Err(error) => ["", "", "", "", &error.to_string()].map(str::to_owned),
        };
        let expected = ["registry", "repository", "tag", "digest", "error"]
            .map(|key| str(&expected[key]).to_owned());
        assert_eq!(actual, expected, "{text:?}");
    }
}

fn ask_go(texts: &[String]) -> Vec<Value> {
    let line = |text| serde_json::to_string(text).expect("a string") + "\n";
    let lines = texts.iter().map(line).collect();
    support::ask_go("tests/reference", ".", lines)
}

/// References that are nearly right: each part mostly by the grammar, sometimes at its edge, sometimes past it.
fn reference() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        6 => "[a-z0-9]{1,4}(\\.[a-z0-9-]{1,4}){0,2}(:[0-9]{1,5})?",
        2 => Just("localhost".to_owned()),
        2 => Just("docker.io".to_owned()),
        1 => Just("index.docker.io".to_owned()),
        1 => "\\[[0-9a-fA-F:]{0,6}\\](:[0-9]{0,3})?",
        2 => "[a-zA-Z0-9_.-]{1,5}(:[0-9]{0,2})?",
        1 => "[A-Z][a-z_]{0,3}",
        1 => "[a-zKİÉéſ.]{1,4}",
    ];
    let path = prop_oneof![
        8 => "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}",
        2 => "[a-zA-Z0-9._-]{0,5}",
        1 => "[a-f0-9]{64}",
        1 => "[a-z]{120,130}",
        1 => "[a-zKİÉéſ]{1,3}",
    ];
    let tag = prop_oneof![
        4 => "[A-Za-z0-9_][A-Za-z0-9_.-]{0,6}",
        1 => "[A-Za-z0-9_.:/@-]{0,4}",
        1 => "[a-z]{126,130}",
        1 => "[aKİé]{1,2}",
    ];
    let digest = prop_oneof![
        3 => "sha256:[a-f0-9]{64}",
        1 => "sha384:[a-f0-9]{96}",
        1 => "sha512:[a-f0-9]{128}",
        1 => "[sS][hH][aA](256|384|512):[a-fA-F0-9]{31,65}",
        1 => "[a-z0-9]{1,4}([+._-][a-z0-9]{1,2}){0,2}:[a-fA-F0-9]{31,64}",
        1 => "[a-zA-Z0-9:=_-]{0,8}",
    ];
    let optional = |part, weight| proptest::option::weighted(weight, part);
    (
        optional(host.boxed(), 0.7),
        proptest::collection::vec(path.boxed(), 1..4),
        optional(tag.boxed(), 0.5),
        optional(digest.boxed(), 0.3),
    )
        .prop_map(|(host, path, tag, digest)| {
            let mut text = host.map(|host| host + "/").unwrap_or_default();
            text.push_str(&path.join("/"));
            text.extend(tag.map(|tag| format!(":{tag}")));
            text.extend(digest.map(|digest| format!("@{digest}")));
            text
        })
}

/// The rows of a table of distribution/reference v0.6.0.
fn cases(name: &str) -> Vec<Value> {
    let text = include_str!("../tables/distribution_reference.json");
    let table: Value = serde_json::from_str(text).unwrap();
    let rows = table["v0.6.0"][name]["cases"].as_array();
    rows.unwrap_or_else(|| panic!("{name}")).clone()
}

fn str(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
