//! Work over the nodes of plans by two threads.

/// Below this many nodes a thread more costs more than it does.
pub(super) const NODES_PER_THREAD_MIN: usize = 512;

/// Does two things, at the same time if they are about enough nodes. The threads end here.
pub(super) fn in_two<A, B: Send>(
    node_count: usize,
    first: impl FnOnce() -> A,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    if node_count < 2 * NODES_PER_THREAD_MIN {
        return (first(), second());
    }
    std::thread::scope(|scope| {
        let second = scope.spawn(second);
        let first = first();
        match second.join() {
            Ok(second) => (first, second),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
