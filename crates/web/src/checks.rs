//! Checksums of a text, one for each token: a chain over the tokens and the bits of the logits that each was chosen from. They
//! show that two machines generated the same story; they do not protect against forgery.

use bitstate::Digest;

/// The digits of base64url: a token's check in a link is one of them.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The chain, one entry for each token since `begin`.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    /// Tokens of the text before the first entry.
    begin: u64,
    chain: Vec<u64>,
}

impl Checks {
    pub fn new(begin: u64) -> Self {
        Checks { begin, chain: Vec::new() }
    }

    /// Adds a token with the digest of its logits; `None` for a token of a prompt.
    pub fn push(&mut self, token: u32, logits: Option<Digest>) {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&self.last().to_le_bytes());
        bytes[8..16].copy_from_slice(&logits.map_or(0, |digest| digest.0).to_le_bytes());
        bytes[16..].copy_from_slice(&token.to_le_bytes());
        self.chain.push(Digest::of(&bytes).0);
    }

    /// The checksum of the whole text.
    pub fn last(&self) -> u64 {
        self.chain.last().copied().unwrap_or(0)
    }

    /// One character for each of the last `n` tokens.
    pub fn digits(&self, n: usize) -> String {
        let from = self.chain.len().saturating_sub(n);
        self.chain[from..].iter().map(|check| char::from(DIGITS[(check % 64) as usize])).collect()
    }

    /// Removes the tokens from `position` on.
    pub fn cut(&mut self, position: u64) {
        let keep = usize::try_from(position.saturating_sub(self.begin)).unwrap_or(usize::MAX);
        self.chain.truncate(keep);
        self.begin = self.begin.min(position);
    }
}

#[cfg(test)]
mod tests {
    use super::Checks;
    use bitstate::Digest;

    #[test]
    fn a_check_depends_on_all_before_it_and_on_the_logits() {
        let chain = |tokens: &[(u32, Option<u64>)]| {
            let mut checks = Checks::new(3);
            tokens.iter().for_each(|&(token, logits)| checks.push(token, logits.map(Digest)));
            checks
        };
        let all = chain(&[(1, None), (2, Some(7)), (3, Some(8))]);
        for other in [[(0, None), (2, Some(7)), (3, Some(8))], [(1, None), (2, Some(6)), (3, Some(8))]] {
            assert_ne!(chain(&other).last(), all.last());
        }
        assert_eq!(all.digits(9).len(), 3);
        let mut cut = all.clone();
        cut.cut(5);
        assert_eq!(cut.last(), chain(&[(1, None), (2, Some(7))]).last());
        assert_eq!(cut.digits(2), all.digits(3)[..2]);
    }
}
