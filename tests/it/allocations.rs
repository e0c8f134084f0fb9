//! How often a review asks for memory. Times are for `benches`; this can be held to a number.

#[path = "../../benches/common/scene.rs"]
#[allow(dead_code, reason = "benchmarks use the rest of it")]
mod scene;

use scene::{Scene, Size};

fn allocations(scene: &Scene) -> u64 {
    // Something may be made once for all reviews.
    drop(scene.answer());
    allocation_counter::measure(|| drop(scene.answer())).count_total
}

#[test]
fn a_typical_pod_with_nothing_to_do() {
    let counted = allocations(&Scene::with_nothing_to_do(Size::Typical));
    assert!(counted <= 10, "{counted} allocations");
}

#[test]
fn a_typical_pod_that_gets_a_secret() {
    let counted = allocations(&Scene::new(Size::Typical));
    assert!(counted <= 38, "{counted} allocations");
}

/// Nothing is kept of what is not judged, however much it is.
#[test]
fn an_annotation_of_a_megabyte() {
    let counted = allocations(&Scene::new(Size::Annotated));
    assert!(counted <= allocations(&Scene::new(Size::Typical)));
}
