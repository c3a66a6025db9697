//! Which file each thread of the child evaluates: slots in a memory file that outlive the child.

use std::cell::{Cell, RefCell};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use stxl_lang::SourcePath;

/// How many threads are watched; further ones share the last slot.
pub(super) const SLOTS: usize = 64;

/// Bytes of a slot: a length of two bytes and the text.
const SLOT_BYTES: usize = 512;

/// Where the request begins in the memory file, after all slots.
pub(super) const REQUEST_OFFSET: u64 = (SLOTS * SLOT_BYTES) as u64;

/// How often each thread turned to a file or away from one: odd while the language evaluates there.
/// An odd number that stands still is a thread that does not get on.
pub(super) static TURNS: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

static NEXT_SLOT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SLOT: Cell<Option<usize>> = const { Cell::new(None) };
    static NOTED: RefCell<Option<SourcePath>> = const { RefCell::new(None) };
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

/// Notes which file the calling thread turns to; none when it turns away, which leaves the text.
/// Failing is without consequence but for the text of a later message.
pub(super) fn note(file: impl AsFd, path: Option<&SourcePath>) {
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
