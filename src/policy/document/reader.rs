//! Reads the values of a document, and gathers faults without stopping at one.

use super::At;
use crate::objects::names::{self, SecretName};
use crate::policy::pattern::{ImagePattern, PatternError};
use crate::text::diagnostic::{Diagnostic, Severity, Span};
use crate::text::glob::Glob;
use crate::text::suggest::nearest;
use crate::text::yaml::{Node, Plain, Value, plain};
use jiff::civil::Date;
use std::collections::HashSet;

/// The most diagnostics that are kept: a reader needs no more, and the author of a document decides how many there are.
const MAX_DIAGNOSTICS: usize = 1_000;

/// The most diagnostics that suggest the word that was meant: the search for it is the most expensive step.
const MAX_SUGGESTIONS: usize = 100;

/// The reader of one document, with the diagnostics so far.
#[derive(Debug, Default)]
pub(super) struct DocumentReader {
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The reason why a text is refused, and the help.
type Refusal = (String, Option<String>);

impl DocumentReader {
    pub(super) fn fault(&mut self, path: &str, span: Span, message: String, help: Option<String>) {
        if self.is_full() {
            return;
        }
        let path = path.to_owned();
        self.diagnostics.push(Diagnostic {
            severity: Severity::Fault,
            path,
            span,
            message,
            help,
        });
    }

    pub(super) fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_DIAGNOSTICS
    }

