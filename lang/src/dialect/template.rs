//! Templates: `{version}` and its few companions in one-line fields, expanded after all overlays.

use std::borrow::Cow;

use stxl_model::Platform;

use crate::dialect::complaint::Complaint;
use crate::dialect::vocabulary;

/// The closed list of names.
pub(crate) const NAMES: [&str; 7] = [
    "arch",
    "commit",
    "name",
    "triple",
    "version",
    "version_major",
    "version_minor",
];

/// The values of the names for one package.
pub(crate) struct Template<'a> {
    /// `{name}`.
    pub(crate) name: &'a str,
    /// `{version}` and its parts.
    pub(crate) version: &'a str,
    /// `{commit}`, when the definition has one.
    pub(crate) commit: Option<&'a str>,
    /// `{arch}` and `{triple}`.
    pub(crate) target: Platform,
    /// Told when the platform is read.
    pub(crate) on_target: &'a dyn Fn(),
}

impl Template<'_> {
    /// Expands the names in a text; braces around anything else stay.
    pub(crate) fn expand<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Complaint> {
        if !text.contains('{') || text.contains('\n') {
            return Ok(Cow::Borrowed(text));
        }
        let mut expanded = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => expanded.push_str(text),
                Piece::Name(name) => {
                    if let Some(value) = self.value(name)? {
                        expanded.push_str(value);
                    } else {
                        expanded.push('{');
                        expanded.push_str(name);
                        expanded.push('}');
                    }
                }
            }
        }
        Ok(Cow::Owned(expanded))
    }

    fn value(&self, name: &str) -> Result<Option<&str>, Complaint> {
        let mut parts = self.version.split('.');
        Ok(match name {
            "name" => Some(self.name),
            "version" => Some(self.version),
            "version_major" => parts.next(),
            "version_minor" => Some(parts.nth(1).ok_or_else(|| {
                Complaint::new(
                    "bad-template",
                    format!(
                        "`{{version_minor}}` of `{}`, which has one part only",
                        self.version
                    ),
                )
            })?),
            "commit" => Some(self.commit.ok_or_else(|| {
                Complaint::new("bad-template", "`{commit}` without a field `commit`")
            })?),
            "arch" => {
                (self.on_target)();
                Some(self.target.name())
            }
            "triple" => {
                (self.on_target)();
                Some(self.target.triple())
            }
            _ => None,
        })
    }
}

/// The names in braces that are not on the list.
pub(crate) fn unknown_names(text: &str) -> Vec<&str> {
    pieces(text)
        .filter_map(|piece| match piece {
            Piece::Name(name) if !NAMES.contains(&name) => Some(name),
            Piece::Name(_) | Piece::Text(_) => None,
        })
        .collect()
}

/// The complaint about such a name in an address.
pub(crate) fn unknown_in_url(name: &str) -> Complaint {
    let complaint = Complaint::new(
        "unknown-template",
        format!("There is no template `{{{name}}}`"),
    );
    let near = vocabulary::near(name, NAMES.into_iter());
    if near.is_empty() {
        complaint.hint(format!("templates are `{{{}}}`", NAMES.join("}`, `{")))
    } else {
        complaint.suggest(
            &near
                .iter()
                .map(|name| format!("{{{name}}}"))
                .collect::<Vec<_>>(),
        )
    }
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// Cuts a text at names in braces: letters, digits and `_`, nothing else between them.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let mut rest = text;
    let mut name = None;
    std::iter::from_fn(move || {
        if let Some(name) = name.take() {
            return Some(Piece::Name(name));
        }
        if rest.is_empty() {
            return None;
        }
        let mut searched = 0;
        while let Some((_, after)) = rest.get(searched..).and_then(|tail| tail.split_once('{')) {
            let start = rest.len() - after.len();
            if let Some((inside, behind)) = after.split_once('}')
                && is_name(inside)
            {
                let before = rest.get(..start - 1).unwrap_or_default();
                rest = behind;
                if before.is_empty() {
                    return Some(Piece::Name(inside));
                }
                name = Some(inside);
                return Some(Piece::Text(before));
            }
            searched = start;
        }
        Some(Piece::Text(std::mem::take(&mut rest)))
    })
}
