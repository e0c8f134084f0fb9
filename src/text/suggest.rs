//! "Did you mean?"

/// What is longer was not mistyped, and comparing it would take long.
const MAX_WORD: usize = 64;

/// The known word that was probably meant: at most a third of it is otherwise.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > MAX_WORD {
        return None;
    }
    let lower = word.to_lowercase();
    let distance = |known: &&str| strsim::damerau_levenshtein(&lower, &known.to_lowercase());
    let best = known.iter().min_by_key(|known| distance(known))?;
    (distance(best) * 3 <= best.len().max(3)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["secrets", "images", "identity"];
        for (word, expected) in [
            ("secret", Some("secrets")),
            ("Images", Some("images")),
            ("imgaes", Some("images")),
            ("password", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
        assert_eq!(nearest("x", &[]), None);
    }
}
