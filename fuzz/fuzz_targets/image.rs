//! Any text is an image reference or an error, and a parsed reference can be written and parsed again.
#![cfg_attr(feature = "libfuzzer", no_main)]

use pullgate::kubelet::image::Image;
use pullgate::policy::pattern::ImagePattern;
use pullgate_fuzz::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(image) = Image::parse(text) {
        let shown = image.to_string();
        assert_eq!(
            Image::parse(&shown)
                .expect("a parsed reference can be parsed again")
                .to_string(),
            shown
        );
    }
    if let Ok(pattern) = text.parse::<ImagePattern>() {
        // Hosts are written in lower case. A name without a dot is then a repository and not a host, and may not be a
        // valid pattern.
        if let Ok(again) = pattern.to_string().parse() {
            assert_eq!(pattern, again);
        }
    }
});
