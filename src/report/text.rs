//! A report for people.

use super::{ExceptionUse, Input, Report};
use crate::diagnostic::{Colour, Span, render_one};
use std::collections::BTreeMap;
use std::fmt::Write as _;

impl Report {
    /// The findings as rustc would show them, then what would be injected and which exceptions are in use.
    #[must_use]
    pub fn text(&self, colour: Colour) -> String {
        let mut text = String::new();
        let shown: Vec<String> = self.inputs.iter().map(Input::shown).collect();
        for item in &self.items {
            let input = &self.inputs[item.input];
            // Where a text ends to be YAML nobody knows what stands there.
            let source = (item.code != "unreadable").then_some(&*shown[item.input]);
            text.push_str(&render_one(&item.diagnostic, &input.name, source, colour));
        }
        self.injections(&mut text);
        self.exceptions(&mut text);
        text
    }

    fn injections(&self, text: &mut String) {
        let mut by_object: Vec<(&str, Vec<String>)> = Vec::new();
        for injection in &self.injections {
            let what = format!("{} ({})", injection.secrets.join(", "), injection.rule);
            match by_object.last_mut() {
                Some((object, all)) if *object == injection.object.shown => all.push(what),
                _ => by_object.push((&injection.object.shown, vec![what])),
            }
        }
        if !by_object.is_empty() {
            text.push_str("would be injected into the pods of:\n");
        }
        for (object, what) in by_object {
            let _ = writeln!(text, "  {object}: {}", what.join(", "));
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
        for (exception, objects) in uses {
            let _ = writeln!(text, "  {exception}: {}", objects.join(", "));
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

impl Input {
    /// The text without what must not be shown; every place in it is where it was.
    fn shown(&self) -> String {
        let mut hidden = self.hidden.clone();
        hidden.sort_unstable_by_key(|span| span.start);
        let mut shown = String::with_capacity(self.text.len());
        let mut at = 0;
        for Span { start, end, .. } in hidden {
            let (Some(before), Some(secret)) = (
                self.text.get(at..start.max(at)),
                self.text.get(start.max(at)..end.max(at)),
            ) else {
                continue;
            };
            shown.push_str(before);
            let mask = |c: char| {
                if c == '\n' {
                    "\n".to_owned()
                } else {
                    "*".repeat(c.len_utf8())
                }
            };
            shown.extend(secret.chars().map(mask));
            at = end.max(at);
        }
        shown.push_str(&self.text[at..]);
        shown
    }
}
