//! Reading certificates (X.509, RFC 5280) in PEM (RFC 7468).

use rcgen::{KeyPair, PublicKeyData as _};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::Pem;

use super::AuthorityError;
use crate::domain::authority::Validity;

/// A certificate, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Itself, as one PEM block.
    pub pem: String,
    /// When it is valid.
    pub validity: Validity,
    /// The DNS names that it is for.
    pub names: Vec<String>,
    /// Whether it may sign others.
    pub is_authority: bool,
    key_id: Option<Vec<u8>>,
    signer_key_id: Option<Vec<u8>>,
    public_key: Vec<u8>,
}

impl Certificate {
    /// The first certificate of a text.
    pub fn first(pem: &[u8]) -> Result<Self, AuthorityError> {
        Self::all(pem)?.into_iter().next().ok_or(AuthorityError::NoCertificate)
    }

    /// All certificates of a text.
    pub fn all(pem: &[u8]) -> Result<Vec<Self>, AuthorityError> {
        let mut all = Vec::new();
        for block in Pem::iter_from_buffer(pem) {
            let block = block.map_err(|_| AuthorityError::Unreadable)?;
            let (rest, parsed) = x509_parser::parse_x509_certificate(&block.contents)
                .map_err(|_| AuthorityError::Unreadable)?;
            if block.label != "CERTIFICATE" || !rest.is_empty() {
                return Err(AuthorityError::Unreadable);
            }
            all.push(Self::of(&parsed, &block.contents));
        }
        Ok(all)
    }

    fn of(parsed: &X509Certificate<'_>, der: &[u8]) -> Self {
        let mut certificate = Self {
            pem: pem_block(der),
            validity: Validity {
                begin: parsed.validity().not_before.timestamp(),
                end: parsed.validity().not_after.timestamp(),
            },
            names: Vec::new(),
            is_authority: parsed.is_ca(),
            key_id: None,
            signer_key_id: None,
            public_key: parsed.public_key().raw.to_vec(),
        };
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => {
                    let dns = names.general_names.iter().filter_map(|name| match name {
                        GeneralName::DNSName(name) => Some((*name).to_owned()),
                        _ => None,
                    });
                    certificate.names.extend(dns);
                }
                ParsedExtension::SubjectKeyIdentifier(id) => {
                    certificate.key_id = Some(id.0.to_vec());
                }
                ParsedExtension::AuthorityKeyIdentifier(id) => {
                    certificate.signer_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
                }
                _ => {}
            }
        }
        certificate
    }

    /// Whether this one names the other as its signer.
    pub fn is_signed_by(&self, authority: &Self) -> bool {
        self.signer_key_id.is_some() && self.signer_key_id == authority.key_id
    }

    /// Whether the private key is its own.
    pub fn has_key(&self, key_pem: &[u8]) -> bool {
        std::str::from_utf8(key_pem)
            .ok()
            .and_then(|pem| KeyPair::from_pem(pem).ok())
            .is_some_and(|key| key.subject_public_key_info() == self.public_key)
    }
}

/// Several as one text.
pub fn bundle<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates.into_iter().map(|certificate| certificate.pem.as_str()).collect()
}

fn pem_block(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
