//! A test that compares our reading of YAML with kubectl's packages.

use super::generator::Generator;
use crate::support::ask_go;
use pullgate::objects::manifest;
use pullgate::text::yaml::{self, Node, Plain, Value as Kind, plain};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A document as JSON, or why there is none.
type Document = Result<Value, String>;

/// Errors that kubectl does not tell, or not as we do.
const SEPARATOR: &str = "kubectl reads no text after `---`";
const CONTROL: &str = "a control character";

fn ours(text: &str) -> Vec<Document> {
    let documents =
        yaml::parse_all(text, &mut |document| document.resolve(&mut Vec::new())).into_iter();
    documents
        .map(|document| match document {
            Ok(document) => Ok(json_of(&document)),
            Err(error) => Err(format!(
                "{}:{}: {}",
                error.span.line, error.span.column, error.message
            )),
        })
        .collect()
}

fn json_of(node: &Node) -> Value {
    match &node.value {
        Kind::Scalar { text, plain: true } if plain(text) != Plain::Text => match plain(text) {
            Plain::Null => Value::Null,
            _ => serde_json::from_str(text).expect(text),
        },
        Kind::Scalar { text, .. } => json!(text),
        Kind::Sequence(items) => items.iter().map(json_of).collect(),
        Kind::Mapping(entries) => {
            let entry = |(key, value): &(Node, Node)| {
                (key.text().expect("a text").to_owned(), json_of(value))
            };
            Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
    }
}

/// Whether two values are the same, where 3.0 is 3.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => {
            let near = |a: f64, b: f64| (a - b).abs() <= a.abs() * 1e-15;
            ours == theirs
                || ((ours.is_f64() || theirs.is_f64())
                    && near(
                        ours.as_f64().expect("finite"),
                        theirs.as_f64().expect("finite"),
                    ))
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(key, ours)| theirs.get(key).is_some_and(|theirs| same(ours, theirs)))
        }
        _ => ours == theirs,
    }
}

fn is_err_with(document: &Document, words: &str) -> bool {
    document.as_ref().is_err_and(|error| error.contains(words))
}

/// The difference, if it is not one of those that are meant to be.
fn difference(text: &str, answer: &Value) -> Option<String> {
    let ours = ours(text);
    let mut theirs = &answer["documents"].as_array().expect("a list")[..];
    let told = || {
        let theirs: Vec<_> = theirs.iter().map(Value::to_string).collect();
        Some(format!("ours:    {ours:?}\nkubectl: {theirs:?}"))
    };
    // kubectl sees a control character where it comes across it, which depends on its buffers. Here it is always an
    // error. And of two BOMs in a row kubectl takes one for part of the text.
    if text.contains("\u{feff}\u{feff}")
        || ours.iter().any(|document| is_err_with(document, CONTROL))
    {
        return None;
    }
    // Behind a JSON object kubectl finds a number or a word even where no space ends it, and then refuses it.
    let is_word = |document: &Value| document.get("json").is_some_and(|json| !json.is_object());
    if text.trim_start().starts_with('{') && theirs.iter().any(is_word) {
        return None;
    }
    // kubectl refuses the whole rest of a file with text behind `---`. Here the documents around it are judged too.
    let is_separator = ours.iter().any(|document| is_err_with(document, SEPARATOR));
    if is_separator {
        let is_error = |document: &Value| document.get("error").is_some();
        let end = theirs.iter().position(is_error);
        theirs = &theirs[..end.unwrap_or_default()];
    }
    // kubectl skips text behind the end of a document, where the indentation is wrong or `...` comes before it. Here it
    // is an error, because that text was meant to be read; and so are control characters in it.
    let skips =
        answer["skips"] == true || ours.iter().any(|document| is_err_with(document, CONTROL));
    if is_separator || skips {
        let mut rest = ours.iter().filter_map(|document| document.as_ref().ok());
        let mut read = theirs.iter().filter_map(|document| document.get("json"));
        let is_read = read.all(|theirs| rest.any(|ours| same(ours, theirs)));
        return if is_read && ours.iter().any(Result::is_err) {
            None
        } else {
            told()
        };
    }
    let is_same = |(document, theirs): (&Document, &Value)| match document {
        Ok(ours) => theirs.get("json").is_some_and(|theirs| same(ours, theirs)),
        Err(_) => theirs.get("error").is_some(),
    };
    if ours.len() == theirs.len() && ours.iter().zip(theirs).all(is_same) {
        return None;
    }
    told()
}

