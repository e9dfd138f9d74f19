//! Free ports for readers, shared fairly among all tests that run on the machine.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// The ports of two readers: vpcd drives two at a time.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) port: u16,
    /// Holds the pair for us among all tests of the machine.
    _claim: TcpListener,
}

impl Pair {
    /// Finds two neighbouring free ports below the ephemeral range. A third one beside them is kept bound:
    /// whoever holds it owns the pair among all tests that run on this machine.
    pub(super) fn claim() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        const FIRST: u32 = 20_000;
        const GROUPS: u32 = 4_000;
        for _ in 0..GROUPS {
            let step = NEXT.fetch_add(1, Ordering::Relaxed);
            let group = std::process::id().wrapping_mul(97).wrapping_add(step) % GROUPS;
            let Ok(port) = u16::try_from(FIRST + group * 3) else { continue };
            let Ok(claim) = TcpListener::bind((Ipv4Addr::LOCALHOST, port + 2)) else { continue };
            // vpcd listens on all interfaces, so that is what must be free.
            let free = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
            if free(port) && free(port + 1) {
                return Self { port, _claim: claim };
            }
        }
        panic!("no two neighbouring ports are free between {FIRST} and {}", FIRST + GROUPS * 3)
    }
}
