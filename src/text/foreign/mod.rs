//! Texts of registries and kubelets, made fit to be shown.
//!
//! Such texts carry signed URLs, tokens, and sometimes the header that they refuse. They get into an output only
//! through [`Confidential::show`].

mod urls;
mod value;

use crate::text::excerpt::{beginning, clean, shorten};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt;
use urls::without_queries;
use value::{MIN_VALUE, Match, decoded_match, literal_match};
use zeroize::Zeroizing;

/// The most characters that are shown of a text.
pub const MAX_SHOWN: usize = 256;
/// The most bytes of a text that are read. This is more than is shown, because replaced parts get shorter.
const MAX_READ: usize = 4096;
/// The least characters of a base64 run that is replaced.
const BASE64_RUN: usize = 20;
/// The least characters of a run that count as a part of the base64 of a value.
const MIN_ENCODED: usize = 8;
/// Stands for a part that was replaced.
const HIDDEN: &str = "…";

/// The values that no shown text may repeat: passwords and tokens in hand. They are wiped when this is dropped.
#[derive(Default)]
pub struct Confidential {
    values: Vec<Zeroizing<Vec<u8>>>,
    /// The base64 of each value: the characters that are the same wherever the value stands in an encoded text.
    encoded: Vec<Zeroizing<String>>,
}

impl Confidential {
    /// Adds a value.
    pub fn add(&mut self, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let alone = Zeroizing::new(engine.encode(value));
            for offset in 0..3 {
                let shifted = Zeroizing::new([&[0; 2][..offset], value].concat());
                let whole = shifted.len() / 3 * 4;
                let first = [0, 2, 3][offset];
                let encoded = Zeroizing::new(engine.encode(&*shifted));
                let core = encoded.get(first..whole).unwrap_or_default();
                if core.len() >= MIN_VALUE {
                    self.encoded.push(Zeroizing::new(core.to_owned()));
                }
            }
            self.encoded.push(alone);
        }
        self.values.push(Zeroizing::new(value.to_vec()));
    }

    /// Returns a text fit to be shown: in one line of at most [`MAX_SHOWN`] characters, URLs without user info and
    /// query, long base64 runs replaced, and without any value, plain, in base64 or encoded for a URL. If a value is
    /// left nevertheless, the text becomes empty.
    #[must_use]
    pub fn show(&self, text: &str) -> String {
        let read = clean(beginning(text, MAX_READ));
        let shown = self.without_values(&read);
        let shown = without_queries(&shown);
        let shown = self.without_runs(&shown);
        // Kubelets write the cause at the end. A text that was not read to its end may stop within a value.
        let shown = if text.len() > MAX_READ {
            shown.chars().take(MAX_SHOWN).collect()
        } else {
            shorten(&shown, MAX_SHOWN)
        };
        if self.repeats(&shown) {
            return String::new();
        }
        shown
    }

    /// Returns whether a text has a value in it.
    fn repeats(&self, text: &str) -> bool {
        let mut encoded = self.encoded.iter();
        let is_found = |value: &Zeroizing<Vec<u8>>| {
            let plain = Zeroizing::new(clean(&String::from_utf8_lossy(value)));
            let places = 0..text.len();
            text.contains(plain.as_str())
                || places.clone().any(|at| {
                    let rest = &text.as_bytes()[at..];
                    decoded_match(rest, value).is_some_and(|found| found.is_whole)
                })
        };
        encoded.any(|encoded| text.contains(encoded.as_str())) || self.values.iter().any(is_found)
    }

    /// Replaces values, and the beginning of a value at the end of the text.
    fn without_values(&self, text: &str) -> String {
        let plain = self.values.iter();
        let plain: Vec<_> = plain
            .map(|value| Zeroizing::new(clean(&String::from_utf8_lossy(value))))
            .collect();
        let mut shown = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let literal = plain.iter();
            let literal =
                literal.filter_map(|value| literal_match(rest.as_bytes(), value.as_bytes()));
            let decoded = self.values.iter();
            let decoded = decoded.filter_map(|value| decoded_match(rest.as_bytes(), value));
            let length = literal.chain(decoded).filter_map(Match::length).max();
            let length = if let Some(length) = length {
                shown.push_str(HIDDEN);
                rest.ceil_char_boundary(length)
            } else {
                shown.push(character);
                character.len_utf8()
            };
            rest = &rest[length..];
        }
        shown
    }

    /// Replaces long base64 runs, and shorter ones that are a part of the base64 of a value.
    fn without_runs(&self, text: &str) -> String {
        let mut shown = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/-_".contains(&b);
            let run = rest.bytes().take_while(|byte| is_base64(*byte)).count();
            let padding = rest[run..].bytes().take_while(|byte| *byte == b'=').count();
            let (run, behind) = rest.split_at(if run == 0 { 0 } else { run + padding });
            if run.is_empty() {
                shown.push(character);
                rest = &rest[character.len_utf8()..];
                continue;
            }
            let is_digest = shown.ends_with("sha256:") && is_hex_digest(run);
            if self.encodes(run) {
                shown.push_str(HIDDEN);
            } else if run.len() < BASE64_RUN || is_digest {
                shown.push_str(run);
            } else {
                shown.push_str(&words_of(run));
            }
            rest = behind;
        }
        shown
    }

    /// Returns whether a run is the base64 of a value, or a part of it.
    fn encodes(&self, run: &str) -> bool {
        let run = run.trim_end_matches('=');
        let mut encoded = self.encoded.iter();
        encoded.any(|encoded| {
            encoded.len() >= MIN_VALUE && run.contains(encoded.as_str())
                || run.len() >= MIN_ENCODED && encoded.contains(run)
        })
    }
}

