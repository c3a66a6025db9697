//! What the language has, to be shown and searched: builders with their fields, constructors, root
//! operations, and the functions of the standard library with their examples.

use crate::dialect::{stdlib, vocabulary};
use crate::schema::{BUILDERS, FieldSchema};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A function that makes a definition: the value of a package's file.
    Builder,
    /// A function that makes a reference or a source.
    Constructor,
    /// A method of roots, outputs, references and definitions.
    Operation,
    /// A function that the builders of the standard library have in common.
    Shared,
}

/// One thing that the language has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Its name; that of a shared function is as builders call it, such as `shell::prepare`.
    pub name: String,
    /// How it is called.
    pub usage: String,
    /// What it does: the first sentence stands alone.
    pub text: String,
    /// An example that evaluates; empty where the usage says all.
    pub example: String,
    /// The fields of a builder, in the order in which they are written.
    pub fields: Vec<&'static FieldSchema>,
}

impl EntryKind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [
        Self::Builder,
        Self::Constructor,
        Self::Operation,
        Self::Shared,
    ];

    /// Its name, as a heading and for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Builder => "builders",
            Self::Constructor => "constructors",
            Self::Operation => "operations",
            Self::Shared => "shared functions",
        }
    }
}

impl Entry {
    /// The first sentence of what it does.
    pub fn summary(&self) -> &str {
        let end = self.text.find(". ").map_or(self.text.len(), |end| end + 1);
        self.text.get(..end).unwrap_or(&self.text)
    }

    /// Whether a word stands in its name, its text or one of its fields, whatever the case.
    pub fn mentions(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let fields = self.fields.iter().flat_map(|field| [field.name, field.doc]);
        let texts = [self.name.as_str(), &self.usage, &self.text];
        let mut texts = texts.into_iter().chain(fields);
        texts.any(|text| text.to_lowercase().contains(&word))
    }
}

/// Everything, by kind and name.
pub fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> = BUILDERS
        .iter()
        .map(|builder| {
            let (text, example) = stdlib::text_of(&stdlib::path_of(builder.name))
                .and_then(|file| functions(file).find(|function| function.name == "build"))
                .map_or_else(Default::default, |build| (build.text, build.example));
            Entry {
                kind: EntryKind::Builder,
                name: builder.name.to_owned(),
                usage: format!("{}(#{{ … }})", builder.name),
                text: if text.is_empty() {
                    builder.doc.to_owned()
                } else {
                    text
                },
                example,
                fields: builder.fields().collect(),
            }
        })
        .collect();
    entries.extend(vocabulary::functions().map(|function| Entry {
        kind: if function.call.starts_with('.') {
            EntryKind::Operation
        } else {
            EntryKind::Constructor
        },
        name: function.name.to_owned(),
        usage: function.call.to_owned(),
        text: function.doc.to_owned(),
        example: String::new(),
        fields: Vec::new(),
    }));
    let shared = stdlib::text_of(&stdlib::path_of("shell")).unwrap_or_default();
    entries.extend(functions(shared).map(|function| Entry {
        kind: EntryKind::Shared,
        name: format!("shell::{}", function.name),
        usage: format!("shell::{}({})", function.name, function.parameters),
        text: function.text,
        example: function.example,
        fields: Vec::new(),
    }));
    entries.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    entries
}

/// A function of a file, and the comment above it.
struct Function {
    name: String,
    parameters: String,
    text: String,
    example: String,
}

/// The functions of a file of the standard library, in its order.
fn functions(file: &str) -> impl Iterator<Item = Function> {
    let mut comment: Vec<&str> = Vec::new();
    file.lines().filter_map(move |line| {
        if let Some(text) = line.strip_prefix("///") {
            comment.push(text.strip_prefix(' ').unwrap_or(text));
            return None;
        }
        let above = std::mem::take(&mut comment);
        let call = line.strip_prefix("fn ")?.strip_suffix(") {")?;
        let (name, parameters) = call.split_once('(')?;
        let begin = above.iter().position(|line| *line == "```");
        let (text, example) = above.split_at(begin.unwrap_or(above.len()));
        let example: Vec<&str> = example.iter().copied().filter(|it| *it != "```").collect();
        Some(Function {
            name: name.to_owned(),
            parameters: parameters.to_owned(),
            text: text.join(" ").trim().to_owned(),
            example: example.join("\n"),
        })
    })
}
