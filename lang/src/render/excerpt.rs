//! The lines a diagnostic speaks of, cut so that they can be shown.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use codespan_reporting::files::{Error, Files};

use crate::diagnostic::Span;
use crate::source::{SourcePath, SourceTree};

/// Bytes of a line that are shown; longer lines are cut around the first place on them.
const LINE_MAX: usize = 240;
/// Bytes shown before the place on a line that is cut.
const BEFORE: usize = 80;
/// What stands for what was cut.
const CUT: &str = "…";

/// The files of a rendering, read once.
pub(super) struct Texts<'a> {
    tree: &'a dyn SourceTree,
    read: RefCell<BTreeMap<SourcePath, Option<Rc<Text>>>>,
}

struct Text {
    /// Same length as the file; what cannot be shown is replaced.
    clean: String,
    /// First byte of each line.
    starts: Vec<usize>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(tree: &'a dyn SourceTree) -> Self {
        Self {
            tree,
            read: RefCell::default(),
        }
    }

    pub(super) fn has(&self, path: &SourcePath) -> bool {
        self.text(path).is_some()
    }

    /// `file:line:column`, or the file when it cannot be read.
    pub(super) fn place(&self, span: &Span) -> String {
        match self.line_column(span.start, &span.path) {
            Some((line, column)) => format!("{}:{line}:{column}", span.path),
            None => span.path.to_string(),
        }
    }

    /// Line and column of a byte, from 1; columns count characters.
    pub(super) fn line_column(&self, offset: u32, path: &SourcePath) -> Option<(usize, usize)> {
        let text = self.text(path)?;
        let offset = (offset as usize).min(text.clean.len());
        let line = text.line(offset);
        let start = text.starts.get(line).copied().unwrap_or(0);
        let before = text.clean.as_bytes().get(start..offset)?;
        Some((line + 1, characters(before) + 1))
    }

    fn text(&self, path: &SourcePath) -> Option<Rc<Text>> {
        if let Some(known) = self.read.borrow().get(path) {
            return known.clone();
        }
        let text = self
            .tree
            .read(path)
            .ok()
            .map(|bytes| Rc::new(Text::of(&bytes)));
        self.read.borrow_mut().insert(path.clone(), text.clone());
        text
    }
}

impl Text {
    fn of(bytes: &[u8]) -> Self {
        let clean = clean(bytes);
        let ends = clean.match_indices('\n').map(|(index, _)| index + 1);
        let starts = std::iter::once(0).chain(ends).collect();
        Self { clean, starts }
    }

    fn line(&self, offset: usize) -> usize {
        self.starts
            .partition_point(|start| *start <= offset)
            .saturating_sub(1)
    }

    /// The bytes of a line without its end.
    fn line_range(&self, line: usize) -> Range<usize> {
        let start = self.starts.get(line).copied().unwrap_or(self.clean.len());
        let next = self.starts.get(line + 1);
        let end = next.map_or(self.clean.len(), |next| next - 1);
        let text = self.clean.get(start..end).unwrap_or_default();
        start..start + text.trim_end_matches('\r').len()
    }
}

/// The lines of one diagnostic.
pub(super) struct Excerpts {
    files: Vec<Excerpt>,
}

struct Excerpt {
    path: SourcePath,
    text: Rc<Text>,
    /// The lines, one after another, each with its end.
    source: String,
    /// By number from 0, in order.
    lines: Vec<Line>,
}

struct Line {
    number: usize,
    /// First byte in `source`.
    start: usize,
    /// Where in `source` the kept part begins.
    kept_start: usize,
    /// What is kept of the file.
    kept: Range<usize>,
}

impl Excerpts {
    /// Cuts the lines of the spans out, and their neighbours, which may be shown between them.
    pub(super) fn cut(texts: &Texts<'_>, spans: &[&Span]) -> Self {
        let mut files: Vec<Excerpt> = Vec::new();
        for span in spans {
            if files.iter().any(|file| file.path == span.path) {
                continue;
            }
            if let Some(text) = texts.text(&span.path) {
                let offsets: BTreeSet<usize> = spans
                    .iter()
                    .filter(|other| other.path == span.path)
                    .map(|other| floor(&text.clean, other.start as usize))
                    .collect();
                files.push(Excerpt::cut(&span.path, text, &offsets));
            }
        }
        Self { files }
    }

    /// Where a span is in its excerpt; what goes over several lines is marked on its first.
    pub(super) fn range(&self, span: &Span) -> (usize, Range<usize>) {
        let index = self
            .files
            .iter()
            .position(|file| file.path == span.path)
            .unwrap_or(0);
        let range = self.files.get(index).map_or(0..0, |file| file.range(span));
        (index, range)
    }

    fn file(&self, id: usize) -> Result<&Excerpt, Error> {
        self.files.get(id).ok_or(Error::FileMissing)
    }
}

