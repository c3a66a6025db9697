//! What stands for a value that a mistake left without one.
//!
//! A mistake ends the evaluation, and the file is evaluated once more: this time the call that was
//! wrong gives this value, which everything takes in silence, and the evaluation goes on to the
//! next mistake. No definition and no plan can come of it.

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext};

use crate::dialect::complaint::Complaint;
use crate::dialect::values::Fallible;
use crate::dialect::vocabulary;

type Context<'a> = NativeCallContext<'a>;

/// The value.
#[derive(Clone)]
pub(crate) struct Poison;

/// What Rhai calls the type. An error that speaks of it is an echo of the mistake before.
pub(crate) const NAME: &str = "a value that has a mistake";

/// Loops over it end at once.
impl IntoIterator for Poison {
    type Item = Dynamic;
    type IntoIter = std::iter::Empty<Dynamic>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::empty()
    }
}

impl Poison {
    /// The value as scripts have it.
    pub(crate) fn value() -> Dynamic {
        Dynamic::from(Self)
    }

    /// Whether a value is this one.
    pub(crate) fn is(value: &Dynamic) -> bool {
        value.is::<Self>()
    }
}

/// What a function of ours made, or the value that stands for it once its mistake is said.
pub(crate) fn made<T>(made: Result<T, Complaint>, ctx: &Context<'_>) -> Fallible<Dynamic>
where
    T: Clone + Send + Sync + 'static,
{
    match made {
        Ok(value) => Ok(Dynamic::from(value)),
        Err(complaint) => complaint.settle(ctx, Poison::value),
    }
}

/// Registers what can be done with it: everything, and nothing comes of it.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Poison>(NAME);
    engine.register_iterator::<Poison>();
    engine.register_indexer_get(|_: &mut Poison, _: Dynamic| Poison);
    engine.register_fn("+", |_: Poison, _: Dynamic| Poison);
    engine.register_fn("+", |_: Dynamic, _: Poison| Poison);
    for name in vocabulary::methods() {
        engine.register_fn(name, |_: &mut Poison| Poison);
        engine.register_fn(name, |_: &mut Poison, _: Dynamic| Poison);
        engine.register_fn(name, |_: &mut Poison, _: Dynamic, _: Dynamic| Poison);
        engine.register_fn(
            name,
            |_: &mut Poison, _: Dynamic, _: Dynamic, _: Dynamic| Poison,
        );
    }
    // What a text or a comparison would be is not known.
    for name in ["to_string", "to_debug"] {
        engine.register_fn(name, |ctx: Context<'_>, _: &mut Poison| {
            echo::<String>(&ctx)
        });
    }
    for name in ["==", "!="] {
        engine.register_fn(name, |ctx: Context<'_>, _: Poison, _: Dynamic| {
            echo::<bool>(&ctx)
        });
        engine.register_fn(name, |ctx: Context<'_>, _: Dynamic, _: Poison| {
            echo::<bool>(&ctx)
        });
    }
}

fn echo<T>(ctx: &Context<'_>) -> Result<T, Box<EvalAltResult>> {
    Err(Complaint::elsewhere().raise(ctx))
}
