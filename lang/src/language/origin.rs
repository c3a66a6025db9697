//! Where values come from: the calls that led to a field or to a root operation.

use rhai::{Dynamic, Scope};

use super::{DefinitionContext, ExpandRequest, Expanded, FieldStep, Language, Module};
use crate::definition::Definition;
use crate::diagnostic::{Span, Trace};
use crate::dialect::frame::{Frame, Task};
use crate::dialect::watch::Watch;
use crate::dialect::{expand, failure};
use crate::expression::RootExpression;
use crate::host::Host;

/// Where a file sets a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPlace {
    /// The calls from the file's own text to the builder call, outermost first.
    pub calls: Vec<Trace>,
    /// The value, or what is written in its place.
    pub value: Span,
    /// Whether it is the value itself, and not something around it.
    pub is_written: bool,
}

/// A build with all its root operations, used or not, in the order in which they were made.
#[derive(Clone, Debug)]
pub struct Built {
    /// What the build gives.
    pub expanded: Expanded,
    /// Its root operations.
    pub steps: Vec<RootExpression>,
}

impl Language {
    /// Where a file without mistakes sets a value of its definition last; none when it does not,
    /// or when that cannot be told.
    pub fn place_of_field(
        &self,
        module: &std::sync::Arc<Module>,
        context: &DefinitionContext,
        host: &dyn Host,
        field: &[FieldStep<'_>],
    ) -> Option<FieldPlace> {
        let counted = Watch::for_field(field);
        self.define_watched(module, context, host, &counted);
        let ending = Watch::for_field(field).ending_at(counted.last_setting.get()?);
        self.define_watched(module, context, host, &ending);
        let mut calls = ending.way.take();
        calls.pop();
        let (value, is_written) = ending.value.take()?;
        Some(FieldPlace {
            calls,
            value,
            is_written,
        })
    }

    fn define_watched(
        &self,
        module: &std::sync::Arc<Module>,
        context: &DefinitionContext,
        host: &dyn Host,
        watch: &Watch<'_>,
    ) {
        let task = Task::Define {
            layer: context.layer,
        };
        let frame = Frame::new(self, host, module, &context.package, task).watched_by(Some(watch));
        let evaluated = frame.evaluate(|frame| {
            let value = self
                .engine
                .eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &module.ast());
            value.map(drop).map_err(|error| {
                let way = failure::way(frame, error, module.path(), &module.span_of(&[]));
                watch.way.replace(way);
                Vec::new()
            })
        });
        // It ends with nothing: what was seen is in the watch.
        drop(evaluated);
    }

    /// Expands a definition, with all root operations that its build makes; none when it has
    /// mistakes.
    pub fn build(
        &self,
        definition: &Definition,
        request: &ExpandRequest,
        host: &dyn Host,
    ) -> Option<Built> {
        let watch = Watch::default();
        let expanded =
            expand::expand_watched(self, definition, request, host, Some(&watch)).ok()?;
        Some(Built {
            expanded,
            steps: watch.steps.take(),
        })
    }

    /// The calls in the build of a definition, outermost first, that lead to a root operation,
    /// which is the last of them. Empty when there is none of that number.
    pub fn way_to_step(
        &self,
        definition: &Definition,
        request: &ExpandRequest,
        host: &dyn Host,
        number: usize,
    ) -> Vec<Trace> {
        let watch = Watch::default().ending_at(number);
        drop(expand::expand_watched(
            self,
            definition,
            request,
            host,
            Some(&watch),
        ));
        watch.way.take()
    }
}
