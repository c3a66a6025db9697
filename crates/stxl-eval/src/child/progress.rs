//! Which file each thread of the child evaluates: slots in a memory file that outlive the child.

use std::cell::{Cell, RefCell};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use stxl_lang::SourcePath;

use crate::database::Turn;

/// How many threads are watched; further ones share the last slot.
pub(super) const SLOTS: usize = 64;

/// Bytes of a slot: a length of two bytes and the text.
const SLOT_BYTES: usize = 512;

/// Where messages begin in the memory file, after all slots.
pub(super) const MESSAGES_OFFSET: u64 = (SLOTS * SLOT_BYTES) as u64;

/// How often each thread turned to a file or away from one: odd while the language evaluates there.
/// An odd number that stands still is a thread that does not get on.
pub(super) static TURNS: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// How many imports were begun, and how many of them go on.
static IMPORTS_BEGUN: AtomicU64 = AtomicU64::new(0);
static IMPORTS_GOING_ON: AtomicU64 = AtomicU64::new(0);

static NEXT_SLOT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SLOT: Cell<Option<usize>> = const { Cell::new(None) };
    static IS_IMPORTING: Cell<bool> = const { Cell::new(false) };
    static NOTED: RefCell<Option<SourcePath>> = const { RefCell::new(None) };
}

/// Tells whether imports were read at any time since this was asked last by the same asker.
#[derive(Default)]
pub(super) struct ImportWatch {
    begun: u64,
}

impl ImportWatch {
    pub(super) fn has_seen_one(&mut self) -> bool {
        // In this order: one that begins and ends meanwhile is in the first or the second number.
        let going_on = IMPORTS_GOING_ON.load(Ordering::SeqCst);
        let begun = IMPORTS_BEGUN.load(Ordering::SeqCst);
        std::mem::replace(&mut self.begun, begun) != begun || going_on > 0
    }
}

fn note_import(is_importing: bool) {
    if IS_IMPORTING.replace(is_importing) == is_importing {
        return;
    }
    if is_importing {
        IMPORTS_GOING_ON.fetch_add(1, Ordering::SeqCst);
        IMPORTS_BEGUN.fetch_add(1, Ordering::SeqCst);
    } else {
        IMPORTS_GOING_ON.fetch_sub(1, Ordering::SeqCst);
    }
}

fn own_slot() -> usize {
    SLOT.with(|own| {
        own.get().unwrap_or_else(|| {
            let slot = NEXT_SLOT.fetch_add(1, Ordering::Relaxed).min(SLOTS - 1);
            own.set(Some(slot));
            slot
        })
    })
}

/// Notes what the calling thread turns to; the text stays until it is another file. Failing is
/// without consequence but for the text of a later message.
pub(super) fn note(file: impl AsFd, turn: Turn<'_>) {
    note_import(matches!(turn, Turn::Import));
    let path = match turn {
        Turn::File(path) => Some(path),
        Turn::Import | Turn::Away => None,
    };
    let slot = own_slot();
    if let Some(turns) = TURNS.get(slot) {
        let is_inside = turns.load(Ordering::Relaxed) % 2 == 1;
        let step = if is_inside == path.is_some() { 2 } else { 1 };
        turns.fetch_add(step, Ordering::Relaxed);
    }
    let Some(path) = path else { return };
    let is_known =
        NOTED.with_borrow_mut(|noted| noted.replace(path.clone()).as_ref() == Some(path));
    if !is_known {
        write_slot(file, slot, path.as_str());
    }
}

fn write_slot(file: impl AsFd, slot: usize, text: &str) {
    let length = text.len().min(SLOT_BYTES - 2);
    let Ok(length_bytes) = u16::try_from(length).map(u16::to_le_bytes) else {
        return;
    };
    let mut bytes = length_bytes.to_vec();
    bytes.extend_from_slice(text.as_bytes().get(..length).unwrap_or_default());
    rustix::io::pwrite(file, &bytes, (slot * SLOT_BYTES) as u64).ok();
}

/// Forgets the files that threads are done with, so that only those are left which may be the
/// reason why the process ends; none is forgotten while no thread evaluates.
pub(super) fn forget_idle(file: impl AsFd) {
    let is_idle = |turns: &AtomicU64| turns.load(Ordering::Relaxed).is_multiple_of(2);
    if TURNS.iter().all(is_idle) {
        return;
    }
    for (slot, _) in TURNS.iter().enumerate().filter(|(_, turns)| is_idle(turns)) {
        write_slot(&file, slot, "");
    }
}

/// The files that threads were evaluating, sorted, without duplicates.
pub(super) fn noted(file: impl AsFd) -> Vec<SourcePath> {
    let mut bytes = vec![0; SLOTS * SLOT_BYTES];
    let read = rustix::io::pread(file, bytes.as_mut_slice(), 0).unwrap_or(0);
    bytes.truncate(read);
    let text_of = |slot: &[u8]| {
        let (length, text) = slot.split_first_chunk::<2>()?;
        let text = text.get(..usize::from(u16::from_le_bytes(*length)))?;
        let text = std::str::from_utf8(text)
            .ok()
            .filter(|text| !text.is_empty())?;
        Some(SourcePath::new(text))
    };
    let mut paths: Vec<SourcePath> = bytes.chunks(SLOT_BYTES).filter_map(text_of).collect();
    paths.sort();
    paths.dedup();
    paths
}
