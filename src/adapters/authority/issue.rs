//! Making certificates: ECDSA over P-256, as small as they can be.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _,
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::AuthorityError;
use super::certificate::Certificate;
use crate::domain::authority::{AUTHORITY_LIFE, SERVING_LIFE, Validity};

/// A certificate and its private key, in PEM.
#[derive(Clone)]
pub(super) struct Issued {
    /// The certificate.
    pub(super) certificate: String,
    /// Its key.
    pub(super) key: Zeroizing<String>,
}

/// Makes an authority, which signs itself.
pub(super) fn new_authority(now: i64) -> Result<Issued, AuthorityError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    set_validity(&mut params, Validity::from_now(now, AUTHORITY_LIFE, None));
    // A name of its own, so that of two authorities each is found by its name.
    let id = hex::encode(&Sha256::digest(key.subject_public_key_info())[..4]);
    params.distinguished_name = name(&format!("VANTA authority {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?;
    Ok(Issued { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
}

/// Makes a server's certificate for these DNS names.
pub(super) fn issue(
    authority: &Certificate,
    authority_key: &str,
    names: &[String],
    now: i64,
) -> Result<Issued, AuthorityError> {
    let signing = KeyPair::from_pem(authority_key).map_err(|_| AuthorityError::KeyUnreadable)?;
    let issuer = Issuer::from_ca_cert_pem(&authority.pem, signing)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    set_validity(&mut params, Validity::from_now(now, SERVING_LIFE, Some(authority.validity.end)));
    params.distinguished_name = name(names.first().map_or("", String::as_str));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok(Issued { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    let at = |seconds: i64| {
        let seconds = u64::try_from(seconds).unwrap_or_default();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    params.not_before = at(validity.begin);
    params.not_after = at(validity.end);
}

fn name(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::super::certificate::bundle;
    use super::*;
    use crate::domain::authority::{BACKDATED, service_names};

    const NOW: i64 = 1_800_000_000;

    fn authority() -> (Certificate, Issued) {
        let issued = new_authority(NOW).unwrap();
        (Certificate::first(issued.certificate.as_bytes()).unwrap(), issued)
    }

    fn names() -> Vec<String> {
        service_names("vanta-vault", "vanta-system")
    }

    fn serving(authority: &(Certificate, Issued)) -> (Certificate, Issued) {
        let issued = issue(&authority.0, &authority.1.key, &names(), NOW).unwrap();
        (Certificate::first(issued.certificate.as_bytes()).unwrap(), issued)
    }

    /// Whether a client that trusts this bundle takes the certificate for the name at this time.
    fn is_trusted(bundle: &str, certificate: &Certificate, name: &str, now: i64) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(root.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = verifier.build().unwrap();
        let end = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.try_into().unwrap()));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(&end, &[], &name, &[], now).is_ok()
    }

    #[test]
    fn clients_take_a_certificate_for_its_names_and_its_time_alone() {
        let authority = authority();
        let (certificate, _) = serving(&authority);
        for name in names() {
            assert!(is_trusted(&authority.0.pem, &certificate, &name, NOW), "{name}");
        }
        let name = "vanta-vault.vanta-system.svc";
        assert!(is_trusted(&authority.0.pem, &certificate, name, NOW - BACKDATED));
        assert!(!is_trusted(&authority.0.pem, &certificate, name, NOW + SERVING_LIFE + 1));
        assert!(!is_trusted(&authority.0.pem, &certificate, "vanta-injector", NOW));
    }

    #[test]
    fn a_bundle_of_two_authorities_vouches_for_the_certificates_of_both() {
        let (old, new) = (authority(), authority());
        let both = bundle([&old.0, &new.0]);
        for authority in [&old, &new] {
            assert!(is_trusted(&both, &serving(authority).0, "vanta-vault", NOW));
        }
        assert!(!is_trusted(&old.0.pem, &serving(&new).0, "vanta-vault", NOW));
        assert_eq!(Certificate::all(both.as_bytes()).unwrap(), [old.0, new.0]);
    }

    #[test]
    fn what_was_made_reads_back_as_what_was_meant() {
        let authority = authority();
        let (certificate, issued) = serving(&authority);
        assert!(authority.0.is_authority && !certificate.is_authority);
        assert_eq!(authority.0.validity, Validity::from_now(NOW, AUTHORITY_LIFE, None));
        assert_eq!(certificate.validity, Validity::from_now(NOW, SERVING_LIFE, None));
        assert_eq!(certificate.names, names());
        assert_eq!(certificate.pem, issued.certificate);
        assert!(certificate.is_signed_by(&authority.0));
        assert!(!certificate.is_signed_by(&self::authority().0));
        assert!(certificate.has_key(issued.key.as_bytes()));
        assert!(!certificate.has_key(authority.1.key.as_bytes()));
        assert!(!certificate.has_key(b"no key"));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let (_, issued) = authority();
        for text in ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &issued.key]
        {
            assert!(Certificate::all(text.as_bytes()).is_err());
        }
        assert!(Certificate::first(b"").is_err());
        assert!(issue(&authority().0, "no key", &names(), NOW).is_err());
    }
}
