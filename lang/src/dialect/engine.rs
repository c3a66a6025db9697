//! The engine: what of Rhai is in the dialect, and its limits.

use std::cell::Cell;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicIteratorPackage, BasicMapPackage,
    BasicStringPackage, LogicPackage, MoreStringPackage, Package as _,
};
use rhai::{
    AST, Dynamic, Engine, EvalAltResult, ImmutableString, NativeCallContext, OptimizationLevel,
    ParseError, Position,
};

use crate::dialect::complaint::Complaint;
use crate::dialect::{
    builders, constructors, limits, lock_files, measured, modules, operations, outputs, poison,
    values,
};
use crate::schema::UNKNOWN_BUILDER;
use crate::source::SourcePath;

/// Seed of the hashes that name closures: the same in every process.
const HASHING_SEED: [u64; 4] = [
    0x7374_786c_2032_3032,
    0x3620_7061_636b_6167,
    0x6520_6c61_6e67_7561,
    0x6765_2073_6565_6420,
];

/// Functions and statements of Rhai that are not in the dialect: effects, text that runs, and what
/// would hide an error.
const DISABLED: &[&str] = &["eval", "print", "debug", "try", "catch", "export"];

thread_local! {
    /// Where the text that is compiled calls a builder that does not exist.
    static UNKNOWN_BUILDER_AT: Cell<Option<Position>> = const { Cell::new(None) };
}

/// Compiles a text so that the call at a place is one of [`UNKNOWN_BUILDER`].
pub(crate) fn compile_with_unknown_builder(
    engine: &Engine,
    text: &str,
    call: Position,
) -> Result<AST, ParseError> {
    UNKNOWN_BUILDER_AT.set(Some(call));
    let compiled = engine.compile(text);
    UNKNOWN_BUILDER_AT.set(None);
    compiled
}

/// Compiles the text of a file.
pub(crate) fn compile(engine: &Engine, path: &SourcePath, text: &str) -> Result<AST, ParseError> {
    let mut ast = engine.compile(text)?;
    ast.set_source(path.as_str());
    Ok(if measured::is_measuring(engine) {
        measured::measured(engine, path, text, ast)
    } else {
        ast
    })
}

/// Makes an engine that measures the functions of the texts it compiles.
pub(crate) fn new_measuring_engine() -> Engine {
    let mut engine = new_engine();
    measured::register(&mut engine);
    engine
}

/// Makes the engine.
pub(crate) fn new_engine() -> Engine {
    // An error says that the seed is set already, by an engine made before: it is the same seed.
    rhai::config::hashing::set_hashing_seed(Some(HASHING_SEED)).ok();
    let mut engine = Engine::new_raw();
    for symbol in DISABLED {
        engine.disable_symbol(*symbol);
    }
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    set_limits(&mut engine);
    free_reserved_words(&mut engine);
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    engine.register_fn(
        "replace",
        |ctx: NativeCallContext<'_>, text: &mut ImmutableString, from: &str, to: &str| {
            replace(&ctx, text, from, to)
        },
    );
    values::register(&mut engine);
    poison::register(&mut engine);
    constructors::register(&mut engine);
    lock_files::register(&mut engine);
    operations::register(&mut engine);
    outputs::register(&mut engine);
    builders::register(&mut engine);
    engine.set_module_resolver(modules::Resolver);
    engine
}

fn set_limits(engine: &mut Engine) {
    engine.set_max_operations(limits::OPERATIONS_MAX);
    engine.set_max_call_levels(limits::CALLS_MAX);
    engine.set_max_expr_depths(limits::EXPRESSIONS_MAX, limits::EXPRESSIONS_MAX);
    engine.set_max_string_size(limits::TEXT_BYTES_MAX);
    engine.set_max_array_size(limits::LIST_ITEMS_MAX);
    engine.set_max_map_size(limits::MAP_KEYS_MAX);
    engine.set_max_variables(limits::VARIABLES_MAX);
    engine.set_max_functions(limits::FUNCTIONS_MAX);
    engine.set_max_modules(limits::MODULES_MAX);
}

/// Makes an ordinary name of a word that Rhai reserves without using it and that we use:
/// `.with(…)`.
#[expect(
    deprecated,
    reason = "Rhai marks the hook as volatile, and the version is pinned"
)]
fn free_reserved_words(engine: &mut Engine) {
    engine.on_parse_token(|token, at, _| match token {
        rhai::Token::Reserved(word) if *word == "with" => rhai::Token::Identifier(word),
        rhai::Token::Identifier(_) if UNKNOWN_BUILDER_AT.get() == Some(at) => {
            rhai::Token::Identifier(Box::new(UNKNOWN_BUILDER.name.into()))
        }
        token => token,
    });
}

/// Replaces a text in a text. Rhai's own would allocate the result before it looks at the limit.
fn replace(
    ctx: &NativeCallContext<'_>,
    text: &mut ImmutableString,
    from: &str,
    to: &str,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let bytes = text.len() + text.matches(from).count() * to.len();
    if bytes > limits::TEXT_BYTES_MAX {
        return Err(Complaint::limit("bytes in a text", limits::TEXT_BYTES_MAX).raise(ctx));
    }
    *text = text.replace(from, to).into();
    Ok(Dynamic::UNIT)
}
