//! Any text is an image reference or an error, and what was parsed can be written and parsed again.
#![cfg_attr(feature = "libfuzzer", no_main)]

use pullgate::kubelet::image::Image;
use pullgate::policy::pattern::ImagePattern;
use pullgate_fuzz::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(image) = Image::parse(text) {
        let shown = image.to_string();
        assert_eq!(
            Image::parse(&shown)
                .expect("what was read can be read again")
                .to_string(),
            shown
        );
    }
    if let Ok(pattern) = text.parse::<ImagePattern>() {
        // Hosts are shown in lower case, which a name without a dot only is as a repository.
        if let Ok(again) = pattern.to_string().parse() {
            assert_eq!(pattern, again);
        }
    }
});
