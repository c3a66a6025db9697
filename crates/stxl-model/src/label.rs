//! Labels: the names of packages, outputs and stages.

use std::fmt;
use std::sync::Arc;

/// The name of a package: `stage/package`. Cheap to clone.
///
/// Invariant: two valid names around one `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageLabel(Arc<str>);

/// The name of an output of a package; `main` unless another is asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutputName(Arc<str>);

/// A package and one of its outputs: `stage/package[:output]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// The package.
    pub package: PackageLabel,
    /// The output; `main` when the text names none.
    pub output: OutputName,
}

/// What a request names: everything, a stage, a package with all its outputs, or one output.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// The whole workspace.
    All,
    /// Every package of a stage.
    Stage(String),
    /// Every output of a package.
    Package(PackageLabel),
    /// One output of a package.
    Output(Label),
}

/// Why a text is not a label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// A part has other characters than lower-case letters, digits, `-`, `.`, `_` and `+`.
    #[error(
        "`{name}` in `{text}` is not a name: lower-case letters, digits, `-`, `.`, `_` and `+`, beginning with a letter or digit"
    )]
    BadName {
        /// The text as given.
        text: String,
        /// The part that is refused.
        name: String,
    },
    /// The text is not of the form `stage/package[:output]`.
    #[error("`{text}` is not a label: `stage/package` or `stage/package:output` is expected")]
    BadForm {
        /// The text as given.
        text: String,
    },
    /// The text begins with `@`: packages of other workspaces.
    #[error("`{text}` names another workspace, which this version cannot reach")]
    ForeignWorkspace {
        /// The text as given.
        text: String,
    },
}

/// Whether a text can be the name of a stage, a package or an output.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 100
        && name.bytes().next().is_some_and(is_plain)
        && name
            .bytes()
            .all(|byte| is_plain(byte) || b"-._+".contains(&byte))
}

fn check_name(text: &str, name: &str) -> Result<(), LabelError> {
    if is_name(name) {
        Ok(())
    } else {
        Err(LabelError::BadName {
            text: text.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl PackageLabel {
    /// Parses `stage/package`.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        if text.starts_with('@') {
            return Err(LabelError::ForeignWorkspace {
                text: text.to_owned(),
            });
        }
        let Some((stage, package)) = text.split_once('/') else {
            return Err(LabelError::BadForm {
                text: text.to_owned(),
            });
        };
        check_name(text, stage)?;
        check_name(text, package)?;
        Ok(Self(text.into()))
    }

    /// The stage.
    pub fn stage(&self) -> &str {
        self.0.split_once('/').map_or("", |(stage, _)| stage)
    }

    /// The package's own name.
    pub fn package(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, package)| package)
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OutputName {
    /// The output every package has.
    pub fn main() -> Self {
        Self("main".into())
    }

    /// Parses a name; underscores are allowed beside what labels have.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        check_name(text, text)?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `main`.
    pub fn is_main(&self) -> bool {
        &*self.0 == "main"
    }
}

impl Label {
    /// Parses `stage/package[:output]`.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let (package, output) = match text.split_once(':') {
            Some((package, output)) => (package, OutputName::parse(output)?),
            None => (text, OutputName::main()),
        };
        Ok(Self {
            package: PackageLabel::parse(package)?,
            output,
        })
    }
}

impl Selector {
    /// The one package that it names; none when it names more.
    pub fn package(&self) -> Option<&PackageLabel> {
        match self {
            Self::All | Self::Stage(_) => None,
            Self::Package(label) => Some(label),
            Self::Output(label) => Some(&label.package),
        }
    }

    /// Parses a stage, a package or an output.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        if text.contains(':') {
            return Label::parse(text).map(Self::Output);
        }
        if text.contains('/') {
            return PackageLabel::parse(text).map(Self::Package);
        }
        if text.starts_with('@') {
            return Err(LabelError::ForeignWorkspace {
                text: text.to_owned(),
            });
        }
        check_name(text, text)?;
        Ok(Self::Stage(text.to_owned()))
    }
}

impl fmt::Display for PackageLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PackageLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for OutputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OutputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.output.is_main() {
            write!(f, "{}", self.package)
        } else {
            write!(f, "{}:{}", self.package, self.output)
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Stage(stage) => f.write_str(stage),
            Self::Package(package) => package.fmt(f),
            Self::Output(label) => write!(f, "{}:{}", label.package, label.output),
        }
    }
}
