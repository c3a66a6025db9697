//! Whether a file is so plain that no lint can find anything in it.
//!
//! Nine files in ten are one builder call on literals. For these our own reading of the text, which
//! costs as much as compiling it, is left out. Everything that a lint looks for has to make a file
//! not plain: other statements, functions, back-ticks, block comments, blocks as values, versions
//! and hashes that are not literals.

use rhai::{AST, Expr, FnCallExpr, Stmt};

/// Whether the file is one call on literals and on calls of constructors with literals.
pub(crate) fn is_plain(ast: &AST, text: &str) -> bool {
    let call = match ast.statements() {
        [Stmt::FnCall(call, _)] => call,
        [Stmt::Expr(expr)] => match &**expr {
            Expr::FnCall(call, _) => call,
            _ => return false,
        },
        _ => return false,
    };
    let raw_version = "version: #\"";
    !ast.has_functions()
        && !text.contains('`')
        && !text.contains("/*")
        && !text.contains(raw_version)
        && is_plain_call(call)
        && matches!(&*call.args, [Expr::Map(..)])
}

fn is_plain_call(call: &FnCallExpr) -> bool {
    let lock = match call.name.as_str() {
        "url" | "seed" => call.args.get(1),
        "git" => call.args.get(2),
        _ => None,
    };
    let lock_is_literal = matches!(lock, None | Some(Expr::StringConstant(..)));
    !call.is_qualified()
        && !call.is_operator_call()
        && lock_is_literal
        && call.args.iter().all(is_plain_value)
}

fn is_plain_value(expr: &Expr) -> bool {
    match expr {
        Expr::StringConstant(..)
        | Expr::IntegerConstant(..)
        | Expr::BoolConstant(..)
        | Expr::Property(..) => true,
        Expr::Array(items, _) => items.iter().all(is_plain_value),
        Expr::Map(map, _) => map.0.iter().all(|(name, value)| match name.name.as_str() {
            "hash" => matches!(value, Expr::StringConstant(..)),
            "version" => {
                matches!(value, Expr::StringConstant(..) | Expr::Dot(..)) && is_plain_value(value)
            }
            _ => is_plain_value(value),
        }),
        Expr::FnCall(call, _) | Expr::MethodCall(call, _) => is_plain_call(call),
        Expr::Dot(both, ..) => is_plain_value(&both.lhs) && is_plain_value(&both.rhs),
        _ => false,
    }
}
