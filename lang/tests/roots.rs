//! Roots that share their beginnings: compared at once and dropped without a stack, however many.

use std::sync::Arc;

use stxl_lang::{
    Operand, OutputExpression, OutputFilter, RootExpression, RootOperation, RootStep, Site,
    SourcePath,
};
use stxl_model::RootPath;

fn site() -> Site {
    Site {
        path: SourcePath::new("stages/core/a/package.rhai"),
        line: 1,
        column: 1,
    }
}

fn step(before: Option<RootExpression>, operation: RootOperation) -> RootExpression {
    RootExpression(Arc::new(RootStep {
        before,
        operation,
        site: site(),
    }))
}

fn output(root: RootExpression, filters: Vec<OutputFilter>) -> Operand {
    Operand::Output(Arc::new(OutputExpression {
        root,
        path: RootPath::root(),
        filters,
        site: site(),
    }))
}

/// Roots made of the one before twice: once as it is, once as what `wrap` makes of it.
fn doubled(count: usize, first_ms: u64, wrap: fn(RootExpression) -> Operand) -> RootExpression {
    let first = RootOperation::Timeout {
        wall_ms: first_ms,
        silent_ms: 0,
    };
    let mut root = step(None, first);
    for _ in 0..count {
        let twice = vec![Operand::Root(root.clone()), wrap(root)];
        root = step(None, RootOperation::Start(twice));
    }
    root
}

#[test]
fn sixty_roots_that_are_used_twice_each_are_compared_at_once() {
    let as_root: fn(RootExpression) -> Operand = Operand::Root;
    let as_output = |root| output(root, Vec::new());
    for wrap in [as_root, as_output] {
        let root = doubled(60, 1, wrap);
        assert_eq!(root, root.clone());
        assert!(root == doubled(60, 1, wrap));
        assert!(root != doubled(60, 2, wrap), "they differ in the first");
        assert!(root != doubled(59, 1, wrap), "they differ in length");
    }
}

#[test]
fn every_part_of_a_root_counts_when_it_is_compared() {
    let begun = || step(None, RootOperation::Start(Vec::new()));
    let cd = |path: &[u8]| RootOperation::Cd(RootPath::parse(path).unwrap());
    let different = [
        begun(),
        step(Some(begun()), cd(b"/a")),
        step(Some(begun()), cd(b"/b")),
        step(None, cd(b"/a")),
        step(None, RootOperation::Add(Vec::new())),
        step(None, RootOperation::Add(vec![Operand::Root(begun())])),
        step(None, RootOperation::Start(vec![Operand::Root(begun())])),
        step(
            None,
            RootOperation::Start(vec![output(begun(), Vec::new())]),
        ),
        step(
            None,
            RootOperation::Start(vec![output(
                begun(),
                vec![OutputFilter::Drop(vec!["a".to_owned()])],
            )]),
        ),
        step(
            None,
            RootOperation::Timeout {
                wall_ms: 1,
                silent_ms: 0,
            },
        ),
        step(
            None,
            RootOperation::Timeout {
                wall_ms: 0,
                silent_ms: 1,
            },
        ),
        RootExpression(Arc::new(RootStep {
            before: None,
            operation: RootOperation::Start(Vec::new()),
            site: Site { line: 2, ..site() },
        })),
    ];
    for (index, left) in different.iter().enumerate() {
        for (other, right) in different.iter().enumerate() {
            assert_eq!(left == right, index == other, "{left:?} and {right:?}");
        }
    }
}

#[test]
fn a_hundred_thousand_steps_are_compared_and_dropped() {
    let kinds: [fn(RootExpression) -> RootExpression; 3] = [
        |root| step(Some(root), RootOperation::Cd(RootPath::root())),
        |root| step(None, RootOperation::Add(vec![Operand::Root(root)])),
        |root| step(None, RootOperation::Start(vec![output(root, Vec::new())])),
    ];
    for extend in kinds {
        let long = || {
            let begun = step(None, RootOperation::Start(Vec::new()));
            (0..100_000).fold(begun, |root, _| extend(root))
        };
        let (one, other) = (long(), long());
        assert!(one == other);
        let held = one.clone();
        drop(one);
        assert!(held == other, "what is still used is whole");
    }
}
