//! Globs that know only `*`, any run of characters.

use std::fmt;

/// A pattern in which `*` stands for any run of characters, also none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

impl Glob {
    /// A glob; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text it was made from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one text it matches, where it has no `*`.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&*self.0)
    }

    /// Whether it matches all of `text`. Takes at most `len(glob) * len(text)` steps.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let (glob, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut g, mut t) = (0, 0);
        // Where to go on when the text after the last `*` did not fit: that `*` takes one character more.
        let mut retry = None;
        while t < text.len() {
            if glob.get(g) == Some(&b'*') {
                retry = Some((g, t));
                g += 1;
            } else if glob.get(g) == Some(&text[t]) {
                g += 1;
                t += 1;
            } else if let Some((star, from)) = retry {
                retry = Some((star, from + 1));
                g = star + 1;
                t = from + 1;
            } else {
                return false;
            }
        }
        glob[g..].iter().all(|b| *b == b'*')
    }

    /// Whether it matches whatever `other` matches. Never wrongly `true`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // Read as a text, the `*` of the other can only be matched by one of ours, and so can all that it stands for.
        self.matches(&other.0)
    }

    /// Whether some text is matched by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        // Before the first `*` of either they have to be alike; nearly all that do not overlap end here.
        let fixed = |glob: &[u8]| glob.iter().position(|b| *b == b'*').unwrap_or(glob.len());
        let shared = fixed(a).min(fixed(b));
        if a[..shared] != b[..shared] {
            return false;
        }
        // row[j]: the rest of `a` and `b[j..]` have a text in common; from the ends backwards.
        let mut row: Vec<bool> = (0..=b.len())
            .map(|j| b[j..].iter().all(|c| *c == b'*'))
            .collect();
        for i in (0..a.len()).rev() {
            let below = row.clone();
            row[b.len()] = a[i] == b'*' && below[b.len()];
            for j in (0..b.len()).rev() {
                row[j] = if a[i] == b'*' || b[j] == b'*' {
                    below[j] || row[j + 1]
                } else {
                    a[i] == b[j] && below[j + 1]
                };
            }
        }
        row[0]
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