impl Excerpt {
    fn cut(path: &SourcePath, text: Rc<Text>, offsets: &BTreeSet<usize>) -> Self {
        let mut wanted: BTreeMap<usize, Option<usize>> = BTreeMap::new();
        for offset in offsets {
            let line = text.line(*offset);
            let neighbours = [line.saturating_sub(1), line, line + 1];
            for neighbour in neighbours {
                if neighbour < text.starts.len() {
                    wanted.entry(neighbour).or_default();
                }
            }
            let first = wanted.entry(line).or_default();
            *first = first.or(Some(*offset));
        }
        let mut source = String::new();
        let mut lines = Vec::new();
        for (number, first) in wanted {
            let whole = text.line_range(number);
            let kept = window(&text.clean, &whole, first);
            let start = source.len();
            if kept.start > whole.start {
                source.push_str(CUT);
            }
            let kept_start = source.len();
            source.push_str(text.clean.get(kept.clone()).unwrap_or_default());
            if kept.end < whole.end {
                source.push_str(CUT);
            }
            source.push('\n');
            lines.push(Line {
                number,
                start,
                kept_start,
                kept,
            });
        }
        Self {
            path: path.clone(),
            text,
            source,
            lines,
        }
    }

    fn range(&self, span: &Span) -> Range<usize> {
        let clean = &self.text.clean;
        let start = floor(clean, span.start as usize);
        let end = floor(clean, span.end as usize).max(start);
        let number = self.text.line(start);
        let Some(line) = self.lines.iter().find(|line| line.number == number) else {
            return 0..0;
        };
        let place = |offset: usize| {
            let inside = offset.clamp(line.kept.start, line.kept.end);
            line.kept_start + (inside - line.kept.start)
        };
        place(start)..place(end)
    }

    /// The line of the excerpt that holds one of its bytes.
    fn line_at(&self, byte: usize) -> Option<&Line> {
        let after = self.lines.partition_point(|line| line.start <= byte);
        self.lines.get(after.checked_sub(1)?)
    }

    fn line(&self, number: usize) -> Result<(usize, &Line), Error> {
        let index = self.lines.binary_search_by_key(&number, |line| line.number);
        let index = index.map_err(|_| Error::LineTooLarge {
            given: number,
            max: self.lines.len(),
        })?;
        let line = self.lines.get(index).ok_or(Error::FileMissing)?;
        Ok((index, line))
    }
}

impl<'a> Files<'a> for Excerpts {
    type FileId = usize;
    type Name = &'a SourcePath;
    type Source = &'a str;

    fn name(&'a self, id: usize) -> Result<&'a SourcePath, Error> {
        Ok(&self.file(id)?.path)
    }

    fn source(&'a self, id: usize) -> Result<&'a str, Error> {
        Ok(&self.file(id)?.source)
    }

    fn line_index(&'a self, id: usize, byte: usize) -> Result<usize, Error> {
        let line = self.file(id)?.line_at(byte);
        Ok(line.map_or(0, |line| line.number))
    }

    fn column_number(&'a self, id: usize, number: usize, byte: usize) -> Result<usize, Error> {
        let file = self.file(id)?;
        let (_, line) = file.line(number)?;
        let whole = file.text.line_range(number);
        let offset = line.kept.start + byte.saturating_sub(line.kept_start);
        let before = file.text.clean.as_bytes().get(whole.start..offset);
        Ok(before.map_or(0, characters) + 1)
    }

    fn line_range(&'a self, id: usize, number: usize) -> Result<Range<usize>, Error> {
        let file = self.file(id)?;
        let (index, line) = file.line(number)?;
        let next = file.lines.get(index + 1);
        Ok(line.start..next.map_or(file.source.len(), |next| next.start))
    }
}

/// What is kept of a line: all, or a part around a place.
fn window(text: &str, whole: &Range<usize>, place: Option<usize>) -> Range<usize> {
    if whole.len() <= LINE_MAX {
        return whole.clone();
    }
    let place = place.unwrap_or(whole.start).clamp(whole.start, whole.end);
    let start = if place - whole.start <= BEFORE {
        whole.start
    } else {
        floor(text, place - BEFORE)
    };
    start..floor(text, (start + LINE_MAX).min(whole.end)).max(start)
}

/// The beginning of the character a byte belongs to, or the end of the text.
fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

fn characters(bytes: &[u8]) -> usize {
    let is_first = |byte: &&u8| **byte & 0b1100_0000 != 0b1000_0000;
    bytes.iter().filter(is_first).count()
}

/// Text without anything a terminal could obey, for messages.
pub(super) fn shown(text: &str) -> String {
    clean(text.as_bytes())
}

/// The text of the same length in which bytes that are no UTF-8, control characters and characters
/// that turn the direction of writing are replaced.
fn clean(bytes: &[u8]) -> String {
    let mut clean = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid().chars().peekable();
        while let Some(c) = rest.next() {
            let ends_line = c == '\r' && rest.peek() == Some(&'\n');
            match c {
                '\n' | '\t' => clean.push(c),
                '\r' if ends_line => clean.push(c),
                '\r' => clean.push(' '),
                '\u{80}'..='\u{9f}' => clean.push('\u{bf}'),
                '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}' => clean.push('\u{fffd}'),
                _ if c.is_ascii_control() => clean.push('?'),
                _ => clean.push(c),
            }
        }
        clean.extend(chunk.invalid().iter().map(|_| '?'));
    }
    clean
}
