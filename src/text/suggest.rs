//! Suggests the known word that was probably meant ("did you mean?").

/// The longest word that gets a suggestion, in bytes. A longer one is not a typing mistake, and comparing it takes
/// long.
const MAX_WORD: usize = 64;

/// Returns the known word that was probably meant: at most a third of its characters differ.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if word.len() > MAX_WORD {
        return None;
    }
    let lower = word.to_lowercase();
    let is_near = |known: &str, distance: usize| distance * 3 <= known.len().max(3);
    // The distance of two words is at least the difference of their lengths.
    let near = known
        .iter()
        .filter(|known| is_near(known, known.len().abs_diff(lower.len())));
    let distances = near.map(|known| (strsim::osa_distance(&lower, &known.to_lowercase()), *known));
    let (distance, best) = distances.min_by_key(|(distance, _)| *distance)?;
    is_near(best, distance).then_some(best)
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