impl fmt::Debug for Confidential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confidential").finish_non_exhaustive()
    }
}

/// Returns the parts of a run that name an image or a URL rather than a token: between `/`, words in one case, numbers
/// and short names. The others are replaced.
fn words_of(run: &str) -> String {
    if run.contains(['+', '=']) {
        return HIDDEN.to_owned();
    }
    let is_word = |piece: &str| {
        let letters = piece.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = piece.len() - letters.len();
        let tail = letters.get(1..).unwrap_or_default();
        let is_in_case = letters.bytes().all(|b| b.is_ascii_uppercase())
            || tail.bytes().all(|b| b.is_ascii_lowercase())
                && letters.bytes().all(|b| b.is_ascii_alphabetic());
        let is_short = piece.len() <= 3 && !piece.bytes().any(|b| b.is_ascii_uppercase());
        let is_number = letters.is_empty() && digits <= 8;
        is_short || is_number || is_in_case && letters.len() < BASE64_RUN && digits <= 4
    };
    let has_words = |part: &&str| part.split(['-', '_']).all(is_word);
    let parts = run.split('/');
    let shown: Vec<_> = parts
        .map(|part| Some(part).filter(has_words).unwrap_or(HIDDEN))
        .collect();
    shown.join("/")
}

fn is_hex_digest(run: &str) -> bool {
    run.len() == 64 && run.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn show(text: &str, values: &[&str]) -> String {
        let mut confidential = Confidential::default();
        for value in values {
            confidential.add(value.as_bytes());
        }
        confidential.show(text)
    }

    #[test]
    fn queries_and_user_info_are_cut() {
        for (text, expected) in [
            (
                r#"Head "https://h/v2/?ns=a%3A5&sig=b": dial"#,
                r#"Head "https://h/v2/": dial"#,
            ),
            (
                "to http://10.99.0.1:5000/v2/a?ns=registry.test%3A5000: 401",
                "to http://10.99.0.1:5000/v2/a: 401",
            ),
            ("https://u:p@h/a@sha256:1", "https://h/a@sha256:1"),
            ("https://u:p/w@h/a", "https://h/a"),
            ("https://u:p?w@h/a", "https://"),
            ("https://u:p#w@h/a, b", "https://, b"),
            ("https://[::1]:5000/a@b", "https://[::1]:5000/a@b"),
            ("https://h#token=1, then", "https://h, then"),
            ("/v2/a?_state=1 and a&b=c", "/v2/a and a"),
            ("why? because", "why? because"),
            ("a & b = c", "a & b = c"),
        ] {
            assert_eq!(show(text, &[]), expected);
        }
    }

    #[test]
    fn long_base64_runs_are_replaced_and_names_are_kept() {
        let digest = "0123456789abcdef".repeat(4);
        let kept = [
            r#"DENIED: Permission "artifactregistry.repositories.downloadArtifacts" denied on resource "projects/corp-1/locations/europe-west1/repositories/team" (or it may not exist)"#,
            "unauthorized to access repository: payments/backend/frontend-api, action: pull",
            "https://registry-1.docker.io/v2/library/nginx/manifests/latest",
            "PROJECT_POLICY_VIOLATION_FOUND",
        ];
        for text in kept {
            assert_eq!(show(text, &[]), text);
        }
        let text = format!("app@sha256:{digest} and https://h/v2/team/app/manifests/{digest}: 401");
        let expected = format!("app@sha256:{digest} and https://h/v2/team/app/manifests/…: 401");
        assert_eq!(show(&text, &[]), expected);
        for token in [
            "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9",
            "dXNlcjpwYXNzd29yZDEyMw==",
            "550e8400-e29b-41d4-a716-446655440000",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "dckr_pat_aBcDeFgHiJkLmNoPqRsTuVwXyZa",
            "abcdefghijklmnopqrstuvwxyz",
        ] {
            assert_eq!(show(&format!("x {token}."), &[]), "x ….");
        }
    }

    #[test]
    fn values_are_replaced_in_any_form() {
        let password = "p+w/\"ä 1";
        let basic = STANDARD.encode(format!("user:{password}"));
        for text in [
            password.to_owned(),
            "p%2Bw%2F%22%C3%A4%201".to_owned(),
            "p%2bw/\"ä+1".to_owned(),
            r#"p+w\/\"ä 1"#.to_owned(),
            r#"p\u002bw/\"ä 1"#.to_owned(),
            STANDARD.encode(password),
            basic.trim_end_matches('=').to_owned(),
            // A text that was cut.
            "p+w/\"ä".to_owned(),
        ] {
            assert_eq!(show(&format!("denied: {text}"), &[password]), "denied: …");
        }
        assert_eq!(show("a line\nbreak", &["line\nbreak"]), "a …");
    }

    #[test]
    fn a_text_with_a_short_value_is_left_out() {
        assert_eq!(show("password abc", &["abc"]), "");
        assert_eq!(show("password YWJj", &["abc"]), "password …");
        assert_eq!(show("denied", &["abc"]), "denied");
        // The mark itself is a value.
        assert_eq!(show("a …… b", &["……"]), "a … b");
        assert_eq!(show("denied", &[""]), "denied");
    }

    #[test]
    fn of_a_kubelet_text_both_ends_are_kept() {
        let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/payments/backend/api:1.0";
        let text = format!(
            "rpc error: code = Unknown desc = failed to pull and unpack image \"{image}\": failed to resolve reference \
             \"{image}\": failed to authorize: failed to fetch oauth token: unexpected status from GET request to \
             https://auth.docker.io/token?scope=repository%3Apayments%2Fapi&service=x: 401 Unauthorized"
        );
        let shown = show(&text, &[]);
        assert!(shown.starts_with(
            "rpc error: code = Unknown desc = failed to pull and unpack image \"1234"
        ));
        assert!(
            shown.ends_with("GET request to https://auth.docker.io/token: 401 Unauthorized"),
            "{shown}"
        );
    }

    #[test]
    fn long_texts_end_early() {
        let text = "ä".repeat(100_000);
        assert_eq!(show(&text, &[]).chars().count(), MAX_SHOWN);
        let many = "secret-value ".repeat(10_000);
        let shown = show(&many, &["secret-value"]);
        assert!(
            shown.starts_with("… … … ") && shown.chars().count() == MAX_SHOWN,
            "{shown}"
        );
    }

    fn url_encoded(text: &str) -> String {
        let encoded = text.bytes().map(|byte| format!("%{byte:02X}"));
        encoded.collect::<Vec<_>>().concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn trap_41_no_form_of_a_value_is_shown(
            value in "\\PC{1,40}",
            user in "[a-z]{0,6}",
            around in proptest::collection::vec("\\PC{0,30}", 4),
            order in 0..24usize,
        ) {
            let pair = format!("{user}:{value}");
            let forms = [
                value.clone(),
                url_encoded(&value),
                STANDARD_NO_PAD.encode(&value),
                STANDARD_NO_PAD.encode(&pair),
            ];
            let mut text = String::new();
            for (at, part) in around.iter().enumerate() {
                text.push_str(part);
                text.push_str(&forms[(at + order) % 4]);
            }
            let shown = show(&text, &[&value, &pair]);
            for form in &forms {
                prop_assert!(!shown.contains(form.as_str()), "{shown} has {form}");
            }
        }

        #[test]
        fn what_is_shown_is_short_and_has_no_control_characters_queries_or_tokens(
            before in any::<String>(),
            token in proptest::collection::vec(any::<u8>(), 24..60),
            query in "[a-z]{1,5}=[a-zA-Z0-9]{6,9}",
        ) {
            let encoded = URL_SAFE_NO_PAD.encode(&token);
            let text = format!("{before} {encoded} https://h/p?{query} {before}");
            let shown = show(&text, &[]);
            prop_assert!(shown.chars().count() <= MAX_SHOWN);
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert!(!shown.contains(&encoded) && !shown.contains(&query));
        }
    }
}
