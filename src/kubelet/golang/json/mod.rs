//! `encoding/json`: what it takes for JSON, and how it reads objects and strings (`scanner.go`, `decode.go`).

mod scanner;

use scanner::{GrammarScanner, is_space};
use zeroize::Zeroizing;

pub(crate) use scanner::NoJson;

/// One value, known to be valid, without the white space around it.
#[derive(Clone, Copy)]
pub(crate) struct Json<'a>(&'a [u8]);

impl<'a> Json<'a> {
    /// Checks a text as a whole, as `json.Unmarshal` does before it looks at any of it.
    pub(crate) fn parse(text: &'a [u8]) -> Result<Self, NoJson> {
        GrammarScanner::new(text).document()?;
        Ok(Self(text.trim_ascii_start()).first())
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.starts_with(b"null")
    }

    /// The text of a string; `None` of anything else.
    pub(crate) fn string(self) -> Option<Zeroizing<String>> {
        (self.0.first() == Some(&b'"')).then(|| unquote(&self.0[1..self.0.len() - 1]))
    }

    /// The members of an object, in their order and with those that come twice; `None` of anything else.
    pub(crate) fn members(self) -> Option<impl Iterator<Item = (Zeroizing<String>, Json<'a>)>> {
        let mut rest = self.0.strip_prefix(b"{")?;
        Some(std::iter::from_fn(move || {
            let (name, after) = Json(skip(rest, b',')).split()?;
            let (value, after) = Json(skip(after, b':')).split()?;
            rest = after;
            Some((name.string()?, value))
        }))
    }

    /// The value that the text begins with.
    fn first(self) -> Self {
        self.split().map_or(Self(b""), |(value, _)| value)
    }

    /// The value that the text begins with, and what follows it; `None` at the end of an object.
    fn split(self) -> Option<(Self, &'a [u8])> {
        let text = self.0;
        let (mut depth, mut at) = (0, 0);
        loop {
            match text.get(at)? {
                b'"' => at = after_string(text, at),
                b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
                b'}' | b']' if depth == 0 => return None,
                b'}' | b']' => (depth, at) = (depth - 1, at + 1),
                _ if depth > 0 => at += 1,
                _ => {
                    let ends = |b: &u8| {
                        matches!(b, b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n')
                    };
                    at = text.iter().position(ends).unwrap_or(text.len());
                }
            }
            if depth == 0 {
                return Some((Self(&text[..at]), &text[at..]));
            }
        }
    }
}

/// Whether the name of a member names a field: without regard to case, as `foldName` has it, for which the Kelvin sign
/// is a `k` and the long s an `s`.
pub(crate) fn names_field(name: &str, field: &str) -> bool {
    let fold = |c: char| match c {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        c => c.to_ascii_lowercase(),
    };
    name.chars().map(fold).eq(field.chars().map(fold))
}

fn skip(text: &[u8], separator: u8) -> &[u8] {
    let is_skipped = |byte: &u8| is_space(*byte) || *byte == separator;
    let start = text.iter().position(|byte| !is_skipped(byte));
    &text[start.unwrap_or(text.len())..]
}

/// Where a string that begins at `start` is over.
fn after_string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// `unquote`: each byte that is no UTF-8 and each lone surrogate becomes a U+FFFD.
fn unquote(text: &[u8]) -> Zeroizing<String> {
    // A growing buffer would leave copies of a password behind.
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 3));
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        push_lossy(&mut out, &rest[..at]);
        rest = escape(&mut out, &rest[at + 1..]);
    }
    push_lossy(&mut out, rest);
    out
}

fn push_lossy(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

/// Reads what follows a backslash.
fn escape<'a>(out: &mut String, text: &'a [u8]) -> &'a [u8] {
    let plain = match text.first() {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let (unit, rest) = (hex(&text[1..]), text.get(5..).unwrap_or_default());
            let low = rest.strip_prefix(b"\\u").map(hex);
            if let (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) = (unit, low) {
                let code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                return &rest[6..];
            }
            out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            return rest;
        }
        Some(byte) => char::from(*byte),
        None => return text,
    };
    out.push(plain);
    &text[1..]
}

fn hex(digits: &[u8]) -> u32 {
    let digits = digits.iter().take(4);
    digits.fold(0, |value, digit| {
        value * 16 + char::from(*digit).to_digit(16).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::scanner::MAX_DEPTH;
    use super::*;

    #[test]
    fn the_grammar_is_that_of_go() {
        for good in [
            "{}",
            " [] ",
            "null",
            "-0.5e+3",
            r#"{"a":[1,{"b":null}],"c":"\ud800"}"#,
            "\"\u{7f}\"",
        ] {
            assert!(Json::parse(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "1.",
            "+1",
            "nul",
            "\"\t\"",
            "{} {}",
            "\u{feff}{}",
            "{a:1}",
            "[1}",
            "{1:2}",
            "\"\\x\"",
            "-",
            "1e",
            "[",
            "]",
            ",",
        ] {
            assert!(Json::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn nesting_ends_where_go_ends_it() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(Json::parse(nested(MAX_DEPTH + 1).as_bytes()).is_err());
    }

    #[test]
    fn strings_lose_what_is_no_text() {
        let read = |text: &[u8]| {
            Json::parse(text)
                .ok()?
                .string()
                .map(|text| text.to_string())
        };
        assert_eq!(
            read(br#""a\u0041\/\n\ud83d\ude00""#).as_deref(),
            Some("aA/\n\u{1f600}")
        );
        assert_eq!(
            read(br#""\ud800\u0041\ud800""#).as_deref(),
            Some("\u{fffd}A\u{fffd}")
        );
        assert_eq!(read(b"\"\xe2\x82x\"").as_deref(), Some("\u{fffd}\u{fffd}x"));
        assert_eq!(read(b"1"), None);
    }

    #[test]
    fn members_come_in_their_order() {
        let text = br#" { "a" : {"x":"}"} , "b\"":[1,"]"],"a":null}  "#;
        let members: Vec<_> = Json::parse(text)
            .ok()
            .and_then(Json::members)
            .into_iter()
            .flatten()
            .collect();
        let told: Vec<_> = members
            .iter()
            .map(|(name, value)| (name.as_str(), value.0))
            .collect();
        let expected: [(&str, &[u8]); 3] = [
            ("a", br#"{"x":"}"}"#),
            ("b\"", br#"[1,"]"]"#),
            ("a", b"null"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn fields_are_found_without_regard_to_case() {
        assert!(names_field("AUTHs", "auths") && names_field("auth\u{17f}", "auths"));
        assert!(!names_field("auth", "auths") && !names_field("auths ", "auths"));
    }
}
