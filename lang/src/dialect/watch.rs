//! An evaluation that is watched: it ends at one call, and tells how it came there.
//!
//! An evaluation is the same every time, so a first one counts what calls there are, and a second
//! one ends at the call that is meant: an error carries the calls around it, a value does not.

use std::cell::{Cell, RefCell};

use crate::diagnostic::{Span, Trace};
use crate::dialect::calls::FieldStep;
use crate::dialect::complaint::Complaint;
use crate::expression::RootExpression;

/// What is watched for, and what was seen.
#[derive(Default)]
pub(crate) struct Watch<'a> {
    /// The value that a builder call sets, or `change`.
    field: &'a [FieldStep<'a>],
    /// The call of a builder, or the root operation, to end at.
    end_at: Option<usize>,
    /// How many builder calls there were.
    calls: Cell<usize>,
    /// The last one that sets the field.
    pub(crate) last_setting: Cell<Option<usize>>,
    /// The root operations, in order.
    pub(crate) steps: RefCell<Vec<RootExpression>>,
    /// Where the value is written at the call that ended the evaluation, and whether it is written
    /// there itself and not something around it.
    pub(crate) value: RefCell<Option<(Span, bool)>>,
    /// The calls around it, outermost first, and itself.
    pub(crate) way: RefCell<Vec<Trace>>,
}

impl<'a> Watch<'a> {
    /// Watches for a value that a call sets.
    pub(crate) fn for_field(field: &'a [FieldStep<'a>]) -> Self {
        Self {
            field,
            ..Self::default()
        }
    }

    /// Ends at a call or an operation, counted from 0.
    pub(crate) fn ending_at(mut self, number: usize) -> Self {
        self.end_at = Some(number);
        self
    }

    /// A builder call begins; `sets` tells whether it sets a field, `place` where.
    pub(crate) fn builder_call(
        &self,
        sets: impl Fn(&str) -> bool,
        place: impl Fn(&[FieldStep<'_>]) -> (Span, bool),
    ) -> Result<(), Complaint> {
        let number = self.calls.get();
        self.calls.set(number + 1);
        if let Some(FieldStep::Key(field)) = self.field.first()
            && sets(field)
        {
            self.last_setting.set(Some(number));
        }
        if self.end_at == Some(number) {
            self.value.replace(Some(place(self.field)));
            return Err(ended());
        }
        Ok(())
    }

    /// A root operation was made.
    pub(crate) fn root_operation(&self, root: &RootExpression) -> Result<(), Complaint> {
        let mut steps = self.steps.borrow_mut();
        if self.end_at == Some(steps.len()) {
            return Err(ended());
        }
        steps.push(root.clone());
        Ok(())
    }
}

fn ended() -> Complaint {
    Complaint::new("watched", "The evaluation ends here, since it is watched")
}
