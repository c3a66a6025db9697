//! The commands, one file each: parse, call one library function, render.

pub(crate) mod affected;
pub(crate) mod build;
pub(crate) mod completions;
pub(crate) mod depends;
pub(crate) mod dev;
pub(crate) mod diff;
pub(crate) mod doc;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod graph;
pub(crate) mod init;
pub(crate) mod lint;
pub(crate) mod log;
pub(crate) mod root;
pub(crate) mod shell;
pub(crate) mod source;
pub(crate) mod store;
pub(crate) mod trace;
pub(crate) mod watch;
pub(crate) mod why;
