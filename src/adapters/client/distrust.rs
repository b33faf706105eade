//! What is wrong with a certificate, in words, where rustls has only its types' names.

use std::fmt;
use std::io;

use rustls::{CertificateError, Error, OtherError};

/// Why a vault's certificate is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// No authority that is believed issued it.
    Issuer,
    /// It is an authority's own, and no server's.
    Authority,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is for other names than the one that the vault is addressed by.
    Name,
    /// Something else, in rustls' words.
    Other(String),
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuer => "no authority that is trusted here issued its certificate",
            Self::Authority => "its certificate is an authority's own (CA:TRUE) and cannot serve",
            Self::Expired => "its certificate has expired",
            Self::NotYetValid => "its certificate is not valid yet",
            Self::Name => "its certificate is not for that name",
            Self::Other(why) => why,
        })
    }
}

impl From<&Error> for Distrust {
    fn from(error: &Error) -> Self {
        use CertificateError as Wrong;
        let Error::InvalidCertificate(wrong) = error else {
            return Self::Other(error.to_string());
        };
        match wrong {
            // An authority that was made anew under its old name signs otherwise.
            Wrong::UnknownIssuer | Wrong::BadSignature => Self::Issuer,
            Wrong::Expired | Wrong::ExpiredContext { .. } => Self::Expired,
            Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => Self::NotYetValid,
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => Self::Name,
            Wrong::Other(other) if is_an_authority_s(other) => Self::Authority,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// As a transport gives it: rustls' errors come through input and output too.
impl From<&io::Error> for Distrust {
    fn from(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(inner) => inner.into(),
            None => Self::Other(error.to_string()),
        }
    }
}

/// The type is webpki's, which rustls does not give on.
fn is_an_authority_s(error: &OtherError) -> bool {
    error.to_string().contains("CaUsedAsEndEntity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_through_input_and_output_is_known_too() {
        let expired = Error::InvalidCertificate(CertificateError::Expired);
        let wrapped = io::Error::new(io::ErrorKind::InvalidData, expired);
        assert_eq!(Distrust::from(&wrapped), Distrust::Expired);
        let other = io::Error::new(io::ErrorKind::InvalidData, "odd");
        assert_eq!(Distrust::from(&other), Distrust::Other("odd".to_owned()));
    }
}
