//! Reads the field `outputs`.

use rhai::Dynamic;
use stxl_model::OutputName;

use super::{FieldReader, Steps, deeper};
use crate::definition::{Fields, Value};
use crate::dialect::calls::{EntryPart, FieldStep};
use crate::dialect::complaint::Complaint;
use crate::dialect::globs;
use crate::dialect::vocabulary;
use crate::schema::{FieldKind, OtherFields};

impl FieldReader<'_> {
    /// One entry of `outputs`, always as a map of `files`, `brings` and `about`.
    pub(super) fn output(&self, name: &str, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        if let Err(error) = OutputName::parse(name) {
            let complaint = Complaint::new("bad-name", "The name of an output is not valid")
                .note(error.to_string());
            self.report(steps, EntryPart::Key, complaint);
            return None;
        }
        let mut output = Fields::new();
        let Ok(entries) = value.as_map_ref() else {
            output.insert("files".into(), self.files(value, steps)?);
            return Some(Value::Map(output));
        };
        for (name, item) in entries.iter() {
            let steps = deeper(steps, FieldStep::Key(name));
            let read = match name.as_str() {
                "files" => self.files(item, &steps),
                "brings" => self.list(FieldKind::References, item, &steps, |item, steps| {
                    self.reference(item, steps)
                }),
                "about" => match item.as_immutable_string_ref() {
                    Ok(text) => Some(Value::Text(text.as_str().into())),
                    Err(_) => self.wrong("text", item, &steps),
                },
                other => {
                    let near = vocabulary::near(other, ["files", "brings", "about"].into_iter());
                    let complaint =
                        Complaint::new("unknown-field", format!("An output has no `{other}`"));
                    self.report(&steps, EntryPart::Key, complaint.suggest(&near));
                    None
                }
            };
            if let Some(read) = read {
                output.insert(name.as_str().into(), read);
            }
        }
        let is_divided =
            self.builder.name != "custom" && self.builder.other_fields != OtherFields::Unknown;
        let has_slip = || {
            let other = |key: &&str| !["files", "brings", "about"].contains(key);
            let keys = entries.keys().map(|key| &**key).filter(other);
            !vocabulary::near("files", keys).is_empty()
        };
        if is_divided && name != "main" && !entries.contains_key("files") && !has_slip() {
            let complaint = Complaint::new(
                "missing-field",
                format!("The output `{name}` has no `files`"),
            )
            .hint("`files` is a list of globs, or `\"rest\"`");
            self.report(steps, EntryPart::Key, complaint);
        }
        Some(Value::Map(output))
    }

    fn files(&self, value: &Dynamic, steps: &Steps<'_>) -> Option<Value> {
        if value
            .as_immutable_string_ref()
            .is_ok_and(|text| text.as_str() == "rest")
        {
            if self.builder.name == "custom" {
                return self.custom_files(steps);
            }
            return Some(Value::Text("rest".into()));
        }
        if !value.is_array() {
            return self.wrong("a list of globs or `\"rest\"`", value, steps);
        }
        if self.builder.name == "custom" {
            return self.custom_files(steps);
        }
        self.list(FieldKind::Arguments, value, steps, |item, steps| {
            let Ok(glob) = item.as_immutable_string_ref() else {
                return self.wrong("text", item, steps);
            };
            match globs::check(&glob) {
                Ok(()) => Some(Value::Text(glob.as_str().into())),
                Err(complaint) => {
                    self.report(steps, EntryPart::Value, complaint);
                    None
                }
            }
        })
    }

    fn custom_files(&self, steps: &Steps<'_>) -> Option<Value> {
        let complaint = Complaint::new(
            "custom-outputs",
            "`build` says what a custom package's outputs hold",
        )
        .hint("use `.out().keep([…])` there; here stand `brings` and `about` of an output");
        self.report(steps, EntryPart::Value, complaint);
        None
    }
}
