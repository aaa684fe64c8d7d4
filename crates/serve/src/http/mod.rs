//! HTTP below the routes: who may call, how long a connection may take, how a server stops.

pub(crate) mod body;
pub(crate) mod guard;
pub(crate) mod listen;
mod patient;
pub(crate) mod port;
