//! The record that `stxl eval --profile --json` prints.

use serde::Serialize;

use super::Profile;

/// Version of the record; raised when a field changes its meaning or goes.
pub const PROFILE_RECORD_VERSION: u32 = 1;

/// A profile for scripts. Times are in nanoseconds.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ProfileRecord {
    version: u32,
    event: &'static str,
    threads: usize,
    wall_ns: u64,
    cpu_ns: u64,
    phases: Vec<PhaseRecord>,
    packages: Vec<PackageRecord>,
    functions: Vec<FunctionRecord>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct PhaseRecord {
    name: &'static str,
    count: u64,
    ns: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct PackageRecord {
    name: String,
    total_ns: u64,
    compile_ns: u64,
    define_ns: u64,
    expand_ns: u64,
    lower_ns: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct FunctionRecord {
    file: String,
    name: String,
    calls: u64,
    self_ns: u64,
    total_ns: u64,
}

impl ProfileRecord {
    /// The record of a profile: all packages and functions, what cost most first.
    pub fn of(profile: &Profile) -> Self {
        let phases = profile.phases().into_iter().map(|phase| PhaseRecord {
            name: phase.name,
            count: phase.count,
            ns: phase.ns,
        });
        let packages = profile.packages().into_iter().map(|cost| PackageRecord {
            total_ns: cost.total_ns(),
            name: cost.name,
            compile_ns: cost.compile_ns,
            define_ns: cost.define_ns,
            expand_ns: cost.expand_ns,
            lower_ns: cost.lower_ns,
        });
        let functions = profile.functions().into_iter().map(|cost| FunctionRecord {
            file: cost.file,
            name: cost.name,
            calls: cost.calls,
            self_ns: cost.self_ns,
            total_ns: cost.total_ns,
        });
        Self {
            version: PROFILE_RECORD_VERSION,
            event: "profile",
            threads: profile.threads,
            wall_ns: profile.wall_ns,
            cpu_ns: profile.cpu_ns(),
            phases: phases.collect(),
            packages: packages.collect(),
            functions: functions.collect(),
        }
    }
}
