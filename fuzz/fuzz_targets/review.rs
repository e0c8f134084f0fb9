//! Any bytes are a review or an error, and every review gets an answer with its uid.
#![cfg_attr(feature = "libfuzzer", no_main)]

use jiff::Timestamp;
use pullgate::admission;
use pullgate::admission::endpoint::Endpoint;
use pullgate::facts::Facts;
use pullgate::policy::Policy;
use pullgate::verdict::mutate;
use pullgate::verdict::world::{Controllers, World};
use pullgate_fuzz::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(review) = admission::parse(bytes) else {
        return;
    };
    let (policy, facts, controllers) = (
        Policy::default(),
        Facts::default(),
        Controllers::new(Vec::new()),
    );
    let world = World {
        policy: &policy,
        facts: &facts,
        controllers: &controllers,
        now: Timestamp::UNIX_EPOCH,
    };
    for answer in [
        review.answer(&mutate(&world, &review.subject)),
        review.answer(&Endpoint::Validate.judge(&world, &review.subject)),
    ] {
        let answer: serde_json::Value =
            serde_json::from_slice(&answer.expect("JSON")).expect("JSON");
        assert!(
            answer["response"]["uid"]
                .as_str()
                .is_some_and(|uid| !uid.is_empty())
        );
    }
});
