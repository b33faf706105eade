//! What an administrator may do, each a resource and a verb that Kubernetes' own rules can name.

use std::fmt;

/// The API group of the resources, which exist in rules alone.
pub const GROUP: &str = "vanta.dev";

/// One of the things that grants give to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Administration {
    /// End other subjects' tokens, and block subjects.
    RevokeTokens,
    /// See what a token is and whether it holds (RFC 7662).
    IntrospectTokens,
    /// See why another subject's read is allowed or refused.
    Explain,
    /// See who holds what.
    ListHolders,
    /// Read the audit.
    ReadAudit,
}

impl Administration {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::RevokeTokens,
        Self::IntrospectTokens,
        Self::Explain,
        Self::ListHolders,
        Self::ReadAudit,
    ];

    /// The resource, in the plural as rules have it.
    pub fn resource(self) -> &'static str {
        match self {
            Self::RevokeTokens | Self::IntrospectTokens => "tokens",
            Self::Explain | Self::ListHolders => "access",
            Self::ReadAudit => "audits",
        }
    }

    /// The verb.
    pub fn verb(self) -> &'static str {
        match self {
            Self::RevokeTokens => "revoke",
            Self::IntrospectTokens => "introspect",
            Self::Explain => "explain",
            Self::ListHolders => "list",
            Self::ReadAudit => "get",
        }
    }
}

impl fmt::Display for Administration {
    /// As a rule says it: `revoke tokens.vanta.dev`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.{GROUP}", self.verb(), self.resource())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_called_as_rules_and_documentation_call_it() {
        assert_eq!(
            Administration::ALL.map(|what| what.to_string()),
            [
                "revoke tokens.vanta.dev",
                "introspect tokens.vanta.dev",
                "explain access.vanta.dev",
                "list access.vanta.dev",
                "get audits.vanta.dev",
            ]
        );
    }
}
