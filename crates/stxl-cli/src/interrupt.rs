//! Ctrl-C and its relatives: the first one cancels, a second one ends the process.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use stxl_build::CancelHandle;

use crate::failure::{Exit, Failure};

/// A handle that the first interrupt cancels. A second one leaves at once; the sandboxes die with
/// the process, and the store is sound after any end.
pub(crate) fn cancel_on_signals() -> Result<CancelHandle, Failure> {
    let cancel = CancelHandle::default();
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        register(signal, &cancel).map_err(|error| {
            Failure::environment(format!("signal {signal} cannot be handled: {error}"))
        })?;
    }
    Ok(cancel)
}

fn register(signal: i32, cancel: &CancelHandle) -> io::Result<()> {
    let code = i32::from(Exit::Interrupted.code());
    // In this order: the handler that leaves sees the flag before the one that sets it.
    flag::register_conditional_shutdown(signal, code, cancel.flag())?;
    flag::register(signal, cancel.flag())?;
    Ok(())
}
