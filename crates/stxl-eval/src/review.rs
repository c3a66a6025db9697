//! What a reviewer would remark on in packages that are right: asked of a child, with the text at
//! hand. The kinds are a table in `lang/DIAGNOSTICS.md`.

use std::collections::BTreeSet;
use std::sync::Arc;

use stxl_lang::{
    Command, Diagnostic, DirectoryImport, FetchSource, Operand, OutputExpression, RootExpression,
    RootOperation, SeedImport, Site, SourcePath, Span,
};
use stxl_model::{LeftOut, OutputName, is_binary_package};

use crate::child::{ChildError, ChildRequest, EvaluatorProgram, Inquiry, NodeWire, ask_about};
use crate::database::{Database, Db as _, FileState};
use crate::diagnostic_wire;
use crate::evaluator::sort;
use crate::node::NodeKey;
use crate::parallel;
use crate::queries::{self, BuildFacts, span_of_site};
use crate::survey::Survey;

/// The kinds of remarks.
pub const REVIEW_IDS: [&str; 5] = [
    "errexit-off",
    "missing-description",
    "missing-license",
    "opaque-binary",
    "unmatched-glob",
];

/// How many names of a directory are compared with what is left out of it.
const NAMES_MAX: usize = 100_000;

/// Remarks on all packages of an evaluated plan, sorted by place.
pub fn review_in_child(
    program: &EvaluatorProgram,
    request: &ChildRequest,
    survey: &Survey,
) -> Result<Vec<Diagnostic>, ChildError> {
    let keys: BTreeSet<NodeKey> = survey
        .keys()
        .map(|key| NodeKey {
            output: OutputName::main(),
            ..key
        })
        .collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let inquiry = Inquiry::Review(keys.iter().map(NodeWire::from).collect());
    let findings = ask_about(program, request, Vec::new(), &inquiry)?;
    diagnostic_wire::from_json(&findings).map_err(|error| ChildError::Answer {
        reason: error.to_string(),
    })
}

/// Finds the remarks, in the child.
pub(crate) fn find_encoded(db: &Database, keys: &[NodeKey]) -> Vec<u8> {
    let found = parallel::map(db, keys, |db, key| review(db, key).unwrap_or_default());
    let mut found: Vec<Diagnostic> = found.into_iter().flatten().collect();
    sort(&mut found);
    // Texts and numbers can always be written.
    diagnostic_wire::to_json(&found).unwrap_or_default()
}

/// Remarks on a package in a configuration.
fn review(db: &Database, key: &NodeKey) -> Option<Vec<Diagnostic>> {
    let package = db.package(&key.label);
    let top = queries::top_layer(db, package);
    let definition = queries::definition(db, package, top).outcome.clone().ok()?;
    let facts = queries::build_facts(db, package)?;
    let result = queries::expanded(db, package, &key.configured);
    let expanded = result.expanded.as_ref()?;
    let mut reviewer = Reviewer {
        db,
        key,
        facts: &facts,
        seen: BTreeSet::new(),
        opaque: Vec::new(),
        found: Vec::new(),
    };
    let label = &key.label;
    for (field, id, what, hint) in [
        (
            "license",
            "missing-license",
            "a license",
            "write it as an SPDX expression: `license: \"MIT\"`",
        ),
        (
            "description",
            "missing-description",
            "a description",
            "say in a sentence what it is: `description: \"…\"`",
        ),
    ] {
        if !definition.fields.contains_key(field) {
            let message = format!("`{label}` is without {what}");
            let said = Diagnostic::warning(id, message).at(reviewer.call(), "");
            reviewer.found.push(said.hint(hint));
        }
    }
    for output in expanded.outputs.values().chain(expanded.tests.values()) {
        reviewer.root(&output.root);
    }
    if facts.is_opaque && reviewer.opaque.is_empty() {
        reviewer.opaque.push((reviewer.call(), "it says so itself"));
    }
    reviewer.remark_on_opaque();
    Some(reviewer.found)
}

struct Reviewer<'r> {
    db: &'r Database,
    key: &'r NodeKey,
    facts: &'r BuildFacts,
    /// Addresses of steps.
    seen: BTreeSet<usize>,
    /// Where machine code comes in, and what it is.
    opaque: Vec<(Span, &'static str)>,
    found: Vec<Diagnostic>,
}

