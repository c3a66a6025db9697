//! Finds in a compiled file where the arguments of a call are written.
//!
//! Values carry no position. The compiled tree does: a call is found by its own position, and a
//! value inside an argument by the keys and items that lead to it, as far as they are written out.

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

/// One step on the way to a value inside another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldStep<'a> {
    /// The value of a key.
    Key(&'a str),
    /// An item of a list, from 0.
    Item(usize),
}

/// Which part of a map's entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryPart {
    /// The key.
    Key,
    /// The value.
    Value,
}

/// Where the value at `steps` inside an argument of the call at `call` is written, or the deepest
/// value around it that is; none when there is no such call.
pub(crate) fn argument_position(
    ast: &AST,
    call: Position,
    argument: usize,
    steps: &[FieldStep<'_>],
    part: EntryPart,
) -> Option<Position> {
    // Nearly always the call is the file's last statement.
    if let Some(found) = ast.statements().last().and_then(statement_call)
        && found.1 == call
    {
        return found
            .0
            .args
            .get(argument)
            .map(|expr| descend(expr, steps, part));
    }
    let mut position = None;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let found = match path.last() {
            Some(ASTNode::Expr(expr)) => expression_call(expr),
            Some(ASTNode::Stmt(statement)) => statement_call(statement),
            _ => None,
        };
        if let Some((call_expr, at)) = found
            && at == call
        {
            position = call_expr
                .args
                .get(argument)
                .map(|expr| descend(expr, steps, part));
            return false;
        }
        true
    });
    position
}

/// Whether the first argument of the call at `call` is a map that is written out.
pub(crate) fn takes_literal_map(ast: &AST, call: Position) -> bool {
    let mut literal = false;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let found = match path.last() {
            Some(ASTNode::Expr(expr)) => expression_call(expr),
            Some(ASTNode::Stmt(statement)) => statement_call(statement),
            _ => None,
        };
        match found {
            Some((found, at)) if at == call => {
                literal = matches!(found.args.first(), Some(Expr::Map(..)));
                false
            }
            _ => true,
        }
    });
    literal
}

/// The call that gives a file's value.
pub(crate) fn last_call(ast: &AST) -> Option<Position> {
    let value = |statement: &Stmt| match statement {
        Stmt::Expr(expr) => outermost_call(expr).or_else(|| Some(expr.start_position())),
        statement => statement_call(statement).map(|(_, at)| at),
    };
    ast.statements().last().and_then(value)
}

/// The last call of a chain of methods.
fn outermost_call(expr: &Expr) -> Option<Position> {
    match expr {
        Expr::Dot(both, ..) => outermost_call(&both.rhs),
        expr => expression_call(expr).map(|(_, at)| at),
    }
}

fn expression_call(expr: &Expr) -> Option<(&FnCallExpr, Position)> {
    match expr {
        Expr::FnCall(call, at) | Expr::MethodCall(call, at) => Some((call, *at)),
        _ => None,
    }
}

fn statement_call(statement: &Stmt) -> Option<(&FnCallExpr, Position)> {
    match statement {
        Stmt::FnCall(call, at) => Some((call, *at)),
        Stmt::Expr(expr) => expression_call(expr),
        _ => None,
    }
}

fn descend(expr: &Expr, steps: &[FieldStep<'_>], part: EntryPart) -> Position {
    let Some((step, rest)) = steps.split_first() else {
        return expr.start_position();
    };
    match (step, expr) {
        (FieldStep::Key(key), Expr::Map(map, _)) => {
            match map.0.iter().find(|(name, _)| name.name.as_str() == *key) {
                Some((name, _)) if rest.is_empty() && part == EntryPart::Key => name.pos,
                Some((_, value)) => descend(value, rest, part),
                None => expr.start_position(),
            }
        }
        (FieldStep::Item(index), Expr::Array(items, _)) => match items.get(*index) {
            Some(item) => descend(item, rest, part),
            None => expr.start_position(),
        },
        _ => expr.start_position(),
    }
}
