//! Globs that know only `*`, any run of characters.

use std::fmt;

/// A pattern in which `*` stands for any run of characters, also none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    text: Box<str>,
    /// The offsets of the first and the last `*`.
    stars: Option<(usize, usize)>,
}

impl Glob {
    /// A glob; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            stars: text.find('*').zip(text.rfind('*')),
        }
    }

    /// The text it was made from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The one text it matches, where it has no `*`.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.stars.is_none().then_some(&*self.text)
    }

    /// Returns the text before the first `*`, with which each text begins that it matches; all of a literal.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.stars
            .map_or(&self.text, |(first, _)| &self.text[..first])
    }

    /// Returns the text after the last `*`, with which each text ends that it matches; all of a literal.
    #[must_use]
    pub fn suffix(&self) -> &str {
        self.stars
            .map_or(&self.text, |(_, last)| &self.text[last + 1..])
    }

    /// Whether it matches every text.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.text.bytes().all(|byte| byte == b'*') && self.stars.is_some()
    }

    /// Whether it matches all of `text`. Takes time in proportion to the length of both.
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
        // The first place of each piece is as good as any later one, and `str::find` takes linear time.
        let after = |rest: &'_ str, piece: &str| rest.find(piece).map(|at| at + piece.len());
        let mut pieces = self.text[first + 1..last].split('*');
        pieces
            .try_fold(inner, |rest, piece| {
                after(rest, piece).map(|end| &rest[end..])
            })
            .is_some()
    }

    /// Whether it matches whatever `other` matches. Never wrongly `true`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // Read as a text, the `*` of the other can only be matched by one of ours, and so can all that it stands for.
        self.matches(&other.text)
    }

    /// Whether some text is matched by both. Takes time in proportion to the length of both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.literal(), other.literal()) {
            (Some(text), _) => other.matches(text),
            (None, Some(text)) => self.matches(text),
            // The longer beginning, all pieces between the stars of one and then of the other, and the longer end are a
            // text that both match.
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