impl Reviewer<'_> {
    /// Where the package calls its builder.
    fn call(&self) -> Span {
        let site = Site {
            path: self.facts.path.clone(),
            line: self.facts.line,
            column: 1,
        };
        span_of_site(self.db, &site)
    }

    /// A place of the package; that of its call for one in the standard library.
    fn place(&self, site: &Site) -> Span {
        if site.line == 0 || site.path.as_str().starts_with("stdlib/") {
            self.call()
        } else {
            span_of_site(self.db, site)
        }
    }

    /// Looks at a chain of operations, each step once.
    fn root(&mut self, root: &RootExpression) {
        let mut next = Some(root);
        while let Some(RootExpression(step)) = next {
            if !self.seen.insert(Arc::as_ptr(step).addr()) {
                return;
            }
            if let RootOperation::Run(commands) = &step.operation {
                commands.iter().for_each(|command| self.command(command));
            }
            for operand in step.operation.operands() {
                self.operand(operand);
            }
            next = step.before.as_ref();
        }
    }

    fn operand(&mut self, operand: &Operand) {
        match operand {
            Operand::Root(root) => self.root(root),
            Operand::Output(output) => {
                let OutputExpression { root, .. } = output.as_ref();
                self.root(root);
            }
            Operand::Seed(SeedImport { site, .. }) => {
                self.opaque.push((self.place(site), "a seed"));
            }
            Operand::Fetch(source) => self.source(source),
            Operand::Directory(directory) => self.directory(directory),
            Operand::Package(_) | Operand::File(_) => {}
        }
    }

    /// One remark for all machine code of the package: it is one decision to let it in.
    fn remark_on_opaque(&mut self) {
        self.opaque.sort_by_key(|(place, _)| place.start);
        self.opaque.dedup();
        let Some((place, what)) = self.opaque.first().cloned() else {
            return;
        };
        let what = match self.opaque.len() {
            1 => what.to_owned(),
            count => format!("{what}, and {} more", count - 1),
        };
        let label = &self.key.label;
        let message = format!("`{label}` has machine code that nothing of the plan made");
        let said = Diagnostic::warning("opaque-binary", message).at(place, what);
        let said = said.hint("build it from its source, or let it pass: `--allow opaque-binary`");
        self.add(said);
    }

    fn source(&mut self, source: &FetchSource) {
        if source.urls.iter().any(|url| is_binary_package(url)) {
            let place = self.place(&source.site);
            self.opaque.push((place, "a package of binaries"));
        }
    }

    /// Each pattern of what is left out has to leave out something.
    fn directory(&mut self, directory: &DirectoryImport) {
        // One that brings back what others leave out means nothing alone.
        let alone =
            |pattern: &&String| LeftOut::says_something(pattern) && !pattern.starts_with('!');
        for pattern in directory.ignore.iter().filter(alone) {
            let Ok(left_out) = LeftOut::new(std::slice::from_ref(pattern)) else {
                continue;
            };
            if self.leaves_out_nothing(&directory.path, &left_out) {
                let path = &directory.path;
                let message = format!("`{pattern}` leaves out nothing of `{path}`");
                let said = Diagnostic::warning("unmatched-glob", message)
                    .at(self.place(&directory.site), "the directory")
                    .hint("take it out of `ignore`, or write what is meant: `*.o`, `build/*`");
                self.add(said);
            }
        }
    }

    fn leaves_out_nothing(&self, directory: &SourcePath, left_out: &LeftOut) -> bool {
        let tree = &self.db.shared().tree;
        let mut folders = vec![String::new()];
        let mut count = 0;
        while let Some(folder) = folders.pop() {
            let path = SourcePath::new(&format!("{directory}/{folder}"));
            let path = SourcePath::new(path.as_str().trim_end_matches('/'));
            for name in tree.list(&path).unwrap_or_default() {
                count += 1;
                let below = format!("{folder}{name}");
                // Beyond so many nobody waits for the answer.
                let folder = below.strip_suffix('/');
                let is_left_out = match folder {
                    Some(folder) => left_out.is_directory_left_out(folder.as_bytes()),
                    None => left_out.is_file_left_out(below.as_bytes()),
                };
                // Beyond so many nobody waits for the answer.
                if is_left_out || count > NAMES_MAX {
                    return false;
                }
                if folder.is_some() {
                    folders.push(below);
                }
            }
        }
        true
    }

    fn command(&mut self, command: &Command) {
        let Command::Script { text, site } = command else {
            return;
        };
        for (number, line) in (0..).zip(text.lines()) {
            if !turns_errexit_off(line) {
                continue;
            }
            let place = self.line_of_script(site, number, line);
            let message = "The script goes on after a command that fails";
            let said = Diagnostic::warning("errexit-off", message)
                .at(place, "this turns off what ends it")
                .hint("let one command fail: `if command; then …; fi`, or `command || …`");
            self.add(said);
        }
    }

    /// A line of a script as it stands in the text; the script's place if it does not stand there.
    fn line_of_script(&self, site: &Site, number: u32, line: &str) -> Span {
        let written = line.trim();
        let text = match self.db.file(&site.path).state(self.db) {
            FileState::File(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            FileState::Directory | FileState::Missing | FileState::Unreadable(_) => String::new(),
        };
        let mut start = 0;
        for (at, found) in (1..).zip(text.split_inclusive('\n')) {
            if at == site.line.saturating_add(number) && found.trim() == written {
                let begin = start + (found.len() - found.trim_start().len());
                let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                return Span::new(&site.path, offset(begin), offset(begin + written.len()));
            }
            start += found.len();
        }
        self.place(site)
    }

    /// Adds a remark that was not made yet.
    fn add(&mut self, said: Diagnostic) {
        if !self.found.contains(&said) {
            self.found.push(said);
        }
    }
}

/// Whether a line of a script has `set +e` or the like.
fn turns_errexit_off(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with('#') {
        return false;
    }
    let mut commands = line.split([';', '&', '|', '(', '{']);
    commands.any(|command| {
        let mut words = command.split_whitespace();
        if words.next() != Some("set") {
            return false;
        }
        let mut is_long = false;
        words.any(|word| {
            let is_off = match word.strip_prefix('+') {
                Some("o") => {
                    is_long = true;
                    return false;
                }
                Some(letters) => letters.contains('e') && !letters.contains('o'),
                None => is_long && word == "errexit",
            };
            is_long = false;
            is_off
        })
    })
}

#[cfg(test)]
mod tests {
    use super::turns_errexit_off;

    #[test]
    fn errexit_is_turned_off_in_several_ways() {
        for line in [
            "set +e",
            "  set +eu",
            "x; set +xe",
            "set -x +e",
            "set +o errexit",
            "(set +e; y)",
        ] {
            assert!(turns_errexit_off(line), "{line}");
        }
        for line in [
            "set -e",
            "# set +e",
            "set +x",
            "set +o pipefail",
            "offset +e",
            "echo set +e",
            "set -o errexit",
        ] {
            assert!(!turns_errexit_off(line), "{line}");
        }
    }
}
