//! What a media thread counts. Plain numbers that only their thread writes; a snapshot is
//! published a few times a second, so that a reader never waits for a media thread.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Counters of one media thread since it started.
        #[derive(Clone, Debug, Default)]
        pub(crate) struct Counters {
            $($(#[$doc])* pub(crate) $name: u64,)+
        }

        impl Counters {
            /// All counters by name.
            pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Datagrams taken from the sockets.
    datagrams_received,
    /// Their bytes.
    bytes_received,
    /// System calls that returned datagrams.
    receive_calls,
    /// Errors other than "nothing there" while receiving.
    receive_errors,
    /// Datagrams given to the kernel.
    datagrams_sent,
    /// Their bytes.
    bytes_sent,
    /// System calls that sent them.
    send_calls,
    /// Datagrams lost because the socket's send buffer was full.
    send_buffer_full,
    /// Datagrams that the kernel refused for another reason.
    send_errors,
    /// Runs that the kernel refused to segment and that left one by one.
    gso_refused,
    /// TCP connections taken over.
    tcp_opened,
    /// TCP connections closed because they were nobody's, or brought what a peer does not.
    tcp_refused,
    /// Datagrams dropped because a TCP connection did not take them fast enough.
    tcp_dropped,
    /// Datagrams nobody knew.
    datagrams_unknown,
    /// Datagrams handed over to the thread that owns their session.
    datagrams_handed_over,
    /// Datagrams lost because that thread's ring was full.
    handover_full,
    /// Letters with relayed tracks taken from sibling threads.
    relay_letters,
    /// Relayed packets and messages dropped because a sibling did not keep up.
    relay_dropped,
    /// Commands executed.
    commands,
    /// Events emitted.
    events,
    /// Events that had to wait because the reader was slow.
    events_delayed,
    /// Events replaced by a newer one of the same object and kind while they waited.
    events_merged,
    /// Data messages dropped because the reader was slow.
    data_messages_dropped,
    /// Pieces of the record of decisions lost because the file did not keep up; each ends its record.
    record_lost,
    /// Turns of the loop.
    turns,
    /// Panics outside of a session; each closed everything on the thread.
    thread_panics,
}
