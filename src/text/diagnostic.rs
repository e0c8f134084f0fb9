//! Faults and warnings of a document, each with its place, shown in the style of rustc.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::fmt::Write as _;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The offset of the first byte.
    pub start: usize,
    /// The offset of the byte after the last one.
    pub end: usize,
}

/// How serious a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document cannot be used.
    Fault,
    /// The document can be used, but its author certainly meant something else.
    Warning,
    /// Information only.
    Note,
}

/// The longest line that is shown, in bytes.
const MAX_LINE: usize = 200;

/// One message about one place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How serious it is.
    pub severity: Severity,
    /// The place as a path of keys: `registries[2].images[0]`; empty for the whole document.
    pub path: String,
    /// The place in the text.
    pub span: Span,
    /// The fault: lower case, no full stop.
    pub message: String,
    /// The fix.
    pub help: Option<String>,
}

/// Chooses whether a rendering uses colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    Never,
    /// ANSI escapes.
    Always,
}

impl Diagnostic {
    /// Writes the diagnostic as one line: `policy.yaml:7:14: registries[2].images[0]: MESSAGE (HELP)`.
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

/// How much of the source a diagnostic shows.
#[derive(Debug, Clone, Copy)]
pub enum SourceExcerpt<'s> {
    /// The whole line.
    Line(&'s str),
    /// The place, and before it only the keys that lead to it. The rest of the line may hold a secret.
    Place(&'s str),
    /// Nothing.
    Nothing,
}

/// Renders diagnostics with the source lines that they point at.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], file: &str, source: &str, colour: Colour) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&render_one(
            diagnostic,
            file,
            SourceExcerpt::Line(source),
            colour,
        ));
    }
    text
}

/// Renders one diagnostic. A long line, which was not written by hand, is not shown: the output names only its place.
#[must_use]
pub fn render_one(
    diagnostic: &Diagnostic,
    file: &str,
    source: SourceExcerpt<'_>,
    colour: Colour,
) -> String {
    let renderer = match colour {
        Colour::Never => Renderer::plain(),
        Colour::Always => Renderer::styled(),
    };
    let level = match diagnostic.severity {
        Severity::Fault => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str());
    let span = diagnostic.span;
    let line = match source {
        SourceExcerpt::Line(source) => Line::of(source, span),
        SourceExcerpt::Place(source) => Line::of(source, span).and_then(Line::without_the_rest),
        SourceExcerpt::Nothing => None,
    };
    let group: Group<'_> = match &line {
        Some(line) => {
            let mark = AnnotationKind::Primary
                .span(line.start..line.end)
                .label(diagnostic.path.as_str());
            let snippet = Snippet::source(line.text)
                .line_start(span.line)
                .path(file)
                .annotation(mark);
            title.element(snippet)
        }
        None => title.element(Origin::path(file).line(span.line).char_column(span.column)),
    };
    let group = match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    };
    format!("{}\n\n", renderer.render(&[group]))
}

/// The source line of a span, and the part of it that the span covers.
struct Line<'s> {
    text: &'s str,
    start: usize,
    end: usize,
}

impl<'s> Line<'s> {
    /// Returns `None` for a long line. The search ends at the limit, because the whole text may be a single line.
    fn of(source: &'s str, span: Span) -> Option<Self> {
        let at = source.floor_char_boundary(span.start);
        let from = source.floor_char_boundary(at.saturating_sub(MAX_LINE + 1));
        let begin = source[from..at]
            .rfind('\n')
            .map(|newline| from + newline + 1);
        let begin = begin.or((from == 0).then_some(0))?;
        let to = source.floor_char_boundary(at + MAX_LINE + 1);
        let rest = &source[begin..to];
        let text = rest.lines().next().unwrap_or_default();
        let end = source.floor_char_boundary(span.end.max(at)) - begin;
        (text.len() <= MAX_LINE).then_some(Self {
            text,
            start: (at - begin).min(text.len()),
            end: end.min(text.len()),
        })
    }

    /// Cuts the line at the end of the span. Returns `None` if a value stands before the span.
    fn without_the_rest(self) -> Option<Self> {
        let is_plain = |c: char| c.is_alphanumeric() || "_-./".contains(c);
        let is_key = |word: &str| {
            let key = word.strip_suffix(':').map(|key| key.trim_matches('"'));
            word.is_empty() || key.is_some_and(|key| key.chars().all(is_plain))
        };
        let leads = |c: char| c.is_whitespace() || "-[{".contains(c);
        let before = &self.text[..self.start];
        before.split(leads).all(is_key).then_some(Self {
            text: &self.text[..self.end],
            ..self
        })
    }
}
