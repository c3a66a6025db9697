//! The system call filter: what a build may ask the kernel for.
//!
//! Calls above a ceiling do not exist (`ENOSYS`), and so the x32 interface does not either;
//! below it everything is allowed that is not in the tables of this file. Both x86 interfaces
//! have their own tables, so 32-bit code gets no wider view than 64-bit code. The program is a
//! decision tree over intervals of numbers: the kernel evaluates it once for every number when
//! it is installed, and a straight list would cost more than the rest of the launch.

use std::sync::OnceLock;

use crate::guard::{Guard, GuardSet};
use crate::kernel::Instruction;
use crate::looks::{LOOKS, Look};

/// `AUDIT_ARCH_I386`.
pub(crate) const AUDIT_ARCH_I386: u32 = 0x4000_0003;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

/// `sysinfo` of 64-bit code.
pub(crate) const X86_64_SYSINFO: u32 = 99;
/// `sysinfo` of 32-bit code.
pub(crate) const I386_SYSINFO: u32 = 116;

/// `getdents64` of 64-bit code.
pub(crate) const X86_64_GETDENTS64: u32 = 217;
/// `getdents64` of 32-bit code.
pub(crate) const I386_GETDENTS64: u32 = 220;

/// The last call of Linux 6.10; `mseal`. Later ones are `*xattrat` and unknown.
const CEILING: u32 = 462;

/// setuid and setgid.
const SETID_BITS: u32 = 0o6000;
/// `O_CREAT` and `__O_TMPFILE`, with which a mode argument counts.
const CREATING: u32 = 0o100 | 0o20_000_000;
/// Every flag of clone and unshare that makes a namespace; the time namespace's is unshare's only.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
const NEW_TIME: u32 = 0x80;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allow,
    Refuse(i32),
    /// Let the supervisor answer.
    Ask,
    /// Refuse with `EPERM` if this argument has any of these bits.
    RefuseBits {
        argument: u32,
        bits: u32,
    },
    /// The same with the mode argument of a call that takes flags in the argument before.
    RefuseModeIfCreating {
        argument: u32,
        otherwise: Otherwise,
    },
    /// Allow the address families a namespace confines, refuse others with `EAFNOSUPPORT`.
    KnownFamilies,
    /// Refuse the terminal injections with `EPERM`.
    NoInjection,
}

/// What becomes of a call that is not refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    Allow,
    Ask,
}

struct Rule {
    guard: Guard,
    x86_64: &'static [u32],
    i386: &'static [u32],
    verdict: Verdict,
}

const fn mode(argument: u32) -> Verdict {
    Verdict::RefuseBits {
        argument,
        bits: SETID_BITS,
    }
}

const fn mode_if_creating(argument: u32) -> Verdict {
    Verdict::RefuseModeIfCreating {
        argument,
        otherwise: Otherwise::Allow,
    }
}