/// A field that is read has a value of a wrong type: then it is told, and the API server refuses the object.
fn type_difference(text: &str, answer: &Value) -> Option<String> {
    let theirs = answer["documents"].as_array().expect("a list");
    // kubectl reads nothing behind an error.
    if theirs
        .iter()
        .any(|document| document.get("error").is_some())
    {
        return None;
    }
    let manifests = manifest::read(text);
    let unreadable = manifests
        .objects
        .iter()
        .find_map(|object| object.subject("default").err());
    let (_, message) = unreadable?;
    let is_refused = theirs
        .iter()
        .any(|document| document.get("refused").is_some());
    (!is_refused).then(|| format!("unreadable here: {message}"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            // Templates of charts are not YAML, and texts to fuzz with are nested too deeply for the answer.
            let skipped = ["target", "templates", "fuzz", ".git"];
            if !skipped.iter().any(|name| path.ends_with(name)) {
                files(&path, found);
            }
        } else if path
            .extension()
            .is_some_and(|of| ["yaml", "yml", "json"].iter().any(|known| of == *known))
        {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> Option<String> {
    String::from_utf8(std::fs::read(path).expect("a file")).ok()
}

/// 5 000 generated texts, other ones each time, and the files of this project or of the folder `PULLGATE_YAML_DIR`,
/// through kubectl's packages and through ours. `PULLGATE_SEED` repeats a run.
#[test]
#[expect(
    clippy::print_stdout,
    reason = "the seed is for the person who repeats the run"
)]
fn kubectl_reads_the_same() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("PULLGATE_YAML_DIR");
    let mut paths = Vec::new();
    files(folder.as_deref().map_or(project, Path::new), &mut paths);
    paths.sort();
    let mut texts: Vec<(String, String)> = paths
        .iter()
        .filter_map(|path| Some((path.display().to_string(), read(path)?)))
        .collect();
    let from_files = texts.len();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let seed = std::env::var("PULLGATE_SEED")
        .map_or(now.as_secs(), |seed| seed.parse().expect("a number"));
    println!("PULLGATE_SEED={seed}, {from_files} files");
    let mut generator = Generator::new(seed);
    let samples: Vec<_> = texts
        .iter()
        .map(|(_, text)| text.clone())
        .filter(|text| text.len() < 50_000 && !text.starts_with('{'))
        .collect();
    let count =
        std::env::var("PULLGATE_TEXTS").map_or(5_000, |count| count.parse().expect("a number"));
    texts.extend((0..count).map(|i| (format!("seed {seed}, text {i}"), generator.text(&samples))));
    let lines = texts
        .iter()
        .map(|(_, text)| json!(text).to_string() + "\n")
        .collect();
    let answers = ask_go("tests/cluster/modules/kubernetes-1.37", "./yaml", lines);
    assert_eq!(answers.len(), texts.len());
    let (mut documents, mut refused) = (0, 0);
    let mut differences = Vec::new();
    for ((name, text), answer) in texts.iter().zip(&answers) {
        for document in answer["documents"].as_array().expect("a list") {
            documents += 1;
            refused += usize::from(document.get("error").is_some());
        }
        let differ = difference(text, answer).or_else(|| type_difference(text, answer));
        differences.extend(differ.map(|differ| format!("{name}\n{text:?}\n{differ}\n")));
    }
    println!("{documents} documents, {refused} of them refused");
    assert!(
        differences.is_empty(),
        "{} differ\n{}",
        differences.len(),
        differences[..differences.len().min(12)].join("\n")
    );
    assert!(
        folder.is_some() || (documents / 4..documents * 3 / 4).contains(&refused),
        "{refused} of {documents} are refused: the generator is lopsided"
    );
}
