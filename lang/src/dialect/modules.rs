//! `import` of the workspace's own `lib/*.rhai`, and of the stdlib's files by the stdlib.

use rhai::{Engine, EvalAltResult, Module as RhaiModule, ModuleResolver, Position, Scope, Shared};

use crate::dialect::complaint::Complaint;
use crate::dialect::frame::{Frame, ImportedModule, is_stdlib, with_frame};
use crate::dialect::values::{Fallible, unanswered};
use crate::dialect::vocabulary;
use crate::host::HostError;
use crate::source::SourcePath;

/// Resolves `import "lib/name" as name;` through the host. Every file is evaluated once in an
/// evaluation, and its own imports are seen by its functions only: Rhai's index of modules inside
/// modules would grow exponentially otherwise.
pub(crate) struct Resolver;

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        at: Position,
    ) -> Result<ImportedModule, Box<EvalAltResult>> {
        with_frame(|frame| {
            let from_stdlib = source.is_some_and(is_stdlib);
            let allowed = path.starts_with("lib/") || (from_stdlib && is_stdlib(path));
            if !allowed
                || path
                    .split('/')
                    .any(|part| part.is_empty() || part.starts_with('.'))
            {
                return Err(raise(
                    Complaint::new("bad-import", format!("`{path}` cannot be imported"))
                        .hint("only files of the workspace's `lib` folder are imported, as in `import \"lib/go_app\" as go_app;`"),
                    at,
                ));
            }
            let file = SourcePath::new(&format!(
                "{}.rhai",
                path.strip_suffix(".rhai").unwrap_or(path)
            ));
            import(engine, frame, &file, at)
        })
    }
}

/// Says why a file cannot be imported, with the names of files that may have been meant.
fn no_module(frame: &Frame<'_>, file: &SourcePath, error: HostError) -> Complaint {
    if !matches!(error, HostError::Unknown { .. }) {
        return unanswered("file", file.as_str(), error);
    }
    let folder = file.folder();
    let names = frame.host.list(&SourcePath::new(folder));
    let paths: Vec<String> = names
        .iter()
        .filter_map(|name| name.strip_suffix(".rhai"))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    let wanted = file.as_str().trim_end_matches(".rhai");
    let near = vocabulary::near(wanted, paths.iter().map(String::as_str));
    let complaint = Complaint::new(
        "missing-file",
        format!("There is no file `{file}` to import"),
    );
    if near.is_empty() {
        complaint.hint("files of functions lie in the workspace's folder `lib`")
    } else {
        complaint.suggest(&near)
    }
}

fn import(
    engine: &Engine,
    frame: &Frame<'_>,
    file: &SourcePath,
    at: Position,
) -> Fallible<ImportedModule> {
    let embedded = frame.language.stdlib(file);
    if let Some(module) = embedded.and_then(|module| module.embedded().get()) {
        return Ok(Shared::clone(module));
    }
    if let Some(module) = frame.imports.borrow().get(file) {
        return Ok(Shared::clone(module));
    }
    if frame.importing.borrow().contains(file) {
        let through: Vec<String> = frame
            .importing
            .borrow()
            .iter()
            .map(|path| format!("`{path}`"))
            .collect();
        return Err(raise(
            Complaint::new("import-cycle", format!("`{file}` imports itself"))
                .note(format!("by way of {}", through.join(", "))),
            at,
        ));
    }
    let compiled = match embedded {
        Some(module) => std::sync::Arc::clone(module),
        None => frame
            .host
            .module(file)
            .map_err(|error| raise(no_module(frame, file, error), at))?,
    };
    frame.importing.borrow_mut().push(file.clone());
    let evaluated = RhaiModule::eval_ast_as_new(Scope::new(), &compiled.ast(), engine);
    frame.importing.borrow_mut().pop();
    let mut module = evaluated
        .map_err(|error| Box::new(EvalAltResult::ErrorInModule(file.to_string(), error, at)))?;
    let inner: Vec<String> = module
        .iter_sub_modules()
        .map(|(name, _)| name.to_owned())
        .collect();
    for name in inner {
        module.set_sub_module(name, RhaiModule::new());
    }
    module.build_index();
    let module = ImportedModule::from(module);
    if let Some(embedded) = embedded {
        return Ok(Shared::clone(embedded.embedded().get_or_init(|| module)));
    }
    frame
        .imports
        .borrow_mut()
        .insert(file.clone(), Shared::clone(&module));
    Ok(module)
}

#[expect(clippy::unnecessary_box_returns, reason = "Rhai's errors are boxed")]
fn raise(complaint: Complaint, at: Position) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(
        rhai::Dynamic::from(complaint),
        at,
    ))
}
