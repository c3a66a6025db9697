//! `stxl why`.

mod known;
mod places;
mod telling;

use stxl_model::Selector;

use crate::arguments::{Arguments, Selection, WhyArguments};
use crate::evaluation::{self, Audience};
use crate::failure::Failure;
use crate::place;
use crate::terminal::{Terminal, print_data, print_record};

pub(crate) use known::{KNOWN_ARGUMENT, child_main};

pub(crate) fn run(
    arguments: &Arguments,
    why: &WhyArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let audience = if why.json {
        Audience::Program
    } else {
        Audience::Person
    };
    let selector = Selector::parse(&why.label).map_err(Failure::usage)?;
    let package = selector.package().ok_or_else(|| {
        Failure::usage(format!("`{}` is no package, but a stage", why.label))
            .hint("ask about one package: `stxl why core/zlib`")
    })?;
    let selection = Selection::of(&why.label, &why.variant);
    let surveyed = evaluation::survey(&workspace, &selection, audience, terminal)?;
    let question = known::Question {
        store: place::store(arguments)?,
        workspace: workspace.clone(),
        variant: evaluation::variant_text(&why.variant),
        label: package.to_string(),
    };
    let known = known::ask(&question, &surveyed.plan)?;
    let causes = places::find(&workspace, &surveyed, &known)?;
    let answer = telling::Answer {
        label: &why.label,
        plan: &surveyed.plan,
        facts: &known.facts,
        causes,
    };
    match audience {
        Audience::Program => print_record(&answer.record()),
        Audience::Person => print_data(answer.text(terminal).as_bytes()),
    }
}
