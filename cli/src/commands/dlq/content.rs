//! What a dead letter contains, in words, and whether it may be deleted. Pure.

/// What a dead letter contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A code that has not expired.
    LiveCode,
    /// A code that is too old: a redrive sends its person a new link.
    ExpiredCode,
    /// The person denied access.
    Denial,
    /// The receiver refused the callback.
    Refusal,
    /// Encrypted tokens that are to be revoked at Salesforce.
    TokensToRevoke,
    /// Encrypted tokens that are not stored yet. They do not expire.
    SealedTokens,
    /// That the chat has sent its code, or its time for it is over: the held tokens are to be stored or revoked.
    Decision,
    /// Refreshed tokens, encrypted, that are not stored yet.
    RefreshedTokens,
    /// A page of the sweep, or its beginning: the next sweep begins anew.
    Sweep,
    /// A refresh: the row is its record, and the next sweep finds it.
    Refresh,
    /// No message of this stack's.
    Unreadable,
}

impl Content {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::LiveCode => "live code",
            Self::ExpiredCode => "expired code",
            Self::Denial => "denial",
            Self::Refusal => "refused callback",
            Self::TokensToRevoke => "tokens to revoke",
            Self::SealedTokens => "sealed tokens",
            Self::Decision => "decision on held tokens",
            Self::RefreshedTokens => "refreshed tokens",
            Self::Sweep => "sweep",
            Self::Refresh => "refresh",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether deleting it loses somebody's consent, or leaves tokens alive that nobody needs.
    pub(super) const fn is_needed(self) -> bool {
        matches!(
            self,
            Self::LiveCode | Self::SealedTokens | Self::Decision | Self::RefreshedTokens | Self::TokensToRevoke
        )
    }
}
