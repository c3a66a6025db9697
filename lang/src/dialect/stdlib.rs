//! The embedded stdlib: the builders, written in the language.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::Engine;

use crate::language::Module;
use crate::source::SourcePath;

/// The files, by the name they have in diagnostics.
const FILES: &[(&str, &str)] = &[
    (
        "stdlib/autotools.rhai",
        include_str!("../../../stdlib/autotools.rhai"),
    ),
    (
        "stdlib/make.rhai",
        include_str!("../../../stdlib/make.rhai"),
    ),
    (
        "stdlib/pallet.rhai",
        include_str!("../../../stdlib/pallet.rhai"),
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

/// Compiles all files.
pub(crate) fn compile(engine: &Arc<Engine>) -> BTreeMap<SourcePath, Arc<Module>> {
    let module = |(path, text): &(&str, &str)| {
        let path = SourcePath::new(path);
        let ast = engine
            .compile(text)
            .expect("the stdlib compiles: tests/tests/language_stdlib.rs");
        (
            path.clone(),
            Arc::new(Module::new(&path, (*text).into(), ast, engine)),
        )
    };
    FILES.iter().map(module).collect()
}

/// The file with `build` of a builder.
pub(crate) fn path_of(builder: &str) -> SourcePath {
    SourcePath::new(&format!("stdlib/{builder}.rhai"))
}
