//! The simulator over real sockets, seen by a client that does nothing by itself.

mod raw;
mod rotation;
mod token;
