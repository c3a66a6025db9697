//! The names of values: `env.CFLAGS`, `needs[2]`, `step.1.command`.

use stxl_lang::{Definition, FieldStep, Operand, Value};
use stxl_model::OutputName;

/// What is added to a text to see what becomes another one by that.
pub(super) const MARK: &str = "-stxl-origin";

/// A value's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// A value of the definition.
    Field(Vec<Step>),
    /// A part of a step, which is counted from 1.
    PartOfStep(usize, Part),
}

/// A part of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All that it runs.
    Commands,
    /// One command of several, from 0.
    Command(usize),
    /// A variable of its environment.
    Variable(String),
    /// What its root is made with, from 0.
    Input(usize),
}

/// A step on the way to a value inside another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The value of a key.
    Key(String),
    /// An item of a list, from 0.
    Item(usize),
}

impl Step {
    pub(super) fn borrowed(&self) -> FieldStep<'_> {
        match self {
            Self::Key(key) => FieldStep::Key(key),
            Self::Item(index) => FieldStep::Item(*index),
        }
    }
}

impl Path {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let steps = parse_steps(text)?;
        let [Step::Key(first), Step::Key(number), part, rest @ ..] = steps.as_slice() else {
            return Some(Self::Field(steps));
        };
        let (true, Ok(number)) = (first == "step", number.parse()) else {
            return Some(Self::Field(steps));
        };
        let Step::Key(part) = part else { return None };
        let part = match (part.as_str(), rest) {
            ("command", []) => Part::Commands,
            ("command", [Step::Item(index)]) => Part::Command(*index),
            ("env", [Step::Key(name)]) => Part::Variable(name.clone()),
            ("inputs", [Step::Item(index)]) => Part::Input(*index),
            _ => return None,
        };
        Some(Self::PartOfStep(number, part))
    }
}

fn parse_steps(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in text.split('.') {
        let mut pieces = part.split('[');
        let key = pieces.next().filter(|key| !key.is_empty())?;
        steps.push(Step::Key(key.to_owned()));
        for piece in pieces {
            let index = piece.strip_suffix(']')?.parse().ok()?;
            steps.push(Step::Item(index));
        }
    }
    Some(steps)
}

/// The steps as they are written.
pub(super) fn written(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text += &format!(".{key}"),
            Step::Item(index) => text += &format!("[{index}]"),
        }
    }
    text
}

/// The value at the end of the steps.
pub(super) fn value_at<'d>(definition: &'d Definition, steps: &[Step]) -> Option<&'d Value> {
    let (Step::Key(field), rest) = steps.split_first()? else {
        return None;
    };
    let mut value = definition.fields.get(field.as_str())?;
    for step in rest {
        value = match (step, value) {
            (Step::Key(key), Value::Map(entries)) => entries.get(key.as_str())?,
            (Step::Item(index), Value::List(items)) => items.get(*index)?,
            _ => return None,
        };
    }
    Some(value)
}

/// All values of a definition that hold no others.
pub(super) fn leaves(definition: &Definition) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    for (name, value) in &definition.fields {
        collect(value, &mut vec![Step::Key(name.to_string())], &mut found);
    }
    found
}

fn collect(value: &Value, steps: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    match value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                steps.push(Step::Item(index));
                collect(item, steps, found);
                steps.pop();
            }
        }
        Value::Map(entries) => {
            for (name, value) in entries {
                steps.push(Step::Key(name.to_string()));
                collect(value, steps, found);
                steps.pop();
            }
        }
        _ => found.push(steps.clone()),
    }
}

/// How a value becomes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Every letter and digit of a text is another one: each of its parts is.
    Letters,
    /// A text is longer: where another beginning would be refused.
    Longer,
}

impl How {
    /// All of them.
    pub(super) const ALL: [Self; 2] = [Self::Letters, Self::Longer];
}

/// A definition in which one value is another one.
pub(super) fn with_changed(
    definition: &Definition,
    steps: &[Step],
    how: How,
) -> Option<Definition> {
    let mut changed = definition.clone();
    let (Step::Key(field), rest) = steps.split_first()? else {
        return None;
    };
    let mut value = changed.fields.get_mut(field.as_str())?;
    for step in rest {
        value = match (step, value) {
            (Step::Key(key), Value::Map(entries)) => entries.get_mut(key.as_str())?,
            (Step::Item(index), Value::List(items)) => items.get_mut(*index)?,
            _ => return None,
        };
    }
    change(value, how)?;
    Some(changed)
}