const RULES: &[Rule] = &[
    // mount, umount, umount2, pivot_root, open_tree … fspick, mount_setattr, statmount, listmount.
    Rule {
        guard: Guard::NoMounting,
        x86_64: &[165, 166, 155, 428, 429, 430, 431, 432, 433, 442, 457, 458],
        i386: &[21, 22, 52, 217, 428, 429, 430, 431, 432, 433, 442, 457, 458],
        verdict: Verdict::Refuse(libc::EPERM),
    },
    // setns.
    Rule {
        guard: Guard::NoNamespaces,
        x86_64: &[308],
        i386: &[346],
        verdict: Verdict::Refuse(libc::EPERM),
    },
    // clone3 takes its flags in memory; C libraries fall back to clone.
    Rule {
        guard: Guard::NoNamespaces,
        x86_64: &[435],
        i386: &[435],
        verdict: Verdict::Refuse(libc::ENOSYS),
    },
    // clone.
    Rule {
        guard: Guard::NoNamespaces,
        x86_64: &[56],
        i386: &[120],
        verdict: Verdict::RefuseBits {
            argument: 0,
            bits: NEW_NAMESPACES,
        },
    },
    // unshare.
    Rule {
        guard: Guard::NoNamespaces,
        x86_64: &[272],
        i386: &[310],
        verdict: Verdict::RefuseBits {
            argument: 0,
            bits: NEW_NAMESPACES | NEW_TIME,
        },
    },
    // chmod, fchmod, creat, mkdir, mknod.
    Rule {
        guard: Guard::NoSetid,
        x86_64: &[90, 91, 85, 83, 133],
        i386: &[15, 94, 8, 39, 14],
        verdict: mode(1),
    },
    // fchmodat, fchmodat2, mkdirat, mknodat.
    Rule {
        guard: Guard::NoSetid,
        x86_64: &[268, 452, 258, 259],
        i386: &[306, 452, 296, 297],
        verdict: mode(2),
    },
    // open.
    Rule {
        guard: Guard::NoSetid,
        x86_64: &[2],
        i386: &[5],
        verdict: mode_if_creating(2),
    },
    // openat.
    Rule {
        guard: Guard::NoSetid,
        x86_64: &[257],
        i386: &[295],
        verdict: mode_if_creating(3),
    },
    // openat2 takes its mode in memory.
    Rule {
        guard: Guard::NoSetid,
        x86_64: &[437],
        i386: &[437],
        verdict: Verdict::Refuse(libc::ENOSYS),
    },
    // {,l,f}{set,get,list,remove}xattr.
    Rule {
        guard: Guard::NoXattrs,
        x86_64: &[188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 198, 199],
        i386: &[226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237],
        verdict: Verdict::Refuse(libc::ENOTSUP),
    },
    // io_uring_setup, _enter, _register; add_key, request_key, keyctl; bpf; perf_event_open;
    // userfaultfd; kexec_load, kexec_file_load; init_module, finit_module, delete_module;
    // name_to_handle_at, open_by_handle_at; fanotify_init; lookup_dcookie; iopl, ioperm;
    // memfd_secret; quotactl, quotactl_fd; landlock_*; lsm_*; acct; swapon, swapoff; reboot;
    // syslog; vhangup; nfsservctl; settimeofday, adjtimex, clock_settime, clock_adjtime.
    Rule {
        guard: Guard::NoWideInterfaces,
        x86_64: &[
            425, 426, 427, 248, 249, 250, 321, 298, 323, 246, 320, 175, 313, 176, 303, 304, 300,
            212, 172, 173, 447, 179, 443, 444, 445, 446, 459, 460, 461, 163, 167, 168, 169, 103,
            153, 180, 164, 159, 227, 305,
        ],
        // And socketcall, which hides its arguments; vm86old, vm86; create_module,
        // get_kernel_syms, query_module; bdflush; uselib; stime; clock_*64.
        i386: &[
            425, 426, 427, 286, 287, 288, 357, 336, 374, 283, 128, 350, 129, 341, 342, 338, 253,
            110, 101, 447, 131, 443, 444, 445, 446, 459, 460, 461, 51, 87, 115, 88, 103, 111, 169,
            79, 124, 264, 343, 102, 113, 166, 127, 130, 167, 134, 86, 25, 404, 405,
        ],
        verdict: Verdict::Refuse(libc::ENOSYS),
    },
    // socket.
    Rule {
        guard: Guard::SocketFamilies,
        x86_64: &[41],
        i386: &[359],
        verdict: Verdict::KnownFamilies,
    },
    // ioctl.
    Rule {
        guard: Guard::NoTerminalInjection,
        x86_64: &[16],
        i386: &[54],
        verdict: Verdict::NoInjection,
    },
    // uname, sysinfo.
    Rule {
        guard: Guard::FixedAnswers,
        x86_64: &[63, X86_64_SYSINFO],
        i386: &[122, I386_SYSINFO],
        verdict: Verdict::Ask,
    },
    // olduname, oldolduname.
    Rule {
        guard: Guard::FixedAnswers,
        x86_64: &[],
        i386: &[109, 59],
        verdict: Verdict::Refuse(libc::ENOSYS),
    },
];

/// What the supervisor answers as well where directories list backwards.
const LISTING: Rule = Rule {
    guard: Guard::FixedAnswers,
    x86_64: &[X86_64_GETDENTS64],
    i386: &[I386_GETDENTS64],
    verdict: Verdict::Ask,
};

