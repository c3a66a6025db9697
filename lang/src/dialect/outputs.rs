//! Outputs of roots: `out`, `keep`, `drop`, `assert_equal`.

use std::sync::Arc;

use rhai::{Dynamic, Engine, NativeCallContext};
use stxl_model::RootPath;

use crate::dialect::commands::OUT;
use crate::dialect::complaint::Complaint;
use crate::dialect::frame::with_frame;
use crate::dialect::globs;
use crate::dialect::operations::{Checked, path_in};
use crate::dialect::values::{Fallible, OutputValue};
use crate::expression::{OutputExpression, OutputFilter, RootExpression};

type Context<'a> = NativeCallContext<'a>;

/// Registers the operations.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_fn("out", |ctx: Context<'_>, root: &mut RootExpression| {
        output(&ctx, root, path_in(root, OUT, 0), Vec::new())
    });
    engine.register_fn(
        "out",
        |ctx: Context<'_>, root: &mut RootExpression, path: &str| {
            output(&ctx, root, path_in(root, path, 0), Vec::new())
        },
    );
    engine.register_fn(
        "assert_equal",
        |ctx: Context<'_>, root: &mut RootExpression, left: &str, right: &str| {
            let paths = Complaint::both(path_in(root, left, 0), path_in(root, right, 1));
            let filters = match paths {
                Ok((left, right)) => vec![OutputFilter::AssertEqual(left, right)],
                Err(complaint) => complaint.settle(&ctx, Vec::new)?,
            };
            output(&ctx, root, Ok(RootPath::root()), filters)
        },
    );
    engine.register_fn(
        "keep",
        |ctx: Context<'_>, output: &mut OutputValue, list: Dynamic| {
            let globs = globs::read(&list).and_then(|globs| {
                if globs.is_empty() {
                    Err(Complaint::new("empty-output", "The output keeps nothing"))
                } else {
                    Ok(globs)
                }
            });
            match globs {
                Ok(globs) => Ok(filtered(output, OutputFilter::Keep(globs))),
                Err(complaint) => complaint.argument(0).settle(&ctx, || output.clone()),
            }
        },
    );
    engine.register_fn(
        "drop",
        |ctx: Context<'_>, output: &mut OutputValue, list: Dynamic| match globs::read(&list) {
            Ok(globs) if globs.is_empty() => Ok(output.clone()),
            Ok(globs) => Ok(filtered(output, OutputFilter::Drop(globs))),
            Err(complaint) => complaint.argument(0).settle(&ctx, || output.clone()),
        },
    );
}

fn output(
    ctx: &Context<'_>,
    root: &RootExpression,
    path: Checked<RootPath>,
    filters: Vec<OutputFilter>,
) -> Fallible<OutputValue> {
    let path = path.or_else(|complaint| complaint.settle(ctx, RootPath::root))?;
    with_frame(|frame| {
        let output = Arc::new(OutputExpression {
            root: root.clone(),
            path,
            filters,
            site: frame.site(ctx),
        });
        frame.made.borrow_mut().outputs.push(Arc::clone(&output));
        Ok(OutputValue(output))
    })
}

fn filtered(output: &OutputValue, filter: OutputFilter) -> OutputValue {
    let mut changed = (*output.0).clone();
    changed.filters.push(filter);
    OutputValue(Arc::new(changed))
}
