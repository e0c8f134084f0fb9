//! Any headers of a registry are read as challenges, and any realm among them is an HTTPS URL or refused. The last line is
//! a value that the text before it, made fit to be shown, must not repeat.
#![cfg_attr(feature = "libfuzzer", no_main)]

use pullgate::kubelet::registry::challenge;
use pullgate::kubelet::registry::url::HttpsUrl;
use pullgate::text::foreign::{Confidential, MAX_SHOWN};
use pullgate_fuzz::fuzz_target;

fuzz_target!(|text: &str| {
    let challenges = challenge::parse(text.lines());
    assert!(challenge::choose(&challenges).is_some() != challenges.is_empty());
    for realm in challenges.iter().filter_map(|found| found.realm.as_deref()) {
        if let Some(url) = HttpsUrl::parse(realm) {
            let shown = url.to_string();
            let again = HttpsUrl::parse(&shown).expect("a URL can be read again");
            assert_eq!(again.authority(), url.authority());
            assert!(!shown.contains(['?', '#']));
        }
    }
    let (text, value) = text.rsplit_once('\n').unwrap_or((text, ""));
    let mut confidential = Confidential::default();
    confidential.add(value.as_bytes());
    let shown = confidential.show(text);
    assert!(shown.chars().count() <= MAX_SHOWN);
    assert!(value.is_empty() || !shown.contains(value));
    assert!(!shown.contains(char::is_control));
});
