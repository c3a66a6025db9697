//! What a build acts on: [`BuildContext`].

use stxl_model::Plan;
use stxl_sandbox::Launcher;
use stxl_store::Store;

use crate::options::BuildOptions;

/// What a build acts on, and what was chosen for it.
#[derive(Clone, Copy)]
pub struct BuildContext<'a> {
    /// Where records and results are.
    pub store: &'a Store,
    /// Starts the sandboxes; works on the same store.
    pub launcher: &'a Launcher,
    /// What is to be built: its roots.
    pub plan: &'a Plan,
    /// The choices.
    pub options: &'a BuildOptions,
}
