//! The English and the lines of the documents.

use super::sources;
use crate::pages::{Line, Page, pages};

/// The most characters of a line. Tables, links and blocks of code may be longer.
const MAX_LINE: usize = 120;
/// The most lines with a word below in 1 000 lines of all documents. It only goes down.
const MAX_RIDDLES: usize = 10;
/// The most comment lines with such a word in 1 000 comment lines of the code. It only goes down.
const MAX_RIDDLES_IN_COMMENTS: usize = 20;
/// Words that stand where a noun is missing.
const RIDDLES: [&str; 6] = ["what", "whose", "nobody", "somebody", "whoever", "whatever"];

/// Whether a line hides its subject: one of the words above, or "is no" in place of "is not a".
fn is_riddle(line: &str) -> bool {
    let line = line.to_lowercase();
    let words: Vec<_> = line.split(|c: char| !c.is_alphabetic()).collect();
    let is_no = |at: &[&str]| match at {
        [before, "is" | "are", "no", after] => *before != "there" && *after != "longer",
        _ => false,
    };
    let padded = [&[""], words.as_slice(), &[""]].concat();
    words.iter().any(|word| RIDDLES.contains(word)) || padded.windows(4).any(is_no)
}

fn is_too_long(line: &Line<'_>) -> bool {
    let text = line.text.trim();
    let is_table = text.starts_with('|');
    // One word cannot break.
    let is_link = text.split_whitespace().count() <= 1;
    line.text.chars().count() > MAX_LINE && !line.is_code && !is_table && !is_link
}

#[test]
fn lines_of_documents_end_in_time() {
    let long = |page: &Page| {
        let lines = page.lines();
        let long = lines.iter().filter(|line| is_too_long(line));
        long.map(|line| format!("{}:{}", page.path, line.number))
            .collect::<Vec<_>>()
    };
    let long: Vec<_> = pages().iter().flat_map(long).collect();
    assert_eq!(long, [""; 0], "lines of more than {MAX_LINE} characters");
}

#[test]
fn sentences_of_documents_name_their_subject() {
    let pages = pages();
    let lines: usize = pages.iter().map(|page| page.lines().len()).sum();
    let riddles = |page: &Page| {
        let lines = page.lines();
        let riddles = lines
            .iter()
            .filter(|line| !line.is_code && is_riddle(line.text));
        riddles
            .map(|line| format!("{}:{}: {}", page.path, line.number, line.text))
            .collect::<Vec<_>>()
    };
    let riddles: Vec<_> = pages.iter().flat_map(riddles).collect();
    let most = lines * MAX_RIDDLES / 1000;
    assert!(
        riddles.len() <= most,
        "{} of {lines} lines, at most {most}: {riddles:#?}",
        riddles.len()
    );
}

#[test]
fn comments_name_their_subject() {
    let sources = sources(&["src", "tests", "benches", "fuzz/fuzz_targets", "fuzz/src"]);
    let comments = |text: &str| {
        let lines = text.lines().map(str::trim_start);
        let comments = lines.filter(|line| line.starts_with("//"));
        comments.map(str::to_owned).collect::<Vec<_>>()
    };
    let comments: Vec<_> = sources
        .iter()
        .flat_map(|source| comments(&source.text))
        .collect();
    let riddles: Vec<_> = comments.iter().filter(|line| is_riddle(line)).collect();
    let most = comments.len() * MAX_RIDDLES_IN_COMMENTS / 1000;
    assert!(
        riddles.len() <= most,
        "{} of {} lines, at most {most}: {riddles:#?}",
        riddles.len(),
        comments.len()
    );
}

/// "is not a valid X" and "X does not exist" say it; "is no X" needs a second reading.
#[test]
fn no_message_says_is_no() {
    let sources = sources(&["src"]);
    let lines = sources.iter().flat_map(|source| {
        let lines = source.text.lines().map(str::trim_start);
        lines.map(move |line| (&source.path, line))
    });
    let messages = lines.filter(|(_, line)| !line.starts_with("//") && line.contains('"'));
    let bad: Vec<_> = messages
        .filter(|(_, line)| line.contains(" is no ") || line.contains(" are no "))
        .filter(|(_, line)| !line.contains("no longer"))
        .collect();
    assert_eq!(bad, [], "messages");
}

#[test]
fn a_riddle_is_told_from_a_sentence() {
    for riddle in [
        "What is asked.",
        "it is no JSON",
        "told to whoever asks",
        "These are no findings",
    ] {
        assert!(is_riddle(riddle), "{riddle}");
    }
    for sentence in [
        "It is not JSON.",
        "There is no index.",
        "It is no longer used.",
        "somewhat",
    ] {
        assert!(!is_riddle(sentence), "{sentence}");
    }
}
