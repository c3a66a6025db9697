//! The dialect: Rhai, restricted, with the functions that definitions are written with.

pub(crate) mod builders;
pub(crate) mod calls;
pub(crate) mod commands;
pub(crate) mod complaint;
pub(crate) mod constructors;
pub(crate) mod dedent;
pub(crate) mod engine;
pub(crate) mod expand;
pub(crate) mod failure;
pub(crate) mod fields;
pub(crate) mod finish;
pub(crate) mod frame;
pub(crate) mod globs;
pub(crate) mod limits;
pub(crate) mod measured;
pub(crate) mod modules;
pub(crate) mod operations;
pub(crate) mod outputs;
pub(crate) mod plain;
pub(crate) mod poison;
pub(crate) mod stdlib;
pub(crate) mod template;
pub(crate) mod unused;
pub(crate) mod values;
pub(crate) mod vocabulary;
pub(crate) mod wrong_calls;
