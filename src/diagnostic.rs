//! Faults and warnings of a document, each with its place, shown the way rustc shows its own.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt::Write as _;

/// Where in a text something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The offset of its first byte.
    pub start: usize,
    /// The offset of the byte after its last.
    pub end: usize,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document cannot be used.
    Fault,
    /// It can be used, and surely does not say what was meant.
    Warning,
}

/// One thing to say about one place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The place as a path of keys: `registries[2].images[0]`; empty for the whole document.
    pub path: String,
    /// The place in the text.
    pub span: Span,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Whether a rendering may use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI escapes.
    Always,
}

impl Diagnostic {
    /// `policy.yaml:7:14: registries[2].images[0]: MESSAGE (HELP)`: all of it in one line.
    #[must_use]
    pub fn line(&self, file: &str) -> String {
        let Span { line, column, .. } = self.span;
        let mut text = format!("{file}:{line}:{column}: ");
        if !self.path.is_empty() {
            let _ = write!(text, "{}: ", self.path);
        }
        text.push_str(&self.message);
        if let Some(help) = &self.help {
            let _ = write!(text, " ({help})");
        }
        text
    }
}

/// Shows diagnostics with the lines of `source` that they speak of.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], file: &str, source: &str, colour: Colour) -> String {
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    };
    let mut text = String::new();
    for diagnostic in diagnostics {
        let _ = writeln!(
            text,
            "{}\n",
            renderer.render(&[group(diagnostic, file, source)])
        );
    }
    text
}

fn group<'a>(diagnostic: &'a Diagnostic, file: &'a str, source: &'a str) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Fault => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let Span { start, end, .. } = diagnostic.span;
    let [start, end] = [start, end].map(|at| source.floor_char_boundary(at));
    let mark = AnnotationKind::Primary
        .span(start.min(end)..end)
        .label(diagnostic.path.as_str());
    let group = level
        .primary_title(diagnostic.message.as_str())
        .element(Snippet::source(source).path(file).annotation(mark));
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}