    /// Returns the known word that was probably meant.
    pub(super) fn nearest<'k>(&self, word: &str, known: &[&'k str]) -> Option<&'k str> {
        let is_asked = self.diagnostics.len() < MAX_SUGGESTIONS;
        is_asked.then(|| nearest(word, known)).flatten()
    }

    pub(super) fn fault_at(
        &mut self,
        node: &Node,
        path: &str,
        message: String,
        help: Option<String>,
    ) {
        self.fault(path, node.span, message, help);
    }

    pub(super) fn expected<T>(&mut self, what: &str, node: &Node, path: &str) -> Option<T> {
        let help = match (&node.value, what) {
            (Value::Scalar { text, plain: true }, "a text") if plain(text) != Plain::Null => {
                Some(format!("put it in quotes: {text:?}"))
            }
            (Value::Scalar { text, plain: true }, _) if plain(text) == Plain::Null => {
                Some("give it a value, or remove the key".to_owned())
            }
            (Value::Scalar { text, .. }, "a list") => Some(format!("make it a list: [{text}]")),
            _ => None,
        };
        self.fault_at(
            node,
            path,
            format!("expected {what}, found {}", node.kind()),
            help,
        );
        None
    }

    pub(super) fn text<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n str> {
        match &node.value {
            Value::Scalar {
                text,
                plain: is_plain,
            } if !is_plain || plain(text) == Plain::Text => Some(text),
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => {
                self.expected("a text", node, path)
            }
        }
    }

    pub(super) fn parsed<T>(
        &mut self,
        node: &Node,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let text = self.text(node, path)?;
        parse(text)
            .map_err(|(message, help)| self.fault_at(node, path, message, help))
            .ok()
    }

    /// Reads a text for people: not blank, and in one line.
    pub(super) fn words(&mut self, node: &Node, path: &str) -> Option<String> {
        self.parsed(node, path, |text| {
            if text.trim().is_empty() {
                return Err((
                    "expected a text that is not blank".to_owned(),
                    Some(
                        "write a short text for the people who read it, or remove the key"
                            .to_owned(),
                    ),
                ));
            }
            Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
        })
    }

    /// Reads a name that this document defines.
    pub(super) fn name(&mut self, node: &Node, path: &str) -> Option<At<String>> {
        self.located(node, path, |reader| {
            reader.parsed(node, path, |text| {
                let fits = (1..=63).contains(&text.chars().count())
                    && text.trim() == text
                    && !text.chars().any(char::is_control);
                let message = || {
                    format!(
                        "{text:?} is not a valid name: 1 to 63 characters in one line, no space at its ends"
                    )
                };
                if fits {
                    Ok(text.to_owned())
                } else {
                    Err((message(), None))
                }
            })
        })
    }

    pub(super) fn secret(&mut self, node: &Node, path: &str) -> Option<At<SecretName>> {
        self.located(node, path, |reader| {
            reader.parsed(node, path, |text| {
                let glob = text
                    .contains('*')
                    .then(|| "a glob is only known in `bans[].secrets`".to_owned());
                text.parse()
                    .map_err(|error: names::NameError| (error.to_string(), glob))
            })
        })
    }

    pub(super) fn secret_glob(&mut self, node: &Node, path: &str) -> Option<At<Glob>> {
        self.located(node, path, |reader| {
            reader.glob(node, path, "secret", names::is_subdomain)
        })
    }

    pub(super) fn namespace_glob(&mut self, node: &Node, path: &str) -> Option<Glob> {
        self.glob(node, path, "namespace", names::is_label)
    }

    /// Reads a glob. Without a `*` it has to be a valid name; with one, it has to match at least one valid name.
    fn glob(
        &mut self,
        node: &Node,
        path: &str,
        of: &str,
        is_name: fn(&str) -> bool,
    ) -> Option<Glob> {
        self.parsed(node, path, |text| {
            let fits = if text.contains('*') { names::is_name_glob(text) } else { is_name(text) };
            let message =
                || format!("{text:?} matches no {of}: lower-case letters, digits, `-`, `.`, and `*` for any run");
            if fits { Ok(Glob::new(text)) } else { Err((message(), None)) }
        })
    }

    pub(super) fn pattern(&mut self, node: &Node, path: &str) -> Option<At<ImagePattern>> {
        self.located(node, path, |reader| {
            reader.parsed(node, path, |text| {
                text.parse().map_err(|error: PatternError| {
                    (
                        error.to_string(),
                        error
                            .suggestion()
                            .map(|text| format!("did you mean `{text}`?")),
                    )
                })
            })
        })
    }

    pub(super) fn date(&mut self, node: &Node, path: &str) -> Option<At<Date>> {
        self.located(node, path, |reader| {
            reader.parsed(node, path, |text| {
                let has_shape = text.len() == 10
                    && text.bytes().enumerate().all(|(i, b)| match i {
                        4 | 7 => b == b'-',
                        _ => b.is_ascii_digit(),
                    });
                let help = if has_shape {
                    "the calendar has no such day"
                } else {
                    "write it as 2027-01-31"
                };
                let date = text.parse().ok().filter(|_| has_shape);
                date.ok_or_else(|| (format!("{text:?} is not a date"), Some(help.to_owned())))
            })
        })
    }

    fn boolean(&mut self, node: &Node, path: &str) -> Option<bool> {
        if let Value::Scalar { text, plain: true } = &node.value
            && let Plain::Bool(value) = plain(text)
        {
            return Some(value);
        }
        self.expected("`true` or `false`", node, path)
    }

    pub(super) fn only_true(&mut self, node: &Node, path: &str) -> Option<()> {
        if self.boolean(node, path)? {
            return Some(());
        }
        self.fault_at(
            node,
            path,
            "`false` has no effect here".to_owned(),
            Some("remove the key".to_owned()),
        );
        None
    }

    pub(super) fn count(&mut self, node: &Node, path: &str) -> Option<u32> {
        let number = match &node.value {
            Value::Scalar { text, plain: true } => text.parse().ok().filter(|count| *count > 0),
            Value::Scalar { .. } | Value::Sequence(_) | Value::Mapping(_) => None,
        };
        number.or_else(|| self.expected("a whole number from 1", node, path))
    }

    pub(super) fn constant(&mut self, node: &Node, path: &str, constant: &str) -> Option<()> {
        self.parsed(node, path, |text| {
            let refusal = || {
                (
                    format!("{text:?} is not known here"),
                    Some(format!("write `{constant}`")),
                )
            };
            if text == constant {
                Ok(())
            } else {
                Err(refusal())
            }
        })
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        node: &Node,
        path: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let Value::Scalar { text, .. } = &node.value else {
            return self.expected(&format!("one of {}", quoted(&words)), node, path);
        };
        let chosen = choices
            .iter()
            .find(|(word, _)| word == text)
            .map(|(_, value)| *value);
        if chosen.is_none() {
            let help = self
                .nearest(text, &words)
                .map(|word| format!("did you mean `{word}`?"));
            self.fault_at(
                node,
                path,
                format!("{text:?} is not one of {}", quoted(&words)),
                help,
            );
        }
        chosen
    }

    pub(super) fn label_key(&mut self, node: &Node, path: &str) -> Option<String> {
        self.parsed(node, path, |text| {
            if names::is_label_key(text) {
                Ok(text.to_owned())
            } else {
                Err((format!("{text:?} is not a label key"), None))
            }
        })
    }

    pub(super) fn label_value(&mut self, node: &Node, path: &str) -> Option<String> {
        self.parsed(node, path, |text| {
            let fits = text.is_empty() || names::is_label_name(text);
            if fits {
                Ok(text.to_owned())
            } else {
                Err((format!("{text:?} is not a label value"), None))
            }
        })
    }

    pub(super) fn labels(&mut self, node: &Node, path: &str) -> Option<Vec<(String, String)>> {
        let Value::Mapping(entries) = &node.value else {
            return self.expected("a mapping", node, path);
        };
        if entries.is_empty() {
            self.fault_at(
                node,
                path,
                "the mapping is empty".to_owned(),
                Some("name a label, or remove the key".to_owned()),
            );
        }
        let mut labels: Vec<(String, String)> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        for (key, value) in entries {
            let Some(key) = self.label_key(key, path) else {
                continue;
            };
            let path = format!("{path}.{key}");
            if !seen.insert(key.clone()) {
                self.fault_at(
                    value,
                    &path,
                    format!("the label `{key}` is there twice"),
                    None,
                );
            }
            labels.extend(self.label_value(value, &path).map(|value| (key, value)));
        }
        Some(labels)
    }

    pub(super) fn list<'n, T>(
        &mut self,
        node: &'n Node,
        path: &str,
        mut item: impl FnMut(&mut Self, &'n Node, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::Sequence(nodes) = &node.value else {
            return self.expected("a list", node, path);
        };
        let items = nodes.iter().enumerate();
        Some(
            items
                .filter_map(|(index, node)| item(self, node, &format!("{path}[{index}]")))
                .collect(),
        )
    }

    pub(super) fn filled_list<'n, T>(
        &mut self,
        node: &'n Node,
        path: &str,
        item: impl FnMut(&mut Self, &'n Node, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        if matches!(&node.value, Value::Sequence(nodes) if nodes.is_empty()) {
            self.fault_at(
                node,
                path,
                "the list is empty".to_owned(),
                Some("add at least one entry, or remove the key".to_owned()),
            );
        }
        self.list(node, path, item)
    }

    pub(super) fn located<T>(
        &mut self,
        node: &Node,
        path: &str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<At<T>> {
        read(self).map(|value| At {
            value,
            path: path.to_owned(),
            span: node.span,
        })
    }
}

/// Returns words in backticks, for a list in a sentence.
pub(super) fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
