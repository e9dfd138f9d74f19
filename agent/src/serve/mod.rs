//! HTTP on the socket.
#![forbid(unsafe_code)]

pub mod socket;
