//! Does nothing: what starting and ending any Rust program costs, the floor of the benches.

fn main() {}