fn change(value: &mut Value, how: How) -> Option<()> {
    match value {
        Value::Text(text) if how == How::Letters => {
            let letters = text.chars().map(other_letter);
            *text = letters.collect::<String>().into();
        }
        Value::Text(text) => *text = format!("{text}{MARK}").into(),
        Value::Int(number) => *number = number.wrapping_add(1),
        Value::Bool(truth) => *truth = !*truth,
        Value::List(items) => {
            let changed = items.iter_mut().filter_map(|it| change(it, how)).count();
            return (changed > 0).then_some(());
        }
        Value::Map(entries) => {
            let changed = entries
                .values_mut()
                .filter_map(|it| change(it, how))
                .count();
            return (changed > 0).then_some(());
        }
        Value::Reference(reference) => {
            std::sync::Arc::make_mut(reference).output = changed_output()?;
        }
        Value::Source(source) => mark(&mut std::sync::Arc::make_mut(source).urls),
        Value::File(file) => file.path = marked_path(&file.path),
        Value::Operand(operand) => change_operand(operand)?,
        Value::Root(_) | Value::Output(_) => return None,
    }
    Some(())
}

fn other_letter(letter: char) -> char {
    match letter {
        '9' => '1',
        'z' => 'a',
        'Z' => 'A',
        letter if letter.is_ascii_alphanumeric() => char::from(letter as u8 + 1),
        letter => letter,
    }
}

pub(super) fn change_operand(operand: &mut Operand) -> Option<()> {
    match operand {
        Operand::Package(reference) => {
            std::sync::Arc::make_mut(reference).output = changed_output()?;
        }
        Operand::File(file) => file.path = marked_path(&file.path),
        Operand::Directory(directory) => directory.path = marked_path(&directory.path),
        Operand::Seed(seed) => seed.path = marked_path(&seed.path),
        Operand::Fetch(source) => mark(&mut std::sync::Arc::make_mut(source).urls),
        Operand::Root(_) | Operand::Output(_) => return None,
    }
    Some(())
}

fn changed_output() -> Option<OutputName> {
    OutputName::parse("stxl-origin").ok()
}

fn mark(urls: &mut [String]) {
    urls.iter_mut().for_each(|url| url.push_str(MARK));
}

fn marked_path(path: &stxl_lang::SourcePath) -> stxl_lang::SourcePath {
    stxl_lang::SourcePath::new(&format!("{path}{MARK}"))
}

/// A value as text.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Int(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entry = |(name, value)| format!("{name}: {}", shown(value));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("#{{ {} }}", entries.join(", "))
        }
        Value::Reference(reference) => shown_operand(&Operand::Package(reference.clone())),
        Value::Source(source) => shown_operand(&Operand::Fetch(source.clone())),
        Value::File(file) => shown_operand(&Operand::File(file.clone())),
        Value::Operand(operand) => shown_operand(operand),
        Value::Root(_) => "a root".to_owned(),
        Value::Output(_) => "an output".to_owned(),
    }
}

/// What an operand is, as text.
pub(super) fn shown_operand(operand: &Operand) -> String {
    match operand {
        Operand::Package(reference) => {
            let package = reference.package.as_ref();
            let package = package.map_or_else(String::new, ToString::to_string);
            let output = reference.output.as_str();
            match (package.is_empty(), output) {
                (false, "main") => format!("{package:?}"),
                (_, output) => format!("\"{package}:{output}\""),
            }
        }
        Operand::File(file) => format!("file {}", file.path),
        Operand::Directory(directory) => format!("directory {}", directory.path),
        Operand::Seed(seed) => format!("seed {}", seed.path),
        Operand::Fetch(source) => source.urls.join(" or "),
        Operand::Root(_) => "a root".to_owned(),
        Operand::Output(_) => "an output of a root".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Path, Step};

    #[test]
    fn values_are_named_by_keys_and_items() {
        let key = |key: &str| Step::Key(key.to_owned());
        let cases = [
            ("version", Some(Path::Field(vec![key("version")]))),
            (
                "needs[2]",
                Some(Path::Field(vec![key("needs"), Step::Item(2)])),
            ),
            ("env.CC", Some(Path::Field(vec![key("env"), key("CC")]))),
            (
                "step.2.env.CC",
                Some(Path::PartOfStep(2, Part::Variable("CC".to_owned()))),
            ),
            (
                "step.1.command[0]",
                Some(Path::PartOfStep(1, Part::Command(0))),
            ),
            ("step.1.nothing", None),
            ("env..CC", None),
            ("needs[x]", None),
            ("", None),
        ];
        for (text, path) in cases {
            assert_eq!(Path::parse(text), path, "{text}");
        }
    }
}
