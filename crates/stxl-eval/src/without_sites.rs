//! Definitions without the places where their parts were written: what other packages read, so that
//! a text that only moved changes nothing for them, and a session gives what a fresh run gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use stxl_lang::{
    Definition, DirectoryImport, FetchSource, Fields, FileImport, Operand, Reference, SeedImport,
    Site, Value,
};

pub(crate) fn definition_without_sites(definition: &Definition) -> Definition {
    Definition {
        fields: fields(&definition.fields),
        ..definition.clone()
    }
}

fn fields(of: &Fields) -> Fields {
    of.iter()
        .map(|(name, field)| (Arc::clone(name), value(field)))
        .collect::<BTreeMap<_, _>>()
}

fn value(of: &Value) -> Value {
    match of {
        Value::List(items) => Value::List(items.iter().map(value).collect()),
        Value::Map(map) => Value::Map(fields(map)),
        Value::Reference(it) => Value::Reference(Arc::new(reference(it))),
        Value::Source(it) => Value::Source(Arc::new(source(it))),
        Value::File(it) => Value::File(file(it)),
        Value::Operand(it) => Value::Operand(Box::new(operand(it))),
        // Roots are deep and rarely fields; reading one from another package keeps its places.
        Value::Text(_) | Value::Int(_) | Value::Bool(_) | Value::Root(_) | Value::Output(_) => {
            of.clone()
        }
    }
}

fn site(of: &Site) -> Site {
    Site {
        path: of.path.clone(),
        line: 0,
        column: 0,
    }
}

fn reference(of: &Reference) -> Reference {
    Reference {
        site: site(&of.site),
        ..of.clone()
    }
}

fn source(of: &FetchSource) -> FetchSource {
    FetchSource {
        site: site(&of.site),
        ..of.clone()
    }
}

fn file(of: &FileImport) -> FileImport {
    FileImport {
        site: site(&of.site),
        ..of.clone()
    }
}

fn operand(of: &Operand) -> Operand {
    match of {
        Operand::Package(it) => Operand::from(reference(it)),
        Operand::File(it) => Operand::File(file(it)),
        Operand::Directory(it) => Operand::Directory(DirectoryImport {
            site: site(&it.site),
            ..it.clone()
        }),
        Operand::Seed(it) => Operand::Seed(SeedImport {
            site: site(&it.site),
            ..it.clone()
        }),
        Operand::Fetch(it) => Operand::Fetch(Arc::new(source(it))),
        Operand::Root(_) | Operand::Output(_) => of.clone(),
    }
}
