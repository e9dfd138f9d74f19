//! What the tests of Signet share: devices, daemons and services of their own, each private to one test
//! and moved by its hand. Nothing here is part of a program that people run.

pub mod aws;
pub mod card;
pub mod harness;
pub mod pcsc;
pub mod process;
pub mod uhid;
