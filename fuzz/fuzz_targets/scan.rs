//! The scanner reads the same values as `serde_json`, unless a skipped part of the text is malformed.
#![cfg_attr(feature = "libfuzzer", no_main)]

use pullgate::text::scan::{Raw, from_slice, skimmed};
use pullgate_fuzz::fuzz_target;
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Debug, PartialEq, Deserialize)]
struct Wanted<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    list: Option<Vec<Option<Wanted<'a>>>>,
    flag: Option<bool>,
    #[serde(borrow)]
    raw: Option<Raw<'a>>,
}

fuzz_target!(|bytes: &[u8]| {
    let read = serde_json::from_slice::<Wanted<'_>>(bytes);
    match (&read, from_slice::<Wanted<'_>>(bytes)) {
        (Ok(read), scanned) => assert_eq!(*read, scanned.expect("a text that serde_json reads")),
        (Err(read), Err(scanned)) => assert_eq!(read.to_string(), scanned.to_string()),
        (Err(_), Ok(_)) => {}
    }
    if let (Ok(read), Ok(text)) = (read, std::str::from_utf8(bytes))
        && let Some(skimmed) = skimmed::<Wanted<'_>>(text)
    {
        assert_eq!(read, skimmed);
    }
});
