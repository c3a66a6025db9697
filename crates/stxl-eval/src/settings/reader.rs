//! The reader of `stxl.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use stxl_lang::{Diagnostic, Operand, Reference, Severity, Site, SourcePath, Span};
use stxl_model::{Label, PackageLabel, Platform, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{OpaqueSources, OptionRoots, SeedAllowList, Settings, StageRoot};
use crate::suggestion::nearest;

const KEYS: [&str; 9] = [
    "base",
    "options",
    "overlays",
    "override",
    "platform",
    "policy",
    "seeds",
    "stages",
    "test_base",
];

type Value<'t> = Spanned<DeValue<'t>>;

/// Overlays of a workspace; every path is looked up among them.
const OVERLAYS_MAX: usize = 64;

pub(super) struct Reader<'t> {
    path: &'t SourcePath,
    text: &'t str,
    /// First byte of each line.
    line_starts: Vec<usize>,
    settings: Settings,
    diagnostics: Vec<Diagnostic>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(path: &'t SourcePath, text: &'t str) -> Self {
        Self {
            path,
            text,
            line_starts: line_starts(text),
            settings: Settings::empty(),
            diagnostics: Vec::new(),
        }
    }

    pub(super) fn read(mut self) -> (Settings, Vec<Diagnostic>) {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let message = error.message().trim().replace('\n', ", ");
            self.report(
                "settings-syntax",
                error.span().unwrap_or(0..0),
                &message,
                Some(
                    "`stxl.toml` is TOML: `key = value`, lists in `[…]`, text in `\"…\"`"
                        .to_owned(),
                ),
            );
        }
        // First, since roots are chosen by them.
        if let Some(options) = table.get_ref().get("options") {
            self.read_options(options);
        }
        for (key, value) in table.get_ref() {
            match key.get_ref().as_ref() {
                "stages" => self.read_stages(value),
                "overlays" => self.read_overlays(value),
                "platform" => self.read_platform(value),
                "policy" => self.read_policy(value),
                "options" => {}
                "base" => self.settings.roots.base = self.read_roots(value, "base"),
                "test_base" => {
                    self.settings.roots.test_base = self.read_roots(value, "test_base");
                }
                "seeds" => self.read_seeds(value),
                "override" => self.report(
                    "reserved-setting",
                    key.span(),
                    "`[override]` is reserved for replacing packages in the whole graph",
                    Some("use an overlay".to_owned()),
                ),
                other => {
                    let hint = nearest(other, KEYS.iter().copied()).first().map_or_else(
                        || format!("the settings are: {}", quoted(&KEYS)),
                        |near| format!("did you mean `{near}`?"),
                    );
                    let message = format!("There is no setting `{other}`");
                    self.report("unknown-setting", key.span(), &message, Some(hint));
                }
            }
        }
        (self.settings, self.diagnostics)
    }

    fn span(&self, at: &Range<usize>) -> Span {
        Span {
            path: self.path.clone(),
            start: u32::try_from(at.start).unwrap_or(u32::MAX),
            end: u32::try_from(at.end).unwrap_or(u32::MAX),
        }
    }

    fn report(&mut self, id: &'static str, at: Range<usize>, message: &str, hint: Option<String>) {
        let span = self.span(&at);
        let mut letters = message.chars();
        let first = letters.next().map(char::to_uppercase).into_iter().flatten();
        self.diagnostics.push(Diagnostic {
            id,
            severity: Severity::Error,
            message: first.chain(letters).collect(),
            primary: Some((span, String::new())),
            secondary: Vec::new(),
            notes: Vec::new(),
            hints: hint.into_iter().collect(),
            trace: Vec::new(),
        });
    }

    /// The place of a byte.
    fn site(&self, offset: usize) -> Site {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts.get(line.saturating_sub(1)).copied();
        let before = self.text.get(start.unwrap_or(0)..offset);
        let column = before.map_or(0, |before| before.chars().count()) + 1;
        Site {
            path: self.path.clone(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    fn wrong_type(&mut self, value: &Value<'_>, what: &str, expected: &str) {
        let message = format!(
            "`{what}` is {expected}, not a {}",
            value.get_ref().type_str()
        );
        self.report("wrong-setting-type", value.span(), &message, None);
    }

    fn text<'v>(&mut self, value: &'v Value<'_>, what: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, what, "text");
        }
        text
    }

    fn read_overlays(&mut self, value: &Value<'_>) {
        let Some(items) = value.get_ref().as_array() else {
            return self.wrong_type(value, "overlays", "a list of texts");
        };
        if items.len() > OVERLAYS_MAX {
            let message = format!("More than {OVERLAYS_MAX} overlays");
            let hint = "merge what belongs together into one".to_owned();
            return self.report("limit", value.span(), &message, Some(hint));
        }
        for item in items {
            if let Some(overlay) = self.text(item, "overlays").map(str::to_owned) {
                self.settings.overlays.push(overlay);
                let span = self.span(&item.span());
                self.settings.places.overlays.push(span);
            }
        }
    }

    fn read_stages(&mut self, value: &Value<'_>) {
        let Some(groups) = value.get_ref().as_array() else {
            return self.wrong_type(value, "stages", "a list of stages and groups of stages");
        };
        self.settings.places.stages = Some(self.span(&value.span()));
        let mut seen = BTreeSet::new();
        for group in groups {
            let members: Vec<&Value<'_>> = match group.get_ref() {
                DeValue::Array(members) => members.iter().collect(),
                _ => vec![group],
            };
            let mut stages = Vec::new();
            for member in members {
                let Some(stage) = self.text(member, "stages").map(str::to_owned) else {
                    continue;
                };
                if PackageLabel::parse(&format!("{stage}/x")).is_err() {
                    let message = format!("`{stage}` cannot be the name of a stage");
                    let hint = "lower-case letters, digits, `-`, `.`, `_` and `+`".to_owned();
                    self.report("bad-stage-name", member.span(), &message, Some(hint));
                } else if seen.insert(stage.clone()) {
                    stages.push(stage);
                } else {
                    let message = format!("The stage `{stage}` is listed twice");
                    self.report("duplicate-stage", member.span(), &message, None);
                }
            }
            self.settings.stages.push(stages);
        }
    }

    fn read_platform(&mut self, value: &Value<'_>) {
        let Some(name) = self.text(value, "platform") else {
            return;
        };
        if let Some(platform) = Platform::parse(name) {
            self.settings.platform = platform;
        } else {
            let names = Platform::ALL.map(Platform::name);
            let message = format!("There is no platform `{name}`");
            let hint = format!("the platforms are: {}", quoted(&names));
            self.report("unknown-platform", value.span(), &message, Some(hint));
        }
    }

    fn read_policy(&mut self, value: &Value<'_>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong_type(value, "policy", "a table");
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if name != "opaque" {
                let message = format!("There is no policy `{name}`");
                let hint = "there is `opaque`".to_owned();
                self.report("unknown-policy", key.span(), &message, Some(hint));
                continue;
            }
            match self.text(value, "policy.opaque") {
                Some("allow") => self.settings.opaque = OpaqueSources::Allowed,
                Some("refuse") => self.settings.opaque = OpaqueSources::Refused,
                Some(other) => {
                    let message = format!("Opaque sources cannot be `{other}`");
                    let hint = "write `allow` or `refuse`".to_owned();
                    self.report("unknown-policy", value.span(), &message, Some(hint));
                }
                None => {}
            }
        }
    }

    fn read_options(&mut self, value: &Value<'_>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.wrong_type(value, "options", "a table of texts");
        };
        for (name, value) in table {
            if let Some(default) = self.text(value, "options").map(str::to_owned) {
                let name = name.get_ref().to_string();
                self.settings.options.insert(name, default);
            }
        }
    }

    fn read_roots(&mut self, value: &Value<'_>, what: &str) -> BTreeMap<String, StageRoot> {
        let mut roots = BTreeMap::new();
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(value, what, "a table of lists of labels, by stage");
            return roots;
        };
        for (stage, root) in table {
            let read = match root.get_ref() {
                DeValue::Table(_) => self.read_option_roots(root, what).map(StageRoot::ByOption),
                _ => self.read_operands(root, what).map(StageRoot::Fixed),
            };
            roots.extend(read.map(|root| (stage.get_ref().to_string(), root)));
        }
        roots
    }

    /// Roots by the values of an option: `{ toolchain = { debian = [...], own = [...] } }`.
    fn read_option_roots(&mut self, value: &Value<'_>, what: &str) -> Option<OptionRoots> {
        let tables = value.get_ref().as_table()?;
        let mut tables = tables.iter();
        let (Some((option, roots)), None) = (tables.next(), tables.next()) else {
            let message = format!("Roots in `{what}` are chosen by one option");
            let hint = "written as `core.toolchain.debian = [\"debian/toolchain\"]`".to_owned();
            self.report("bad-root-choice", value.span(), &message, Some(hint));
            return None;
        };
        let name = option.get_ref().to_string();
        let Some(table) = roots.get_ref().as_table() else {
            self.wrong_type(roots, &name, "a table of lists of labels, by value");
            return None;
        };
        let mut values = BTreeMap::new();
        for (value, operands) in table {
            let operands = self.read_operands(operands, what);
            values.extend(operands.map(|operands| (value.get_ref().to_string(), operands)));
        }
        let Some(default) = self.settings.options.get(&name).cloned() else {
            let message = format!("The option `{name}` has no default");
            let first = values.keys().next().map_or("value", String::as_str);
            let hint = format!("write below `[options]`: `{name} = \"{first}\"`");
            self.report(
                "option-without-default",
                option.span(),
                &message,
                Some(hint),
            );
            return None;
        };
        Some(OptionRoots {
            option: name,
            default,
            values,
            span: self.span(&value.span()),
        })
    }

    fn read_operands(&mut self, value: &Value<'_>, what: &str) -> Option<Vec<Operand>> {
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(value, what, "a list of labels");
            return None;
        };
        let operands = items
            .iter()
            .filter_map(|item| self.root_operand(item, what));
        Some(operands.collect())
    }

    fn root_operand(&mut self, item: &Value<'_>, what: &str) -> Option<Operand> {
        let text = self.text(item, what)?;
        match Label::parse(text) {
            Ok(label) => Some(Operand::from(Reference {
                package: Some(label.package),
                output: label.output,
                platform: None,
                options: BTreeMap::new(),
                site: self.site(item.span().start),
            })),
            Err(error) => {
                self.report("bad-label", item.span(), &error.to_string(), None);
                None
            }
        }
    }

    fn read_seeds(&mut self, value: &Value<'_>) {
        let mut allowed = SeedAllowList::default();
        match value.get_ref() {
            DeValue::Array(_) => allowed.anywhere = self.hashes(value),
            DeValue::Table(table) => {
                for (package, hashes) in table {
                    match PackageLabel::parse(package.get_ref()) {
                        Ok(label) => {
                            let hashes = self.hashes(hashes);
                            allowed.by_package.insert(label, hashes);
                        }
                        Err(error) => {
                            self.report("bad-label", package.span(), &error.to_string(), None);
                        }
                    }
                }
            }
            _ => self.wrong_type(
                value,
                "seeds",
                "a list of hashes or a table of them by package",
            ),
        }
        self.settings.seeds = allowed;
    }

    fn hashes(&mut self, value: &Value<'_>) -> Vec<Sha256> {
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(value, "seeds", "a list of hashes");
            return Vec::new();
        };
        let mut hashes = Vec::new();
        for item in items {
            let Some(text) = self.text(item, "seeds") else {
                continue;
            };
            if let Ok(hash) = Sha256::parse(text) {
                hashes.push(hash);
            } else {
                let message = format!("`{text}` is not a hash");
                let hint = "write `sha256:` and 64 hexadecimal digits in lower case".to_owned();
                self.report("bad-hash", item.span(), &message, Some(hint));
            }
        }
        hashes
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(end, _)| end + 1);
    std::iter::once(0).chain(ends).collect()
}

fn quoted(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
