//! `stxl eval`.

mod costs;
mod origin;

use stxl_build::NodeStatus;
use stxl_eval::Account;
use stxl_eval::json::{DerivationStatus, EvalRecord};
use stxl_model::{Kind, Plan};

use crate::arguments::{Arguments, EvalArguments};
use crate::evaluation::{self, Audience};
use crate::failure::{Failure, of_store};
use crate::progress::plural;
use crate::terminal::{Terminal, print_data, print_record};
use crate::{command, place, session};

pub(crate) fn run(
    arguments: &Arguments,
    eval: &EvalArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let workspace = place::workspace(arguments)?;
    if eval.watch {
        return command::watch::run(eval, &workspace, terminal);
    }
    let audience = if eval.json {
        Audience::Program
    } else {
        Audience::Person
    };
    if let Some(field) = &eval.details.origin {
        let selection = &eval.selection;
        let origin = evaluation::origin(&workspace, selection, field, audience, terminal)?;
        return origin::tell(&origin, audience);
    }
    if let Some(graph) = &eval.details.profile {
        let profile = evaluation::profile(&workspace, &eval.selection, audience, terminal)?;
        return costs::tell(&profile, graph, audience);
    }
    let evaluated = evaluation::evaluate_and_tell(
        &workspace,
        &eval.selection,
        audience,
        terminal,
        |account| {
            if eval.details.explain_cache {
                terminal.text(&account_text(account));
            }
        },
    )?;
    let plan = evaluated.plan();
    let request = (workspace.as_path(), &eval.selection);
    let allowed = evaluation::check_opaque(plan, eval.policy.opaque(), request, audience, terminal);
    if let Err(refused) = allowed {
        evaluated.remember(terminal);
        return Err(refused);
    }
    if let Some(file) = &eval.details.save_plan {
        std::fs::write(file, plan.to_bytes()).map_err(|error| {
            let file = file.display();
            Failure::environment(format!("`{file}` cannot be written: {error}"))
        })?;
    }
    let status = if eval.details.status {
        let store = session::open_store_only(arguments)?;
        Some(stxl_build::status(&store, plan).map_err(|error| of_store(&error))?)
    } else {
        None
    };
    let status = status.as_deref();
    evaluated.remember_while(terminal, |plan| match audience {
        Audience::Program => print_record(&record(plan, status)),
        Audience::Person => {
            print_data(table(plan, status).as_bytes())?;
            terminal.note(&totals(plan, status));
            Ok(())
        }
    })
}

/// What was recalled, and of what was evaluated, why.
fn account_text(account: &Account) -> String {
    let Account {
        recalled,
        evaluated,
        everything,
        has_lost_changes,
    } = account;
    let lost = if *has_lost_changes {
        "the last changes that were remembered are damaged and left out\n"
    } else {
        ""
    };
    if let Some(reason) = everything {
        return format!("{lost}evaluated everything: {reason}\n");
    }
    let mut text = format!(
        "{lost}recalled {}, evaluated {}\n",
        plural(*recalled, "package"),
        evaluated.len()
    );
    for (label, reason) in evaluated {
        text += &format!("  {label}: {reason}\n");
    }
    text
}

fn record<'p>(plan: &'p Plan, status: Option<&[NodeStatus]>) -> EvalRecord<'p> {
    EvalRecord::of(plan, |id| {
        let status = status?.get(plan.position(id)?)?;
        Some(match status {
            NodeStatus::Cached => DerivationStatus::Cached,
            NodeStatus::Run => DerivationStatus::Run,
            NodeStatus::Pending => DerivationStatus::Pending,
        })
    })
}

/// One line for every derivation: its id, its kind, what it is; with its status when asked for.
fn table(plan: &Plan, status: Option<&[NodeStatus]>) -> String {
    let mut table = String::new();
    for (position, node) in plan.nodes().iter().enumerate() {
        let status = status.and_then(|status| status.get(position));
        let status = status.map_or(String::new(), |status| format!("{:<8}", status.name()));
        let kind = node.derivation.kind().name();
        table += &format!("{}  {status}{kind:<8} {}\n", node.id, node.origin.name);
    }
    table
}

pub(crate) fn totals(plan: &Plan, status: Option<&[NodeStatus]>) -> String {
    let steps = plural(plan.count_of(Kind::Exec), "step");
    let mut text = format!("{steps} in {}", plural(plan.nodes().len(), "derivation"));
    if let Some(status) = status {
        let of = |wanted: NodeStatus| {
            let nodes = plan.nodes().iter().zip(status);
            nodes
                .filter(|(node, status)| node.derivation.kind() == Kind::Exec && **status == wanted)
                .count()
        };
        let (cached, run, pending) = (
            of(NodeStatus::Cached),
            of(NodeStatus::Run),
            of(NodeStatus::Pending),
        );
        text += &format!(": {cached} cached, {run} to run, {pending} waiting for those");
    }
    text
}
