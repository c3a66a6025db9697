//! `stxl graph`.

use std::path::Path;

use stxl_build::NodeStatus;
use stxl_model::Plan;

use crate::arguments::{Arguments, GraphArguments, GraphFormat};
use crate::diagram::{self, DRAWN_MAX, Diagram};
use crate::evaluation::{self, Audience};
use crate::failure::{Failure, of_store};
use crate::progress::plural;
use crate::terminal::{Terminal, print_data, print_record};
use crate::{place, session};

pub(crate) fn run(
    arguments: &Arguments,
    graph: &GraphArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    let out = graph.out.as_deref().map(place::absolute).transpose()?;
    let format = match (graph.format, &out) {
        (Some(format), _) => format,
        (None, Some(out)) => format_of(out)?,
        (None, None) => GraphFormat::Dot,
    };
    let audience = match format {
        GraphFormat::Json => Audience::Program,
        GraphFormat::Dot | GraphFormat::Svg | GraphFormat::Html => Audience::Person,
    };
    let surveyed = evaluation::survey(&workspace, &graph.selection, audience, terminal)?;
    let sayings = if graph.shown.steps {
        Vec::new()
    } else {
        surveyed.sayings()?
    };
    let plan = &surveyed.plan;
    // The store comes last: who opens it may not read the text any more.
    let statuses = if graph.status {
        Some(statuses(arguments, plan)?)
    } else {
        None
    };
    let mut diagram = if graph.shown.steps {
        diagram::of_steps(plan, statuses.as_deref())
    } else {
        diagram::of_packages(plan, &surveyed.survey, &sayings, statuses.as_deref())
    };
    diagram.title = evaluation::request_text(&graph.selection);
    if graph.shown.reduce {
        diagram = diagram.reduced();
    }
    let count = diagram.items.len();
    if matches!(format, GraphFormat::Svg | GraphFormat::Html) && count > DRAWN_MAX {
        let message = format!("{count} {} cannot be drawn", diagram.kind.name());
        return Err(Failure::usage(message).hint(format!(
            "name packages, so that there are at most {DRAWN_MAX}; or --format dot or json"
        )));
    }
    let Some(out) = out else {
        return match format {
            GraphFormat::Json => print_record(&diagram::record::GraphRecord::of(&diagram)),
            GraphFormat::Dot | GraphFormat::Svg | GraphFormat::Html => {
                print_data(text(&diagram, format)?.as_bytes())
            }
        };
    };
    std::fs::write(&out, text(&diagram, format)?).map_err(|error| {
        let out = out.display();
        Failure::environment(format!("`{out}` cannot be written: {error}"))
    })?;
    let items = match diagram.kind {
        diagram::ItemKind::Package => plural(count, "package"),
        diagram::ItemKind::Step => plural(count, "derivation"),
    };
    let needs = plural(diagram.needs.len(), "need");
    terminal.note(&format!("wrote {}: {items}, {needs}", out.display()));
    Ok(())
}

fn statuses(arguments: &Arguments, plan: &Plan) -> Result<Vec<NodeStatus>, Failure> {
    let store = session::open_store_only(arguments)?;
    stxl_build::status(&store, plan).map_err(|error| of_store(&error))
}

/// What a file is by the ending of its name.
fn format_of(file: &Path) -> Result<GraphFormat, Failure> {
    let ending = file.extension().and_then(|ending| ending.to_str());
    match ending {
        Some("dot" | "gv") => Ok(GraphFormat::Dot),
        Some("json") => Ok(GraphFormat::Json),
        Some("svg") => Ok(GraphFormat::Svg),
        Some("html" | "htm") => Ok(GraphFormat::Html),
        Some(_) | None => Err(Failure::usage(format!(
            "the name `{}` does not tell what to write",
            file.display()
        ))
        .hint("`.dot`, `.json`, `.svg` and `.html` do, and so does --format")),
    }
}

fn text(diagram: &Diagram, format: GraphFormat) -> Result<String, Failure> {
    Ok(match format {
        GraphFormat::Dot => diagram::dot::text(diagram),
        GraphFormat::Json => {
            let record = diagram::record::GraphRecord::of(diagram);
            serde_json::to_string(&record).map_err(Failure::environment)? + "\n"
        }
        GraphFormat::Svg => diagram::svg::picture(diagram, &diagram::draw(diagram)),
        GraphFormat::Html => diagram::page::text(diagram, &diagram::draw(diagram)),
    })
}