/// Returns the filter with all guards, which the launcher makes once for all its copies.
pub(crate) fn whole() -> &'static [Instruction] {
    static WHOLE: OnceLock<Vec<Instruction>> = OnceLock::new();
    WHOLE.get_or_init(|| program(GuardSet::EMPTY, Asked::default()))
}

/// What the supervisor is asked besides what it answers in every sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What directories list.
    pub(crate) listings: bool,
    /// Every look at a path, which is remembered and goes on.
    pub(crate) looks: bool,
}

/// Returns the filter with all but the disabled guards.
pub(crate) fn program(disabled: GuardSet, asked: Asked) -> Vec<Instruction> {
    let listing = asked.listings.then_some(&LISTING);
    let table = |numbers: fn(&Rule) -> &'static [u32], number_of: fn(&Look) -> Option<u32>| {
        let mut verdicts: Vec<(u32, Verdict)> = RULES
            .iter()
            .chain(listing)
            .filter(|rule| disabled.wants(rule.guard))
            .flat_map(|rule| numbers(rule).iter().map(|number| (*number, rule.verdict)))
            .collect();
        if asked.looks && disabled.wants(Guard::FixedAnswers) {
            ask_of_looks(&mut verdicts, number_of);
        }
        verdicts.sort_by_key(|(number, _)| *number);
        tree(&intervals(&verdicts, disabled))
    };
    let native = table(|rule| rule.x86_64, |look| look.native);
    let compat = table(|rule| rule.i386, |look| look.compat);
    let mut program = vec![
        load(4),
        jump(JEQ, AUDIT_ARCH_X86_64, 1, 0),
        always(native.len() + 1),
        load(0),
    ];
    program.extend(native);
    program.push(jump(JEQ, AUDIT_ARCH_I386, 1, 0));
    program.push(ret(RET_KILL));
    program.push(load(0));
    program.extend(compat);
    program
}

/// Lets the supervisor know of every look at a path that nothing refuses.
fn ask_of_looks(verdicts: &mut Vec<(u32, Verdict)>, number_of: fn(&Look) -> Option<u32>) {
    for number in LOOKS.iter().filter_map(number_of) {
        match verdicts.iter_mut().find(|(known, _)| *known == number) {
            Some((_, Verdict::RefuseModeIfCreating { otherwise, .. })) => {
                *otherwise = Otherwise::Ask;
            }
            Some(_) => {}
            None => verdicts.push((number, Verdict::Ask)),
        }
    }
}

/// Turns single numbers into intervals, each given by its first number, that cover all numbers.
fn intervals(verdicts: &[(u32, Verdict)], disabled: GuardSet) -> Vec<(u32, Verdict)> {
    let mut starts = vec![(0, Verdict::Allow)];
    let mut push = |number: u32, verdict: Verdict| match starts.last_mut() {
        Some(last) if last.0 == number => *last = (number, verdict),
        Some(last) if last.1 == verdict => {}
        _ => starts.push((number, verdict)),
    };
    for (number, verdict) in verdicts {
        push(*number, *verdict);
        push(number + 1, Verdict::Allow);
    }
    if disabled.wants(Guard::SyscallCeiling) {
        push(CEILING + 1, Verdict::Refuse(libc::ENOSYS));
    }
    starts
}

const LD_ABS: u16 = 0x20;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;
const JA: u16 = 0x05;
const RET: u16 = 0x06;

const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_NOTIFY: u32 = 0x7fc0_0000;
const RET_KILL: u32 = 0x8000_0000;

fn load(offset: u32) -> Instruction {
    Instruction {
        code: LD_ABS,
        jt: 0,
        jf: 0,
        k: offset,
    }
}

