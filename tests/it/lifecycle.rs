//! Tests of the start and the end of a process.

use pullgate::runtime::lifecycle::{Part, Readiness, Tasks};
use std::future::pending;

#[tokio::test]
async fn promise_6_the_first_task_to_end_is_named_also_when_it_panics() {
    let mut tasks = Tasks::default();
    tasks.spawn("the one that stays", pending());
    tasks.spawn("the one that ends", async {});
    assert_eq!(tasks.ended().await, "the one that ends");
    tasks.spawn("the one that panics", async { panic!("as it should") });
    assert_eq!(tasks.ended().await, "the one that panics");
}

#[tokio::test]
async fn readiness_says_what_is_missing_and_why() {
    let readiness = Readiness::waiting_for(&[Part::Certificate, Part::Policy]);
    readiness.lacks(Part::Policy, "it has faults".to_owned());
    // No part waits for the facts, so they are not reported.
    readiness.lacks(Part::Facts, "nobody asked".to_owned());
    assert_eq!(
        readiness.report(),
        (
            false,
            "not ready: no certificate yet\nnot ready: no policy: it has faults\n".to_owned()
        )
    );
    readiness.has(Part::Policy);
    readiness.has(Part::Certificate);
    readiness.has_all(&[Part::Certificate, Part::Policy]).await;
    // A part that has become ready stays ready.
    readiness.lacks(Part::Policy, "too late".to_owned());
    assert_eq!(readiness.report(), (true, "ready\n".to_owned()));
}
