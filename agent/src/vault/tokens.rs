//! `tokens.json`: the enrolled tokens.

use super::{Vault, VaultError, broken};
use crate::disk::Dir;
use serde::{Deserialize, Serialize};
use signet_protocol::child::Token;

const TOKENS: &str = "tokens.json";
/// Longest `tokens.json`: some hundred bytes a token.
const LIMIT: usize = 256 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    tokens: Vec<Token>,
}

/// `None` when there is no such file.
pub(super) fn read(dir: &Dir) -> Result<Option<Vec<Token>>, VaultError> {
    let Some(bytes) = dir.read(TOKENS, LIMIT)? else { return Ok(None) };
    let file: File =
        serde_json::from_slice(&bytes).map_err(|error| broken(dir, &format!("{TOKENS}: {error}")))?;
    Ok(Some(file.tokens))
}

impl Vault {
    /// The enrolled tokens, in the order of their enrolment.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Enrols a token.
    ///
    /// # Errors
    /// [`VaultError::TokenTaken`], [`VaultError::TokenLost`]; the disk's.
    pub fn add_token(&mut self, token: Token) -> Result<(), VaultError> {
        self.check_not_lost(&token.recipient.serial)?;
        if self.tokens.iter().any(|other| other.recipient.serial == token.recipient.serial) {
            return Err(VaultError::TokenTaken(token.recipient.serial));
        }
        let mut next = self.tokens.clone();
        next.push(token);
        self.replace_tokens(next)
    }

    /// Refuses a token that was reported lost.
    ///
    /// # Errors
    /// [`VaultError::TokenLost`].
    pub fn check_not_lost(&self, serial: &str) -> Result<(), VaultError> {
        let lost = |since: &str| VaultError::TokenLost { serial: serial.to_owned(), since: since.to_owned() };
        self.lost_since(serial).map_or(Ok(()), |since| Err(lost(since)))
    }

    /// Takes a token out; refused while a record names it, or while a record that might cannot be
    /// read.
    ///
    /// # Errors
    /// [`VaultError::NoSuchToken`], [`VaultError::TokenInUse`]; the disk's.
    pub fn remove_token(&mut self, serial: &str) -> Result<Token, VaultError> {
        let is_it = |token: &&Token| token.recipient.serial == serial;
        let Some(token) = self.tokens.iter().find(is_it).cloned() else {
            return Err(VaultError::NoSuchToken(serial.to_owned()));
        };
        let mut keys = Vec::new();
        for held in self.keys()? {
            match held.record {
                Ok(record) if record.meta.recipients.iter().any(|named| named.serial == serial) => {
                    keys.push(held.name);
                }
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        if !keys.is_empty() {
            return Err(VaultError::TokenInUse { serial: serial.to_owned(), keys });
        }
        let next = self.tokens.iter().filter(|token| !is_it(token)).cloned().collect();
        self.replace_tokens(next)?;
        Ok(token)
    }

    pub(super) fn replace_tokens(&mut self, next: Vec<Token>) -> Result<(), VaultError> {
        self.check_fresh()?;
        let file = File { version: signet_protocol::VERSION, tokens: next };
        // Strings, booleans and numbers: it is written.
        let bytes = serde_json::to_vec(&file).map_err(|error| broken(&self.dir, &error.to_string()))?;
        self.dir.write(TOKENS, &bytes)?;
        self.tokens = file.tokens;
        Ok(())
    }
}
