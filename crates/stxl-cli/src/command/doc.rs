//! `stxl doc`.

use serde::Serialize;
use stxl_lang::doc::{Entry, EntryKind, entries};

use crate::arguments::DocArguments;
use crate::failure::{Exit, Failure};
use crate::terminal::{Terminal, Tone, print_data, print_record};

/// What it prints for programs.
#[derive(Serialize)]
struct DocRecord<'r> {
    version: u32,
    event: &'static str,
    entries: Vec<EntryRecord<'r>>,
}

#[derive(Serialize)]
struct EntryRecord<'r> {
    kind: &'static str,
    name: &'r str,
    usage: &'r str,
    text: &'r str,
    example: &'r str,
    fields: Vec<FieldRecord>,
}

#[derive(Serialize)]
struct FieldRecord {
    name: &'static str,
    expected: &'static str,
    required: bool,
    default: &'static str,
    text: &'static str,
}

pub(crate) fn run(doc: &DocArguments, terminal: Terminal) -> Result<(), Failure> {
    let mut found = entries();
    found.retain(|entry| doc.words.iter().all(|word| entry.mentions(word)));
    if let [word] = doc.words.as_slice() {
        let is_named = |entry: &Entry| entry.name == *word;
        if found.iter().any(is_named) {
            found.retain(is_named);
        }
    }
    if doc.json {
        return print_record(&DocRecord {
            version: 1,
            event: "doc",
            entries: found.iter().map(record_of).collect(),
        });
    }
    let text = match found.as_slice() {
        [] => {
            let words = doc.words.join(" ");
            return Err(Failure {
                exit: Exit::CheckFailed,
                message: format!("nothing about `{words}`"),
                hint: Some("`stxl doc` lists everything there is".to_owned()),
            });
        }
        [entry] => whole(entry, terminal),
        several => listed(several, terminal),
    };
    print_data(text.as_bytes())
}

fn record_of(entry: &Entry) -> EntryRecord<'_> {
    let fields = entry.fields.iter().map(|field| FieldRecord {
        name: field.name,
        expected: field.kind.expected(),
        required: field.required,
        default: field.default,
        text: field.doc,
    });
    EntryRecord {
        kind: entry.kind.name(),
        name: &entry.name,
        usage: &entry.usage,
        text: &entry.text,
        example: &entry.example,
        fields: fields.collect(),
    }
}

/// One line for each, below the name of its kind.
fn listed(entries: &[Entry], terminal: Terminal) -> String {
    let width = entries.iter().map(|entry| entry.name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for kind in EntryKind::ALL {
        let mut of_kind = entries.iter().filter(|entry| entry.kind == kind).peekable();
        if of_kind.peek().is_none() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("{}\n", terminal.paint_data(Tone::Faint, kind.name()));
        for entry in of_kind {
            let name = format!("{:width$}", entry.name);
            let name = terminal.paint_data(Tone::Good, &name);
            text += &format!("  {name}  {}\n", entry.summary());
        }
    }
    text
}

/// Everything about one.
fn whole(entry: &Entry, terminal: Terminal) -> String {
    let usage = entry.usage.replace("` or `", "\n");
    let mut text = format!(
        "{}\n\n{}\n",
        terminal.paint_data(Tone::Good, &usage),
        entry.text
    );
    if !entry.fields.is_empty() {
        let width = entry.fields.iter().map(|field| field.name.len()).max();
        let width = width.unwrap_or_default();
        text += &format!("\n{}\n", terminal.paint_data(Tone::Faint, "fields"));
        for field in &entry.fields {
            let default = match (field.required, field.default) {
                (true, _) => "; required".to_owned(),
                (false, "") => String::new(),
                (false, default) => format!("; default {default}"),
            };
            let about = format!("{}{default}", field.kind.expected());
            let about = terminal.paint_data(Tone::Faint, &format!("({about})"));
            text += &format!("  {:width$}  {} {about}\n", field.name, field.doc);
        }
    }
    if !entry.example.is_empty() {
        text += &format!("\n{}\n", terminal.paint_data(Tone::Faint, "example"));
        for line in entry.example.lines() {
            text += &format!("  {line}\n");
        }
    }
    text
}
