//! Checks of the workspace's own text and structure that neither rustfmt nor clippy make.
//!
//! | check | what it refuses |
//! |---|---|
//! | [`layering`] | an edge between crates that the table does not have; a heavy dependency outside its owner |
//! | [`manifests`] | a member without `[lints]`; a version outside the root manifest |
//! | [`file_length`] | a source file of more than 800 lines; warns from 500 |
//! | [`module_head`] | a source file that does not start with `//!` |
//! | [`names`] | names and words that the style page refuses; boolean parameters of public functions |
//! | [`hygiene`] | trailing blanks, tabs, control characters, long lines, wrong executable bits |
//! | [`markdown`] | two titles or none; a relative link to nothing |
//! | [`orphans`] | a case or golden file that no test collects |
//! | [`suppressions`] | more `expect` attributes or unsafe blocks than the committed count |
//! | [`host_traces`] | paths of a development machine, registry hosts |

mod file_length;
mod finding;
mod host_traces;
mod hygiene;
mod layering;
mod manifests;
mod markdown;
mod module_head;
mod names;
mod orphans;
mod run;
mod rust_text;
mod suppressions;
mod tracked;

pub(crate) use run::run;
