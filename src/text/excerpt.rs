//! Parts of a text that others wrote, made fit to be shown: cleaned, shortened, cut.

/// What is put where the middle of a text is left out.
const GAP: &str = "…";

/// Without control characters and those that turn the direction of writing: the API server drops a warning that has one
/// without a trace, and what somebody else wrote must not look like a line of ours.
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

/// A text of at most so many characters: its beginning and its end.
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

/// No more than so many bytes of a text: whoever asks decides how long it is, and not how much of it is repeated.
#[must_use]
pub fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_keeps_both_ends() {
        assert_eq!(shorten("abcdefghij", 10), "abcdefghij");
        assert_eq!(shorten("abcdefghijk", 10), "abcde…hijk");
        assert_eq!(shorten("äöüäöüäöü", 4), "äö…ü");
    }

    #[test]
    fn nothing_can_forge_a_line() {
        assert_eq!(clean("a\nb\u{1b}[31m\u{202e}c\u{2028}"), "a b [31m c ");
    }
}
