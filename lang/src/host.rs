//! What the language asks of its surroundings while it evaluates.

use std::sync::Arc;

use stxl_model::PackageLabel;

use crate::definition::Definition;
use crate::expression::Site;
use crate::language::Module;
use crate::source::SourcePath;

/// Where in the stack of overlays a definition stands: 0 is the workspace itself, every overlay is
/// one higher than what it lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer(pub u32);

/// The surroundings of an evaluation: other packages, modules and files, by name.
///
/// Implemented by the evaluator (its queries) and by tests. All answers have to be the same for as
/// long as one evaluation lasts. [`Host::definition`] and [`Host::prior`] may evaluate other files
/// on the calling thread.
pub trait Host {
    /// The definition of a package, with all overlays: asked by `pkg(l).version`. `site` is where.
    fn definition(&self, package: &PackageLabel, site: &Site)
    -> Result<Arc<Definition>, HostError>;

    /// The definition of a package as it is below a layer: asked by `prior()` in a file of that
    /// layer.
    fn prior(
        &self,
        package: &PackageLabel,
        layer: Layer,
        site: &Site,
    ) -> Result<Arc<Definition>, HostError>;

    /// A compiled file of the workspace: `lib/*.rhai` for `import`, and files that hold `fn
    /// build(p)`.
    fn module(&self, path: &SourcePath) -> Result<Arc<Module>, HostError>;

    /// Whether a file or directory is there.
    fn has_file(&self, path: &SourcePath) -> bool;

    /// The names in a folder, sorted, directories with `/`; empty when there is no such folder.
    fn list(&self, folder: &SourcePath) -> Vec<String>;

    /// The text of a file: asked for scripts in files of their own.
    fn read_text(&self, path: &SourcePath) -> Result<Arc<str>, HostError>;

    /// Checks a reference to `package` made by the package `from` against the list of files only.
    fn check_label(&self, from: &PackageLabel, package: &PackageLabel) -> Result<(), HostError>;
}

/// The id of the diagnostic that tells of packages whose values need each other in a circle.
pub const VALUE_CYCLE: &str = "value-cycle";

/// Why the surroundings have no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is no such package, layer, module or file.
    #[error("it does not exist")]
    Unknown {
        /// Names that are near, best first.
        suggestions: Vec<String>,
    },
    /// The package is in a stage that comes later than the one that asks.
    #[error("the stage `{stage}` comes later than `{from}`")]
    LaterStage {
        /// The stage of the package that asks.
        from: String,
        /// The stage of the package asked for.
        stage: String,
    },
    /// The answer would need itself.
    #[error("it depends on itself")]
    Cycle {
        /// The packages of the cycle in the order in which they ask, with the places where they do;
        /// the last one asks for the first one.
        path: Vec<(PackageLabel, Site)>,
    },
    /// A file cannot be read as text.
    #[error("{reason}")]
    Unreadable {
        /// What the system said, or that it is not UTF-8.
        reason: String,
    },
    /// The answer is wrong itself, which is reported where it belongs.
    #[error("it has errors")]
    Failed,
}
