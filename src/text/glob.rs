//! Globs with one wildcard: `*`, any run of characters.

use std::fmt;

/// A pattern in which `*` stands for any run of characters, including none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    text: Box<str>,
    /// The offsets of the first and the last `*`.
    stars: Option<(usize, usize)>,
}

impl Glob {
    /// Makes a glob. Every text is a valid one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            stars: text.find('*').zip(text.rfind('*')),
        }
    }

    /// Returns the text of the glob.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the only text that the glob matches, if it has no `*`.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.stars.is_none().then_some(&*self.text)
    }

    /// Returns the text before the first `*`, or the whole literal. Every text that matches begins with it.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.stars
            .map_or(&self.text, |(first, _)| &self.text[..first])
    }

    /// Returns the text after the last `*`, or the whole literal. Every text that matches ends with it.
    #[must_use]
    pub fn suffix(&self) -> &str {
        self.stars
            .map_or(&self.text, |(_, last)| &self.text[last + 1..])
    }

    /// Returns whether the glob matches every text.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.text.bytes().all(|byte| byte == b'*') && self.stars.is_some()
    }

    /// Returns whether the glob matches the whole `text`. Takes time in proportion to the length of both.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, last)) = self.stars else {
            return *self.text == *text;
        };
        let inner = text
            .strip_prefix(self.prefix())
            .and_then(|rest| rest.strip_suffix(self.suffix()));
        let Some(inner) = inner else {
            return false;
        };
        if first == last {
            return true;
        }
        // Taking the first occurrence of each piece is enough: a later one leaves less text for the pieces that follow.
        // So there is no backtracking, and `str::find` takes linear time.
        let after = |rest: &'_ str, piece: &str| rest.find(piece).map(|at| at + piece.len());
        let mut pieces = self.text[first + 1..last].split('*');
        pieces
            .try_fold(inner, |rest, piece| {
                after(rest, piece).map(|end| &rest[end..])
            })
            .is_some()
    }

    /// Returns whether the glob matches every text that `other` matches. May miss such a pair, but never says `true`
    /// wrongly.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // Read the other glob as a plain text. Only a `*` of this glob can match a `*` in it, and that `*` also matches
        // every text that the other `*` stands for.
        self.matches(&other.text)
    }

    /// Returns whether a text exists that both globs match. Takes time in proportion to the length of both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.literal(), other.literal()) {
            (Some(text), _) => other.matches(text),
            (None, Some(text)) => self.matches(text),
            // Both match this text: the longer prefix, then all pieces between the stars of the one and of the other,
            // then the longer suffix.
            (None, None) => {
                let ((a, b), (c, d)) = (
                    (self.prefix(), other.prefix()),
                    (self.suffix(), other.suffix()),
                );
                (a.starts_with(b) || b.starts_with(a)) && (c.ends_with(d) || d.ends_with(c))
            }
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;
    use proptest::prelude::*;

    #[test]
    fn star_is_any_run() {
        for (glob, text, expected) in [
            ("legacy-*", "legacy-", true),
            ("legacy-*", "legacy", false),
            ("*", "", true),
            ("a*b*c", "aXbbXc", true),
            ("a*b*c", "aXbbX", false),
            ("*-pull", "x-pull-pull", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(Glob::new(glob).matches(text), expected, "{glob} {text}");
        }
    }

    proptest! {
        #[test]
        fn covers_and_overlaps_tell_the_truth(a in "[ab*]{0,5}", b in "[ab*]{0,5}", text in "[ab]{0,6}") {
            let (a, b) = (Glob::new(&a), Glob::new(&b));
            if a.covers(&b) && b.matches(&text) {
                prop_assert!(a.matches(&text));
            }
            if a.matches(&text) && b.matches(&text) {
                prop_assert!(a.overlaps(&b));
            }
            prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
        }

        /// A common text of two globs of length n is found within 2n characters: try them all.
        #[test]
        fn overlap_is_never_claimed_wrongly(a in "[ab*]{0,3}", b in "[ab*]{0,3}") {
            let (a, b) = (Glob::new(&a), Glob::new(&b));
            let found = (0..=6_u32).any(|len| (0..2_u32.pow(len)).any(|bits| {
                let text: String = (0..len).map(|i| if bits >> i & 1 == 0 { 'a' } else { 'b' }).collect();
                a.matches(&text) && b.matches(&text)
            }));
            prop_assert_eq!(a.overlaps(&b), found);
        }
    }
}
