//! The report as text, for people.

use super::item::ReportedObject;
use super::{ExceptionUse, Report};
use crate::objects::names::POLICY_KIND;
use crate::text::diagnostic::{Colour, SourceExcerpt, render_one};
use crate::verdict::code::FindingCode;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The most objects that are named for an exception; the rest is counted.
const MAX_OBJECTS: usize = 20;

impl Report {
    /// Returns the findings in the form of rustc, then the injected secrets, the exceptions in use and the exempt
    /// objects.
    #[must_use]
    pub fn text(&self, colour: Colour) -> String {
        let mut text = String::new();
        for item in &self.items {
            let input = &self.inputs[item.input];
            let source = match item.code {
                FindingCode::Policy if input.text.contains(POLICY_KIND) => {
                    SourceExcerpt::Line(&input.text)
                }
                // The text at such a place may be any text, even a password.
                FindingCode::Unreadable | FindingCode::DoubleKey | FindingCode::InvalidImage => {
                    SourceExcerpt::Nothing
                }
                FindingCode::Policy
                | FindingCode::BannedSecret
                | FindingCode::BannedName
                | FindingCode::BannedCredential
                | FindingCode::UncoveredImage
                | FindingCode::SecretNotMountable
                | FindingCode::SecretMissing
                | FindingCode::SecretNotFound
                | FindingCode::SecretMalformed
                | FindingCode::SecretExpired
                | FindingCode::SecretWrongType
                | FindingCode::NoKeyForRegistry
                | FindingCode::Credential
                | FindingCode::MisplacedPullSecrets
                | FindingCode::ShortName
                | FindingCode::Exception => SourceExcerpt::Place(&input.text),
            };
            text.push_str(&render_one(&item.diagnostic, &input.name, source, colour));
        }
        self.injections(&mut text);
        self.exceptions(&mut text);
        if !self.exempt.is_empty() {
            text.push_str("left alone, because their namespaces are exempt:\n");
        }
        for object in &self.exempt {
            let _ = writeln!(text, "  {}", object.shown);
        }
        text
    }

    fn injections(&self, text: &mut String) {
        let mut by_object: Vec<(&ReportedObject, Vec<String>)> = Vec::new();
        for injection in &self.injections {
            let what = format!("{} ({})", injection.secrets.join(", "), injection.rule);
            match by_object.last_mut() {
                Some((object, all)) if **object == injection.object => all.push(what),
                _ => by_object.push((&injection.object, vec![what])),
            }
        }
        if !by_object.is_empty() {
            text.push_str("would be injected into the pods of:\n");
        }
        for (object, what) in by_object {
            let _ = writeln!(text, "  {}: {}", object.shown, what.join(", "));
        }
    }

    fn exceptions(&self, text: &mut String) {
        let mut uses: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for used in &self.exceptions {
            uses.entry(used.words())
                .or_default()
                .push(&used.object.shown);
        }
        if !uses.is_empty() {
            text.push_str("exceptions in use:\n");
        }
        for (exception, mut objects) in uses {
            let rest = objects.len().saturating_sub(MAX_OBJECTS);
            objects.truncate(MAX_OBJECTS);
            let _ = write!(text, "  {exception}: {}", objects.join(", "));
            if rest > 0 {
                let _ = write!(text, ", and {rest} more");
            }
            text.push('\n');
        }
    }
}

impl ExceptionUse {
    pub(super) fn words(&self) -> String {
        let ban = self.ban.as_deref().unwrap_or("unmatched");
        let days = match self.days_left {
            0 => "ends today".to_owned(),
            1 => "1 day left".to_owned(),
            days => format!("{days} days left"),
        };
        let Self {
            owner,
            reason,
            expires,
            ..
        } = self;
        format!("{ban} is lifted until {expires}, {days} ({owner}: {reason})")
    }
}
