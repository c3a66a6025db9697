//! Ctrl-C and its relatives: the first one cancels, a second one ends the process.

use std::io;
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};
use stxl_build::CancelHandle;

use crate::failure::{Exit, Failure};

/// The handling of interrupts.
pub(crate) struct Interrupts {
    /// What the first interrupt cancels.
    pub(crate) cancel: CancelHandle,
    leave: Vec<SigId>,
}

impl Interrupts {
    /// Lets the first interrupt cancel and a second one leave at once; the sandboxes die with the
    /// process, and the store is sound after any end.
    pub(crate) fn catch() -> Result<Self, Failure> {
        let cancel = CancelHandle::default();
        let mut leave = Vec::new();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let id = register(signal, &cancel).map_err(|error| {
                Failure::environment(format!("signal {signal} cannot be handled: {error}"))
            })?;
            leave.push(id);
        }
        Ok(Self { cancel, leave })
    }

    /// What has something to read after a signal, for who waits for files.
    pub(crate) fn wakers() -> Result<UnixStream, Failure> {
        let failed = |error: io::Error| {
            Failure::environment(format!("signals cannot be waited for: {error}"))
        };
        let (woken, waker) = UnixStream::pair().map_err(failed)?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let waker = waker.try_clone().map_err(failed)?;
            low_level::pipe::register(signal, waker).map_err(failed)?;
        }
        Ok(woken)
    }

    /// Lets no interrupt leave at once, since something has to be restored first.
    pub(crate) fn only_cancel(&mut self) {
        for id in self.leave.drain(..) {
            low_level::unregister(id);
        }
    }
}

/// A handle that the first interrupt cancels; see [`Interrupts::catch`].
pub(crate) fn cancel_on_signals() -> Result<CancelHandle, Failure> {
    Interrupts::catch().map(|interrupts| interrupts.cancel)
}

fn register(signal: i32, cancel: &CancelHandle) -> io::Result<SigId> {
    let code = i32::from(Exit::Interrupted.code());
    // In this order: the handler that leaves sees the flag before the one that sets it.
    let leave = flag::register_conditional_shutdown(signal, code, cancel.flag())?;
    flag::register(signal, cancel.flag())?;
    Ok(leave)
}
