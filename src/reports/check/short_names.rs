//! Images without a registry.
//!
//! Policies, credentials and containerd read `nginx` as `docker.io/library/nginx`. CRI-O asks the `registries.conf` of
//! the node first: an alias of the short name, or the registries of `unqualified-search-registries`.

use super::item::{ReportItem, ReportedObject, diagnostic};
use crate::kubelet::image::{Image, names_registry};
use crate::objects::manifest::Manifest;
use crate::objects::subject::Subject;
use crate::text::diagnostic::Severity;
use crate::text::excerpt::{clean, shorten};
use crate::verdict;
use crate::verdict::code::FindingCode;
use crate::verdict::world::World;

/// The longest image in a message, in characters.
const MAX_IMAGE: usize = 253;

/// Returns a warning for each image of a manifest that names no registry.
pub(super) fn items(
    world: &World<'_>,
    manifest: &Manifest,
    subject: &Subject<'_>,
    object: &ReportedObject,
) -> Vec<ReportItem> {
    let images = verdict::images(world, subject).into_iter();
    let short = images.filter(|image| is_short(&image.used.image));
    let items = short.map(|image| {
        let place = image.used.place;
        let field = format!("{}{place}", subject.kind.path());
        let short = shorten(&clean(&image.used.image), MAX_IMAGE);
        let message = format!(
            "{}: {field} \"{short}\" names no registry: nodes with CRI-O may not pull it from docker.io",
            object.shown
        );
        let full = Image::parse(&image.used.image).map(|image| image.to_string());
        let full = full.ok().map(|full| shorten(&full, MAX_IMAGE));
        let help = full.map(|full| format!("Write {full}, or the registry that is meant."));
        let diagnostic = diagnostic(Severity::Warning, manifest.span(place), message, help);
        ReportItem::about(object, FindingCode::ShortName, diagnostic, field)
    });
    items.collect()
}

/// Returns whether a reference names no registry: it has one component, or the first one is not a registry.
fn is_short(image: &str) -> bool {
    let first = image.split_once('/').map(|(first, _)| first);
    !first.is_some_and(names_registry)
}
