//! What systemd, or whoever speaks as it does, hands to the server, and what it is told.

pub(crate) mod notify;
pub(crate) mod sockets;

/// The variables that are meant for this process and for none that it starts: a child that found them would
/// speak for refrain, or take files for sockets.
pub(crate) const OWN: [&str; 4] = ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", notify::SOCKET];
