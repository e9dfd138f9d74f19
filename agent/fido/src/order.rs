//! The text that is approved, and its hash.

use ring::digest::{Context, SHA256};
use signet_protocol::approval::{Approval, LABEL};

/// Bytes of the signer's nonce.
pub const NONCE: usize = 32;

/// The exact text of an approval; `None` for one that cannot be written, of which there is none.
#[must_use]
pub fn text(approval: &Approval) -> Option<String> {
    serde_json::to_string(approval).ok()
}

/// What the authenticator signs as hash of the client data (WebAuthn level 2, 5.8.1): SHA-256 of
/// `signet/fido/v1`, the nonce and the order. Label and nonce have fixed lengths, so that no two lists of
/// parts look alike.
#[must_use]
pub fn client_data_hash(nonce: &[u8; NONCE], order: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(LABEL);
    context.update(nonce);
    context.update(order.as_bytes());
    let mut hash = [0; 32];
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    hash
}
