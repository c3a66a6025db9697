//! A compiled file: Rhai's tree for evaluation, ours for spans when one is needed.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rhai::{AST, ParseError, Stmt};

use crate::diagnostic::{Diagnostic, Position, Span};
use crate::dialect::calls::{self, EntryPart, FieldStep};
use crate::dialect::frame::position;
use crate::dialect::plain;
use crate::expression::Site;
use crate::mistakes;
use crate::source::SourcePath;
use crate::syntax::{self, SyntaxTree};

/// A compiled file. Two are equal when they are the same text at the same path.
pub struct Module {
    path: SourcePath,
    text: Arc<str>,
    ast: AST,
    /// Made when the first span is needed: nearly all files are evaluated without one.
    syntax: OnceLock<SyntaxTree>,
}

impl Module {
    pub(crate) fn new(path: &SourcePath, text: Arc<str>, mut ast: AST) -> Self {
        ast.set_source(path.as_str());
        Self {
            path: path.clone(),
            text,
            ast,
            syntax: OnceLock::new(),
        }
    }

    /// The file.
    pub fn path(&self) -> &SourcePath {
        &self.path
    }

    /// The text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The tree with spans.
    pub fn syntax(&self) -> &SyntaxTree {
        self.syntax
            .get_or_init(|| syntax::parse(&self.path, &self.text))
    }

    /// Where a value of the file's builder call stands: the deepest step that is written out, and
    /// the call itself when none is.
    pub fn position_of(&self, steps: &[FieldStep<'_>]) -> Position {
        let call = calls::last_call(&self.ast).unwrap_or(rhai::Position::NONE);
        let found = match steps {
            [] => None,
            steps => self.argument(call, 0, steps, EntryPart::Value),
        };
        self.resolve(position(found.unwrap_or(call)))
    }

    /// The span of a value of the file's builder call; see [`Module::position_of`].
    pub fn span_of(&self, steps: &[FieldStep<'_>]) -> Span {
        self.syntax().span_of(steps)
    }

    /// The span of the token at a site in this file; the first token of the line when the site has
    /// no column.
    pub fn span_at(&self, site: &Site) -> Span {
        let line_start: usize = self
            .text
            .split_inclusive('\n')
            .take(site.line.saturating_sub(1) as usize)
            .map(str::len)
            .sum();
        let line = self.text.get(line_start..).unwrap_or_default();
        let characters = site.column.saturating_sub(1) as usize;
        let before: usize = line.chars().take(characters).map(char::len_utf8).sum();
        let offset = u32::try_from(line_start + before).unwrap_or(u32::MAX);
        match self.syntax().token_after(offset) {
            Some(token) => Span::new(&self.path, token.start, token.end),
            None => Span::new(&self.path, offset, offset),
        }
    }

    pub(crate) fn ast(&self) -> &AST {
        &self.ast
    }

    /// Whether there is a function `build` of one argument.
    pub(crate) fn has_build(&self) -> bool {
        self.ast
            .iter_functions()
            .any(|function| function.name == "build" && function.params.len() == 1)
    }

    /// The name of that function.
    pub(crate) fn build_span(&self) -> Option<Span> {
        let mut functions = self.syntax().functions();
        let named =
            |span: &Span| self.text.get(span.start as usize..span.end as usize) == Some("build");
        functions
            .find(|(name, _)| named(name))
            .map(|(name, _)| name)
    }

    /// What functions are called with: the file's imports, without its other statements.
    pub(crate) fn imports_and_functions(&self) -> AST {
        let imports = self
            .ast
            .statements()
            .iter()
            .filter(|statement| matches!(statement, Stmt::Import(..)));
        AST::new_with_source(
            imports.cloned(),
            Arc::clone(self.ast.shared_lib()),
            self.path.as_str(),
        )
    }

    /// Where an argument of a call is written, as Rhai counts.
    pub(crate) fn argument(
        &self,
        call: rhai::Position,
        index: usize,
        steps: &[FieldStep<'_>],
        part: EntryPart,
    ) -> Option<rhai::Position> {
        calls::argument_position(&self.ast, call, index, steps, part)
    }

    /// The call that gives the file's value, when its argument is written out.
    pub(crate) fn final_call(&self) -> Option<rhai::Position> {
        calls::last_call(&self.ast).filter(|call| self.takes_literal_map(*call))
    }

    /// Whether a call's argument is a map that is written out.
    pub(crate) fn takes_literal_map(&self, call: rhai::Position) -> bool {
        calls::takes_literal_map(&self.ast, call)
    }

    /// The line of an argument of a call, as an editor counts.
    pub(crate) fn argument_line(&self, call: rhai::Position, index: usize) -> Option<u32> {
        let at = self.argument(call, index, &[], EntryPart::Value)?;
        Some(self.resolve(position(at)).line)
    }

    /// The token at a position as Rhai counts; the name behind it where Rhai blames a dot.
    pub(crate) fn token_span(&self, reported: Position) -> Span {
        let span = self.syntax().token_at(reported);
        let text = self.text.get(span.start as usize..span.end as usize);
        match self.syntax().token_after(span.end) {
            Some(name) if text == Some(".") => Span::new(&self.path, name.start, name.end),
            _ => span,
        }
    }

    /// A position as an editor counts. Rhai does not count a line that ends with `"` inside a raw
    /// string, and some rarer ones.
    pub(crate) fn resolve(&self, reported: Position) -> Position {
        let counts_well =
            !self.text.contains("\"\n") && !self.text.contains('\r') && !self.text.contains("\\$");
        if counts_well {
            reported
        } else {
            self.syntax().resolve(reported)
        }
    }

    /// What lints find in a file that compiles.
    pub(super) fn lint(&self) -> Vec<Diagnostic> {
        if plain::is_plain(&self.ast, &self.text) {
            return Vec::new();
        }
        mistakes::explain(self.syntax(), None)
    }
}

/// Explains why a file cannot be compiled.
pub(super) fn explain(path: &SourcePath, text: &Arc<str>, error: &ParseError) -> Vec<Diagnostic> {
    mistakes::explain(&syntax::parse(path, text), Some(error))
}

impl PartialEq for Module {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.text == other.text
    }
}

impl Eq for Module {}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
