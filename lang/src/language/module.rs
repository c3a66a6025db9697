//! A compiled file: Rhai's tree for evaluation, ours for spans when one is needed.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rhai::{AST, Engine, ParseError, Stmt};

use crate::diagnostic::{Diagnostic, Position, Span};
use crate::dialect;
use crate::dialect::calls::{self, EntryPart, FieldStep};
use crate::dialect::frame::{ImportedModule, position};
use crate::dialect::plain;
use crate::expression::Site;
use crate::mistakes;
use crate::source::SourcePath;
use crate::syntax::{self, SyntaxTree};

/// A compiled file. Two are equal when they are the same text at the same path.
pub struct Module {
    path: SourcePath,
    text: Arc<str>,
    /// Rhai's tree; none while nobody needs it: it takes more than the text and all its values.
    ast: Mutex<Option<Arc<AST>>>,
    /// What it is compiled with when it is needed again.
    engine: Arc<Engine>,
    /// The errors that lints found: kind and place.
    faults: Vec<(&'static str, Span)>,
    /// The call that gives the file's value.
    call: rhai::Position,
    /// The last line up to which Rhai counts lines and columns as an editor does.
    exact_until_line: u32,
    /// The part of the file that functions are called with; made when one is.
    callable: OnceLock<AST>,
    /// What imports of an embedded file give: the same in every evaluation.
    embedded: OnceLock<ImportedModule>,
    /// Made when the first span is needed: nearly all files are evaluated without one.
    syntax: OnceLock<SyntaxTree>,
}

impl Module {
    pub(crate) fn new(path: &SourcePath, text: Arc<str>, ast: AST, engine: &Arc<Engine>) -> Self {
        let exact_until_line = exact_until_line(&text);
        let call = calls::last_call(&ast).unwrap_or(rhai::Position::NONE);
        Self {
            path: path.clone(),
            text,
            ast: Mutex::new(Some(Arc::new(ast))),
            engine: Arc::clone(engine),
            faults: Vec::new(),
            call,
            exact_until_line,
            callable: OnceLock::new(),
            embedded: OnceLock::new(),
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
        let call = self.call;
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
        // A line inside of a text, such as one of `.argvs(…)`.
        if let Some(token) = self.syntax().token_before(offset)
            && token.start < offset
            && offset < token.end
        {
            let end = line.trim_end();
            let blank = u32::try_from(end.len() - end.trim_start().len()).unwrap_or(0);
            let length = u32::try_from(end.len()).unwrap_or(0);
            let end = (offset + length).min(token.end);
            return Span::new(&self.path, (offset + blank).min(end), end);
        }
        match self.syntax().token_after(offset) {
            Some(token) => Span::new(&self.path, token.start, token.end),
            None => Span::new(&self.path, offset, offset),
        }
    }

    /// Rhai's tree, compiled again if it was released.
    pub(crate) fn ast(&self) -> Arc<AST> {
        let mut ast = self.ast.lock().unwrap_or_else(PoisonError::into_inner);
        let compiled = ast.get_or_insert_with(|| {
            // It compiled before, and the engine is the same.
            let compiled = dialect::engine::compile(&self.engine, &self.path, &self.text);
            Arc::new(compiled.unwrap_or_default())
        });
        Arc::clone(compiled)
    }

    /// Rhai's tree; with the call of a builder that does not exist as one that can be evaluated.
    pub(crate) fn ast_with_unknown_builder(&self, call: Option<rhai::Position>) -> Arc<AST> {
        let compiled = call.and_then(|call| {
            let compiled =
                dialect::engine::compile_with_unknown_builder(&self.engine, &self.text, call);
            compiled.ok()
        });
        match compiled {
            Some(mut compiled) => {
                compiled.set_source(self.path.as_str());
                Arc::new(compiled)
            }
            None => self.ast(),
        }
    }

    /// Gives Rhai's tree up until it is needed again: once a package is expanded, only another
    /// configuration of it or a diagnostic does.
    pub(crate) fn release(&self) {
        let released = self.ast.lock().map(|mut ast| ast.take());
        drop(released);
    }

    /// What imports of this file give, if it is an embedded one.
    pub(crate) fn embedded(&self) -> &OnceLock<ImportedModule> {
        &self.embedded
    }

    /// Whether there is a function `build` of one argument.
    pub(crate) fn has_build(&self) -> bool {
        self.ast()
            .iter_functions()
            .any(|function| function.name == "build" && function.params.len() == 1)
    }

    /// The functions: names, and how many values each takes.
    pub(crate) fn functions(&self) -> Vec<(String, usize)> {
        let ast = self.ast();
        let functions = ast.iter_functions();
        functions
            .map(|function| (function.name.to_owned(), function.params.len()))
            .collect()
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
    pub(crate) fn imports_and_functions(&self) -> &AST {
        self.callable.get_or_init(|| {
            let ast = self.ast();
            let statements = ast.statements().iter();
            let imports = statements.filter(|statement| matches!(statement, Stmt::Import(..)));
            let functions = Arc::clone(ast.shared_lib());
            AST::new_with_source(imports.cloned(), functions, self.path.as_str())
        })
    }

    /// Where an argument of a call is written, as Rhai counts.
    pub(crate) fn argument(
        &self,
        call: rhai::Position,
        index: usize,
        steps: &[FieldStep<'_>],
        part: EntryPart,
    ) -> Option<rhai::Position> {
        calls::argument_position(&self.ast(), call, index, steps, part)
    }

    /// The call that gives the file's value, when its argument is written out.
    pub(crate) fn final_call(&self) -> Option<rhai::Position> {
        Some(self.call).filter(|call| !call.is_none() && self.takes_literal_map(*call))
    }

    /// Whether a call's argument is a map that is written out.
    pub(crate) fn takes_literal_map(&self, call: rhai::Position) -> bool {
        calls::takes_literal_map(&self.ast(), call)
    }

    /// The line of an argument of a call, as an editor counts.
    pub(crate) fn argument_line(&self, call: rhai::Position, index: usize) -> Option<u32> {
        let at = self.argument(call, index, &[], EntryPart::Value)?;
        Some(self.resolve(position(at)).line)
    }

    /// The token at a position as Rhai counts; the name behind it where Rhai blames a dot, and all
    /// of a back-tick string.
    pub(crate) fn token_span(&self, reported: Position) -> Span {
        let span = self.syntax().token_at(reported);
        let text = self.text.get(span.start as usize..span.end as usize);
        if text.is_some_and(|text| text.starts_with('`')) {
            let whole = self.syntax().interpolated_at(span.start);
            return whole.unwrap_or(span);
        }
        match self.syntax().token_after(span.end) {
            Some(name) if text == Some(".") => Span::new(&self.path, name.start, name.end),
            _ => span,
        }
    }

    /// A position as an editor counts.
    pub(crate) fn resolve(&self, reported: Position) -> Position {
        if reported.line <= self.exact_until_line {
            reported
        } else {
            self.syntax().resolve(reported)
        }
    }

    /// What lints find in a file that compiles.
    pub(super) fn lint(&mut self) -> Vec<Diagnostic> {
        if plain::is_plain(&self.ast(), &self.text) {
            return Vec::new();
        }
        let found = mistakes::explain(self.syntax(), None);
        let errors = found.iter().filter(|found| found.is_error());
        self.faults = errors
            .filter_map(|error| Some((error.id, error.primary.as_ref()?.0.clone())))
            .collect();
        found
    }

    /// Where lints found errors of a kind.
    pub(crate) fn faults(&self, id: &str) -> impl Iterator<Item = &Span> {
        let of_kind = self.faults.iter().filter(move |(fault, _)| *fault == id);
        of_kind.map(|(_, span)| span)
    }

    /// Whether a lint found an error at this place.
    pub(crate) fn has_fault_at(&self, span: &Span) -> bool {
        self.faults.iter().any(|(_, fault)| fault == span)
    }
}

/// The line of the first text after which Rhai may count wrong: a line that ends with `"` may be
/// inside a raw string, where it is not counted; carriage returns and `\$` are counted differently.
fn exact_until_line(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let doubtful = bytes
        .windows(2)
        .position(|pair| matches!(pair, [b'"', b'\n'] | [b'\r', _] | [b'\\', b'$']));
    let Some(before) = doubtful.and_then(|offset| bytes.get(..offset)) else {
        return u32::MAX;
    };
    let lines = before.split(|byte| *byte == b'\n').count();
    u32::try_from(lines).unwrap_or(u32::MAX)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Module, exact_until_line};
    use crate::dialect::engine::new_engine;
    use crate::dialect::plain;
    use crate::mistakes;
    use crate::source::SourcePath;

    fn compiled(text: &str) -> Module {
        let engine = Arc::new(new_engine());
        let ast = engine.compile(text).unwrap();
        Module::new(&SourcePath::new("package.rhai"), text.into(), ast, &engine)
    }

    #[test]
    fn plain_files_have_nothing_that_lints_look_for() {
        let plain_ones = [
            "script(#{ version: \"1\", script: #\" make \"# })",
            "script(#{ version: pkg(\"core/a\").version, needs: [\"core/a\"], script: \"true\" })",
            "make(#{ version: \"1\", source: url([\"https://a\"], \"sha256:0\"), env: #{ A: \"1\" } })",
        ];
        for text in plain_ones {
            let module = compiled(text);
            assert!(plain::is_plain(&module.ast(), text), "{text}");
            assert_eq!(mistakes::explain(module.syntax(), None), [], "{text}");
        }
        let others = [
            "script(#{ version: `1`, script: \"true\" })",
            "script(#{ version: #\"1\"#, script: \"true\" })",
            "script(#{ version: \"1\" + \"2\", script: \"true\" })",
            "script(#{ version: \"1\", script: { let a = 1; \"true\" } })",
            "script(#{ version: \"1\", source: url(\"https://a\", \"sha256:\" + \"0\") })",
            "script(#{ version: \"1\" }); custom(#{ version: \"1\" })",
            "script(#{ version: \"1\" }) /* open",
            "script(#{ version: \"1\", update: |x| { x.run(\"a\"); x } })",
        ];
        for text in others {
            let module = compiled(text);
            assert!(!plain::is_plain(&module.ast(), text), "{text}");
        }
    }

    #[test]
    fn lines_are_exact_until_the_first_doubtful_end() {
        assert_eq!(exact_until_line("a\nb\n"), u32::MAX);
        assert_eq!(exact_until_line("a\n\"b\"\nc\n"), 2);
        assert_eq!(exact_until_line("a\r\n"), 1);
    }
}
