//! The numbers of a report.

use super::Report;
use super::item::ReportItem;
use super::unjudged::some;
use crate::text::diagnostic::Severity;
use crate::verdict::code::FindingCode;
use std::fmt::Write as _;

impl Report {
    /// Returns the number of findings of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        let is_so = |item: &&ReportItem| item.diagnostic.severity == severity;
        self.items.iter().filter(is_so).count()
    }

    /// Returns the number of findings of a severity that are not about the policy.
    #[must_use]
    pub fn count_in_manifests(&self, severity: Severity) -> usize {
        let is_so = |item: &&ReportItem| {
            item.diagnostic.severity == severity && item.code != FindingCode::Policy
        };
        self.items.iter().filter(is_so).count()
    }

    /// Returns whether the files hold no object at all: most likely a command before the pipe failed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_of_policy = |item: &ReportItem| item.code == FindingCode::Policy;
        self.objects + self.unjudged.objects() + self.others == 0
            && self.items.iter().all(is_of_policy)
    }

    /// Returns the result in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = format!(
            "checked {} in {}: {}, {}",
            some(self.objects, "object", "objects"),
            some(self.inputs.len() - self.policies, "file", "files"),
            some(self.count(Severity::Fault), "error", "errors"),
            some(self.count(Severity::Warning), "warning", "warnings"),
        );
        if self.others > 0 {
            let others = some(
                self.others,
                "document is not a Kubernetes object",
                "documents are not Kubernetes objects",
            );
            let _ = write!(text, " ({others})");
        }
        text
    }

    /// Returns the objects that were not judged, by kind, in one line; `None` if there are none.
    #[must_use]
    pub fn unjudged(&self) -> Option<String> {
        self.unjudged.line()
    }

    /// Returns a line that says that no object was judged; `None` if one was.
    #[must_use]
    pub fn nothing_judged(&self) -> Option<&'static str> {
        let is_so = self.is_judged && self.objects == 0 && !self.is_empty();
        is_so.then_some(
            "nothing was judged: these files hold no Pod, no workload of Kubernetes itself, no ServiceAccount, no Secret and \
             no policy. Pods that other controllers make are judged when they are created",
        )
    }
}
