//! Confidential values in a text, plain or encoded.

/// The least bytes of a value that is replaced. A shorter value may be part of any text by chance: a text with it is
/// left out as a whole.
pub(super) const MIN_VALUE: usize = 4;
/// The least bytes at the end of a text that count as the beginning of a value, because the text was cut there.
const MIN_BEGINNING: usize = 6;

/// A match of a value, or of its beginning, at the beginning of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    /// The bytes of the text.
    length: usize,
    /// The bytes of the value.
    matched: usize,
    /// Whether it is the whole value; otherwise the text ended first.
    pub(super) is_whole: bool,
}

impl Match {
    /// Returns the bytes of the text to replace, if the match is not by chance.
    pub(super) fn length(self) -> Option<usize> {
        let least = if self.is_whole {
            MIN_VALUE
        } else {
            MIN_BEGINNING
        };
        (self.matched >= least).then_some(self.length)
    }
}

pub(super) fn literal_match(text: &[u8], value: &[u8]) -> Option<Match> {
    let length = text.len().min(value.len());
    let is_equal = length > 0 && text[..length] == value[..length];
    is_equal.then_some(Match {
        length,
        matched: length,
        is_whole: length == value.len(),
    })
}

/// Like [`literal_match`] for a text that is encoded for a URL (`%41`, `+`) or escaped in quotes (`\"`, `\u0026`).
pub(super) fn decoded_match(text: &[u8], value: &[u8]) -> Option<Match> {
    let mut length = 0;
    for (matched, byte) in value.iter().enumerate() {
        let rest = &text[length..];
        if rest.is_empty() {
            return Some(Match {
                length,
                matched,
                is_whole: false,
            });
        }
        length += width(rest, *byte)?;
    }
    Some(Match {
        length,
        matched: value.len(),
        is_whole: true,
    })
}

/// Returns how many bytes at the beginning of a text stand for this byte; `None` if they stand for another.
fn width(text: &[u8], byte: u8) -> Option<usize> {
    let hex = |digits: &[u8]| {
        let digits = str::from_utf8(digits).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    match text {
        [b'%', high, low, ..] if hex(&[*high, *low]) == Some(byte) => Some(3),
        [b'\\', b'u', b'0', b'0', high, low, ..] if hex(&[*high, *low]) == Some(byte) => Some(6),
        [b'\\', next @ (b'"' | b'\\' | b'/'), ..] if *next == byte => Some(2),
        [b'+', ..] if byte == b' ' => Some(1),
        [first, ..] if *first == byte => Some(1),
        _ => None,
    }
}
