//! The embedded stdlib: the builders, written in the language.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rhai::Engine;

use crate::dialect::engine;
use crate::language::Module;
use crate::source::SourcePath;

/// The files, by the name they have in diagnostics.
const FILES: &[(&str, &str)] = &[
    (
        "stdlib/autotools.rhai",
        include_str!("../../../stdlib/autotools.rhai"),
    ),
    (
        "stdlib/cargo.rhai",
        include_str!("../../../stdlib/cargo.rhai"),
    ),
    (
        "stdlib/cmake.rhai",
        include_str!("../../../stdlib/cmake.rhai"),
    ),
    (
        "stdlib/golang.rhai",
        include_str!("../../../stdlib/golang.rhai"),
    ),
    (
        "stdlib/make.rhai",
        include_str!("../../../stdlib/make.rhai"),
    ),
    (
        "stdlib/meson.rhai",
        include_str!("../../../stdlib/meson.rhai"),
    ),
    (
        "stdlib/pallet.rhai",
        include_str!("../../../stdlib/pallet.rhai"),
    ),
    (
        "stdlib/python.rhai",
        include_str!("../../../stdlib/python.rhai"),
    ),
    (
        "stdlib/script.rhai",
        include_str!("../../../stdlib/script.rhai"),
    ),
    (
        "stdlib/shell.rhai",
        include_str!("../../../stdlib/shell.rhai"),
    ),
    (
        "stdlib/tests.rhai",
        include_str!("../../../stdlib/tests.rhai"),
    ),
];

/// The files, each compiled when it is asked for: most evaluations want two of them, and one of an
/// unchanged workspace none.
pub(crate) struct Stdlib(BTreeMap<SourcePath, EmbeddedFile>);

struct EmbeddedFile {
    text: &'static str,
    module: OnceLock<Arc<Module>>,
}

impl Stdlib {
    pub(crate) fn new() -> Self {
        let file = |(path, text): &(&'static str, &'static str)| {
            let file = EmbeddedFile {
                text,
                module: OnceLock::new(),
            };
            (SourcePath::new(path), file)
        };
        Self(FILES.iter().map(file).collect())
    }

    /// A file of it.
    pub(crate) fn module(&self, path: &SourcePath, engine: &Arc<Engine>) -> Option<&Arc<Module>> {
        let file = self.0.get(path)?;
        let compile = || {
            let ast = engine::compile(engine, path, file.text)
                .expect("the stdlib compiles: tests/tests/language/stdlib.rs");
            Arc::new(Module::new(path, file.text.into(), ast, engine))
        };
        Some(file.module.get_or_init(compile))
    }
}

/// The text of a file of it.
pub(crate) fn text_of(path: &SourcePath) -> Option<&'static str> {
    let file = FILES.iter().find(|(name, _)| *name == path.as_str());
    file.map(|(_, text)| *text)
}

/// The file with `build` of a builder.
pub(crate) fn path_of(builder: &str) -> SourcePath {
    SourcePath::new(&format!("stdlib/{builder}.rhai"))
}
