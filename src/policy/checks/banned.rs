//! Rules that would inject a Secret that a ban refuses.

use super::report::{Report, Unfinished};
use super::selection::{Rule, Selection};
use crate::objects::names::SecretName;
use crate::policy::document::{At, BanEntry, Document, Mode};
use crate::policy::effort::{Effort, Ended};
use crate::text::diagnostic::{Diagnostic, Severity};
use crate::text::glob_index::GlobIndex;
use jiff::civil::Date;
use std::collections::HashMap;

/// An exception to a ban, or the exempt namespaces, to which every ban has one.
struct Lifting<'c, 'd> {
    /// The last day on which the exception holds.
    until: Date,
    selection: &'c Selection<'d>,
}

/// The effect of a ban on a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concern {
    /// The ban is lifted wherever the rule exists.
    Lifted,
    /// The ban was lifted wherever the rule exists, by an exception that has expired.
    Expired,
    /// The ban holds in at least one namespace of the rule.
    Holds,
}

/// The bans of a document, and the exceptions to each.
struct Bans<'c, 'd> {
    entries: &'d [At<BanEntry>],
    /// The globs of enforcing bans, each with the number of its ban.
    globs: GlobIndex<usize>,
    exceptions: HashMap<&'d str, Vec<Lifting<'c, 'd>>>,
    exempt: Option<Lifting<'c, 'd>>,
    today: Date,
}

/// The namespaces where bans are lifted.
pub(super) struct Lifted<'c, 'd> {
    /// The namespaces of the exceptions, in the order of the document.
    pub(super) exceptions: &'c [Selection<'d>],
    /// The exempt namespaces.
    pub(super) exempt: Option<&'c Selection<'d>>,
}

/// Compares each secret of each rule with the bans on its name.
pub(super) fn check(
    document: &Document,
    rules: &[Rule<'_>],
    lifted: &Lifted<'_, '_>,
    today: Date,
    effort: &Effort<'_>,
    report: &mut Report,
) -> Result<(), Unfinished> {
    let bans = Bans::of(document, lifted, today);
    for rule in rules {
        let mut known = HashMap::new();
        for secret in rule.entry.secrets.iter().flatten() {
            if report.has_enough_faults() {
                return Ok(());
            }
            let found = bans.on(secret.value.as_str(), effort);
            for ban in found.map_err(|ended| Unfinished::at(ended, secret))? {
                let concern = match known.get(&ban) {
                    Some(known) => *known,
                    None => bans
                        .concern(ban, rule, effort)
                        .map_err(|ended| Unfinished::at(ended, secret))?,
                };
                known.insert(ban, concern);
                let ban = &bans.entries[ban].value;
                if let Some(diagnostic) = concern.diagnose(secret, ban) {
                    report.add(diagnostic);
                }
            }
        }
    }
    Ok(())
}

impl<'c, 'd> Bans<'c, 'd> {
    fn of(document: &'d Document, lifted: &Lifted<'c, 'd>, today: Date) -> Self {
        let bans = document.bans.iter().enumerate();
        let enforcing = bans.filter(|(_, ban)| ban.value.mode == Mode::Enforce);
        let globs = enforcing.flat_map(|(number, ban)| {
            let globs = ban.value.secrets.iter().flatten();
            globs.map(move |glob| (glob.value.clone(), number))
        });
        let mut by_ban: HashMap<&str, Vec<Lifting<'_, '_>>> = HashMap::new();
        for (exception, selection) in document.exceptions.iter().zip(lifted.exceptions) {
            for name in exception.value.bans.iter().flatten() {
                by_ban.entry(&name.value).or_default().push(Lifting {
                    until: exception.value.expires.value,
                    selection,
                });
            }
        }
        Self {
            entries: &document.bans,
            globs: GlobIndex::new(globs),
            exceptions: by_ban,
            exempt: lifted.exempt.map(|selection| Lifting {
                until: Date::MAX,
                selection,
            }),
            today,
        }
    }

    /// Returns the enforcing bans on a name, in the order of the document.
    fn on(&self, secret: &str, effort: &Effort<'_>) -> Result<Vec<usize>, Ended> {
        let mut found = Vec::new();
        for (glob, ban) in self.globs.candidates(secret) {
            effort.spend(glob.as_str().len() + secret.len())?;
            if glob.matches(secret) {
                found.push(*ban);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    fn concern(&self, ban: usize, rule: &Rule<'_>, effort: &Effort<'_>) -> Result<Concern, Ended> {
        // A good policy must not become a bad one when time passes.
        Ok(if self.is_lifted(ban, rule, self.today, effort)? {
            Concern::Lifted
        } else if self.is_lifted(ban, rule, Date::MIN, effort)? {
            Concern::Expired
        } else {
            Concern::Holds
        })
    }

    /// Returns whether a ban does not concern a rule, or is lifted wherever the rule exists by exceptions that hold on
    /// a day or later.
    fn is_lifted(
        &self,
        ban: usize,
        rule: &Rule<'_>,
        day: Date,
        effort: &Effort<'_>,
    ) -> Result<bool, Ended> {
        let name = self.entries[ban].value.name.value.as_str();
        let exceptions = self.exceptions.get(name).into_iter().flatten();
        let mut lifting = Vec::new();
        for candidate in exceptions.chain(&self.exempt) {
            effort.spend(0)?;
            let asks_no_more = match &rule.selection {
                Some(selection) => candidate.selection.has_labels_of(selection),
                None => candidate.selection.is_everything(),
            };
            if candidate.until >= day && asks_no_more {
                lifting.push(candidate.selection);
            }
        }
        let names = rule
            .selection
            .as_ref()
            .and_then(|selection| selection.names);
        let Some(names) = names else {
            return Ok(lifting.iter().any(|selection| selection.has_every_name()));
        };
        // One exception for each name of the rule has the same effect as one exception for all names.
        for glob in names {
            let mut is_covered = false;
            for selection in &lifting {
                is_covered = is_covered || selection.covers_names_of(glob, effort)?;
            }
            if !is_covered {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Concern {
    fn diagnose(self, secret: &At<SecretName>, ban: &BanEntry) -> Option<Diagnostic> {
        let (severity, why) = match self {
            Self::Lifted => return None,
            Self::Expired => (
                Severity::Warning,
                "the exception that allowed this has expired",
            ),
            Self::Holds => (
                Severity::Fault,
                "the rule would inject a secret that the ban refuses",
            ),
        };
        let message = format!(
            "`{}` is banned by `{}`: {why}",
            secret.value, ban.name.value
        );
        let help = "inject another secret, or lift the ban for the namespaces of this rule by an exception";
        Some(secret.diagnose(severity, message, Some(help.to_owned())))
    }
}