/// Loads the low half of an argument; all arguments checked here have 32 bits.
fn load_argument(index: u32) -> Instruction {
    load(16 + 8 * index)
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

fn always(distance: usize) -> Instruction {
    Instruction {
        code: JA,
        jt: 0,
        jf: 0,
        k: u32::try_from(distance).unwrap_or(u32::MAX),
    }
}

fn ret(action: u32) -> Instruction {
    Instruction {
        code: RET,
        jt: 0,
        jf: 0,
        k: action,
    }
}

fn refuse(errno: i32) -> Instruction {
    ret(RET_ERRNO | errno.cast_unsigned())
}

/// Returns a decision tree over intervals; equal verdicts share their instructions, because the
/// kernel translates each at every launch.
fn tree(intervals: &[(u32, Verdict)]) -> Vec<Instruction> {
    let decisions = intervals.len().saturating_sub(1);
    let mut ends: Vec<(Verdict, usize)> = Vec::new();
    let mut leaves = Vec::new();
    for (_, verdict) in intervals {
        if ends.iter().all(|(known, _)| known != verdict) {
            ends.push((*verdict, decisions + leaves.len()));
            leaves.extend(leaf(*verdict));
        }
    }
    let mut code = Vec::with_capacity(decisions + leaves.len());
    decide(intervals, &ends, &mut code);
    code.extend(leaves);
    code
}

/// Adds the decisions between some intervals and returns where they begin.
fn decide(
    intervals: &[(u32, Verdict)],
    ends: &[(Verdict, usize)],
    code: &mut Vec<Instruction>,
) -> usize {
    if let [(_, verdict)] = intervals {
        let end = ends.iter().find(|(known, _)| known == verdict);
        return end.map_or(usize::MAX, |(_, position)| *position);
    }
    let (low, high) = intervals.split_at(intervals.len() / 2);
    let pivot = high.first().map_or(u32::MAX, |(number, _)| *number);
    let here = code.len();
    code.push(ret(RET_KILL));
    let low = decide(low, ends, code);
    let high = decide(high, ends, code);
    let distance = |target: usize| {
        u8::try_from(target - here - 1).expect("a table has fewer instructions than a jump reaches")
    };
    if let Some(decision) = code.get_mut(here) {
        *decision = jump(JGE, pivot, distance(high), distance(low));
    }
    here
}

fn leaf(verdict: Verdict) -> Vec<Instruction> {
    const AF_UNIX: u32 = libc::AF_UNIX.cast_unsigned();
    const AF_INET: u32 = libc::AF_INET.cast_unsigned();
    const AF_INET6: u32 = libc::AF_INET6.cast_unsigned();
    const AF_NETLINK: u32 = libc::AF_NETLINK.cast_unsigned();
    const TIOCSTI: u32 = 0x5412;
    const TIOCLINUX: u32 = 0x541c;
    match verdict {
        Verdict::Allow => vec![ret(RET_ALLOW)],
        Verdict::Refuse(errno) => vec![refuse(errno)],
        Verdict::Ask => vec![ret(RET_NOTIFY)],
        Verdict::RefuseBits { argument, bits } => vec![
            load_argument(argument),
            jump(JSET, bits, 0, 1),
            refuse(libc::EPERM),
            ret(RET_ALLOW),
        ],
        Verdict::RefuseModeIfCreating {
            argument,
            otherwise,
        } => vec![
            load_argument(argument - 1),
            jump(JSET, CREATING, 0, 3),
            load_argument(argument),
            jump(JSET, SETID_BITS, 0, 1),
            refuse(libc::EPERM),
            ret(match otherwise {
                Otherwise::Allow => RET_ALLOW,
                Otherwise::Ask => RET_NOTIFY,
            }),
        ],
        Verdict::KnownFamilies => vec![
            load_argument(0),
            jump(JEQ, AF_UNIX, 4, 0),
            jump(JEQ, AF_INET, 3, 0),
            jump(JEQ, AF_INET6, 2, 0),
            jump(JEQ, AF_NETLINK, 1, 0),
            refuse(libc::EAFNOSUPPORT),
            ret(RET_ALLOW),
        ],
        Verdict::NoInjection => vec![
            load_argument(1),
            jump(JEQ, TIOCSTI, 1, 0),
            jump(JEQ, TIOCLINUX, 0, 1),
            refuse(libc::EPERM),
            ret(RET_ALLOW),
        ],
    }
}
