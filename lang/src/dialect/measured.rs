//! Functions of texts that tell a profiler when they run.
//!
//! Rhai tells of no call without its debugger, which every evaluation would pay for. So a language
//! that is profiled gives each function another name, and its own name to one that calls it
//! between two calls of ours.

use std::sync::Arc;

use rhai::{
    AST, ASTNode, Dynamic, Engine, Expr, ImmutableString, Module as RhaiModule, ScriptFuncDef,
};

use crate::dialect::limits;
use crate::profile::{Activity, Underway, begin_inside};
use crate::source::SourcePath;

/// What a function's own name becomes the beginning of.
const MEASURED: &str = "stxl_measured_";

/// What one call of a function becomes: its own, and that of what calls it.
const CALLS_FACTOR: usize = 2;

/// What the operations of a text become at most: calls are more, everything else is as many.
const OPERATIONS_FACTOR: u64 = 3;

/// Registers what measured functions call, and makes room for it below the limits.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn(
        "stxl_begin",
        |path: ImmutableString, name: ImmutableString| {
            let underway = begin_inside(|| Activity::Function {
                path: SourcePath::new(&path),
                name: name.as_str().into(),
            });
            Dynamic::from(Arc::new(underway))
        },
    );
    engine.register_fn(
        "stxl_end",
        |underway: Arc<Option<Underway>>, value: Dynamic| {
            drop(underway);
            value
        },
    );
    engine.set_max_operations(limits::OPERATIONS_MAX * OPERATIONS_FACTOR);
    engine.set_max_call_levels(limits::CALLS_MAX * CALLS_FACTOR);
    engine.set_default_tag(Dynamic::TRUE);
}

/// Whether functions are measured.
pub(crate) fn is_measuring(engine: &Engine) -> bool {
    engine.default_tag().is_bool()
}

/// Makes the functions of a file measured ones. Those of a file that says `this` are left as they
/// are: what calls them hands more to them than values.
pub(crate) fn measured(engine: &Engine, path: &SourcePath, text: &str, ast: AST) -> AST {
    let _own = begin_inside(|| Activity::Profiling);
    let functions: Vec<ScriptFuncDef> = ast
        .shared_lib()
        .iter_script_fn_info()
        .map(|(.., function)| ScriptFuncDef::clone(function))
        .collect();
    let is_named = |function: &&ScriptFuncDef| !function.name.contains('$');
    if !functions.iter().any(|function| is_named(&function)) || says_this(&ast) {
        return ast;
    }
    // Below the last line of the file, so that no place is one of both.
    let mut callers = "\n".repeat(text.lines().count() + 1);
    for function in functions.iter().filter(is_named) {
        let (name, parameters) = (&function.name, function.params.join(", "));
        let measured = measured_name(function);
        callers += &format!(
            "fn {name}({parameters}) {{ stxl_end(stxl_begin(\"{path}\", \"{name}\"), \
             {measured}({parameters})) }}\n"
        );
    }
    // A path with a quote in it, or too many lines: better without measuring.
    let Ok(callers) = engine.compile(callers) else {
        return ast;
    };
    let mut module = RhaiModule::new();
    for (.., caller) in callers.shared_lib().iter_script_fn_info() {
        let mut caller = ScriptFuncDef::clone(caller);
        let mut named = functions.iter();
        if let Some(function) =
            named.find(|it| it.name == caller.name && it.params.len() == caller.params.len())
        {
            caller.access = function.access;
        }
        module.set_script_fn(caller);
    }
    for mut function in functions {
        if is_named(&&function) {
            function.name = measured_name(&function).into();
        }
        module.set_script_fn(function);
    }
    module.set_id(path.as_str());
    AST::new_with_source(ast.statements().iter().cloned(), module, path.as_str())
}

fn says_this(ast: &AST) -> bool {
    let mut is_said = false;
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        is_said |= matches!(nodes.last(), Some(ASTNode::Expr(Expr::ThisPtr(..))));
        !is_said
    });
    is_said
}

fn measured_name(function: &ScriptFuncDef) -> String {
    format!("{MEASURED}{}", function.name)
}
