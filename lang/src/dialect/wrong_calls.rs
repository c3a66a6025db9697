//! Calls of our functions with values that none of their forms takes, or with too many or too few.
//!
//! Rhai would end the evaluation at them. Here they are forms of their own, the ones that are taken
//! last, which say what is wrong and let the evaluation go on.

use rhai::{Dynamic, Engine, NativeCallContext};

use crate::dialect::complaint::Complaint;
use crate::dialect::poison::Poison;
use crate::dialect::values::kind_of;
use crate::expression::RootExpression;

type Context<'a> = NativeCallContext<'a>;

/// The operations that have forms which take values of some kinds only.
const OPERATIONS: [&str; 16] = [
    "add",
    "cd",
    "copy",
    "env",
    "mkdir",
    "move",
    "patch",
    "put",
    "remove",
    "set_executable",
    "substitute",
    "symlink",
    "timeout",
    "unpack",
    "user",
    "write",
];

/// The complaint about a call of a function of ours with values that it does not take.
fn wrong_arguments(name: &str, arguments: &[&Dynamic]) -> Complaint {
    if arguments.iter().any(|argument| Poison::is(argument)) {
        return Complaint::elsewhere();
    }
    let kinds: Vec<&str> = arguments.iter().map(|argument| kind_of(argument)).collect();
    Complaint::wrong_arguments(name, &kinds)
}

/// Registers calls of a function with any values: those that none of its proper forms takes.
pub(crate) fn register_constructor(engine: &mut Engine, name: &'static str) {
    let refused = move |ctx: &Context<'_>, arguments: &[&Dynamic]| {
        wrong_arguments(name, arguments).settle(ctx, Poison::value)
    };
    engine.register_fn(name, move |ctx: Context<'_>| refused(&ctx, &[]));
    engine.register_fn(name, move |ctx: Context<'_>, a: Dynamic| {
        refused(&ctx, &[&a])
    });
    engine.register_fn(name, move |ctx: Context<'_>, a: Dynamic, b: Dynamic| {
        refused(&ctx, &[&a, &b])
    });
    engine.register_fn(
        name,
        move |ctx: Context<'_>, a: Dynamic, b: Dynamic, c: Dynamic| refused(&ctx, &[&a, &b, &c]),
    );
}

/// Registers calls of the operations with any values. They leave the root as it is once they are
/// said.
pub(crate) fn register_operations(engine: &mut Engine) {
    for name in OPERATIONS {
        register_operation(engine, name);
    }
}

fn register_operation(engine: &mut Engine, name: &'static str) {
    let refused = move |ctx: &Context<'_>, root: &RootExpression, arguments: &[&Dynamic]| {
        wrong_arguments(name, arguments).settle(ctx, || root.clone())
    };
    engine.register_fn(name, move |ctx: Context<'_>, root: &mut RootExpression| {
        refused(&ctx, root, &[])
    });
    engine.register_fn(
        name,
        move |ctx: Context<'_>, root: &mut RootExpression, a: Dynamic| refused(&ctx, root, &[&a]),
    );
    engine.register_fn(
        name,
        move |ctx: Context<'_>, root: &mut RootExpression, a: Dynamic, b: Dynamic| {
            refused(&ctx, root, &[&a, &b])
        },
    );
    engine.register_fn(
        name,
        move |ctx: Context<'_>, root: &mut RootExpression, a: Dynamic, b: Dynamic, c: Dynamic| {
            refused(&ctx, root, &[&a, &b, &c])
        },
    );
}
