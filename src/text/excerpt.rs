//! Makes foreign texts fit to be shown: cleaned, shortened, cut.

/// Stands for the left-out middle of a text.
const GAP: &str = "…";

/// Replaces control characters and characters that change the direction of writing by spaces. The API server silently
/// drops a warning that holds a control character, and a foreign text must not be able to look like a line of Pullgate.
#[must_use]
pub fn clean(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() || turns(c) { ' ' } else { c })
        .collect()
}

/// Shortens a text to at most `length` characters: its beginning, `…`, its end.
#[must_use]
pub fn shorten(text: &str, length: usize) -> String {
    let count = text.chars().count();
    if count <= length {
        return text.to_owned();
    }
    let head = length / 2;
    let tail = length - head - 1;
    text.chars()
        .take(head)
        .chain(GAP.chars())
        .chain(text.chars().skip(count - tail))
        .collect()
}

/// Returns at most the first `bytes` bytes of a text. A client chooses the length of what it sends, but not how much of
/// it Pullgate repeats.
#[must_use]
pub fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_both_ends() {
        assert_eq!(shorten("abcdefghij", 10), "abcdefghij");
        assert_eq!(shorten("abcdefghijk", 10), "abcde…hijk");
        assert_eq!(shorten("äöüäöüäöü", 4), "äö…ü");
    }

    #[test]
    fn nothing_can_forge_a_line() {
        assert_eq!(clean("a\nb\u{1b}[31m\u{202e}c\u{2028}"), "a b [31m c ");
    }
}
