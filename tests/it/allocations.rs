//! Limits on the number of allocations of a review. Times depend on the machine, so `benches` measures them; the number
//! of allocations can be tested.

#[path = "../../benches/common/scene.rs"]
#[allow(dead_code, reason = "only benchmarks use the other items")]
mod scene;

use scene::{Scene, Size};

fn allocations(scene: &Scene) -> u64 {
    // The first review is not counted: it may initialise data that all reviews share.
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

/// Skipped parts of a review are not copied, however large they are.
#[test]
fn an_annotation_of_a_megabyte() {
    let counted = allocations(&Scene::new(Size::Annotated));
    assert!(counted <= allocations(&Scene::new(Size::Typical)));
}
