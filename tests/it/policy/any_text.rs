//! Tests that no text makes the reader of policies panic.

use super::{HEAD, TODAY};
use proptest::prelude::*;
use pullgate::policy::Policy;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>(), body in "[a-z:\\[\\]{}\\-&*!|>'\", \n]{0,60}") {
        for text in [text, format!("{HEAD}{body}")] {
            let diagnostics = Policy::load(&text, TODAY).diagnostics;
            let _ = pullgate::text::diagnostic::render(&diagnostics, "policy.yaml", &text, pullgate::text::diagnostic::Colour::Always);
        }
    }
}

/// The diagnostics of any text can be shown.
#[test]
fn odd_texts_are_shown_without_a_panic() {
    use pullgate::text::diagnostic::{Colour, render};
    for text in [
        "a:\t\u{e9}\n\t- \u{e9}: \u{fc}",
        "\u{1f600}: |2\n\u{1f600}",
        "\u{feff}a: [\u{e9}",
        "a: \"\u{e9}",
        "\u{0}",
    ] {
        let _ = render(
            &Policy::load(text, TODAY).diagnostics,
            "policy.yaml",
            text,
            Colour::Never,
        );
    }
}
