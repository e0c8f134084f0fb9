//! Warnings of labels that decide where bans hold: a user who may label a namespace can lift the bans there.

use super::report::Report;
use crate::policy::document::{At, Document, NamespaceSelector};
use crate::text::diagnostic::{Diagnostic, Severity};
use jiff::civil::Date;

/// The label that the API server gives to each namespace. No user can change it (KEP-2161).
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Warns of exceptions in force and of exempt namespaces that are selected by labels.
pub(super) fn check(document: &Document, today: Date, report: &mut Report) {
    for entry in &document.exceptions {
        if entry.value.expires.value >= today {
            let chosen = "gets this exception";
            let warning = chosen_by_label(entry, &entry.value.namespaces, chosen);
            report.diagnostics.extend(warning);
        }
    }
    if let Some(entry) = &document.exempt {
        let chosen = "is left alone entirely";
        let warning = chosen_by_label(entry, &entry.value.namespaces, chosen);
        report.diagnostics.extend(warning);
    }
}

fn chosen_by_label<T>(
    entry: &At<T>,
    namespaces: &NamespaceSelector,
    chosen: &str,
) -> Option<Diagnostic> {
    let labels = namespaces.labels.as_ref()?;
    let given = labels.match_labels.iter().map(|(key, _)| key);
    let mut keys = given.chain(labels.match_expressions.iter().map(|wanted| &wanted.key));
    let key = keys.find(|key| *key != NAME_LABEL)?;
    let message = format!("the label `{key}` decides which namespace {chosen}");
    let help = "select by `names`, or let only the owners of the policy change the label: docs/operations.md, \
                \"Labels that lift bans\"";
    Some(entry.diagnose(Severity::Warning, message, Some(help.to_owned())))
}
