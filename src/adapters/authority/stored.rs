//! What the Secrets of certificates hold, and how it is read.
//!
//! The authority's: `tls.crt` and `tls.key` sign; `next.crt` and `next.key`, where they are there,
//! will; `ca.crt` is the bundle, all that is trusted, those that signed before among it. A service's:
//! `tls.crt` and `tls.key`, and the bundle in `ca.crt`.

use zeroize::Zeroizing;

use super::AuthorityError;
use super::certificate::{Certificate, bundle};
use super::issue::{Issued, issue, new_authority};
use super::secrets::{SecretData, StoredSecret};
use crate::domain::authority::Served;
use crate::domain::pod::AUTHORITY_FILE;

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";

/// An authority with its key.
pub struct Signer {
    /// Its certificate.
    pub certificate: Certificate,
    key: Zeroizing<String>,
}

impl Signer {
    /// Makes one.
    pub fn create(now: i64) -> Result<Self, AuthorityError> {
        let Issued { certificate, key } = new_authority(now)?;
        Ok(Self { certificate: Certificate::first(certificate.as_bytes())?, key })
    }

    fn read(
        value: impl Fn(&str) -> Option<Vec<u8>>,
        certificate: &str,
        key: &str,
    ) -> Result<Self, AuthorityError> {
        let value = |key| value(key).ok_or(AuthorityError::NoCertificate);
        let certificate = Certificate::first(&value(certificate)?)?;
        let key = String::from_utf8(value(key)?).map_err(|_| AuthorityError::KeyUnreadable)?;
        let key = Zeroizing::new(key);
        if !certificate.is_authority {
            return Err(AuthorityError::NotAnAuthority);
        }
        if !certificate.has_key(key.as_bytes()) {
            return Err(AuthorityError::OtherKey);
        }
        Ok(Self { certificate, key })
    }

    /// Makes a service's Secret with a certificate for these names.
    pub fn issue(
        &self,
        names: &[String],
        bundle: &str,
        now: i64,
    ) -> Result<SecretData, AuthorityError> {
        let Issued { certificate, key } = issue(&self.certificate, &self.key, names, now)?;
        Ok(served_data(certificate, key, bundle))
    }
}

/// The authority's Secret.
pub struct Authority {
    /// The one that signs.
    pub current: Signer,
    /// The one that will, and is trusted already.
    pub next: Option<Signer>,
    earlier: Vec<Certificate>,
    bundle: Vec<u8>,
}

impl Authority {
    /// Reads it. What cannot be read of the next authority and of the bundle is made again; what
    /// signs is not, since somebody may have put their own there.
    pub fn read(stored: &StoredSecret) -> Result<Self, AuthorityError> {
        Self::of(|key| stored.value(key).map(<[u8]>::to_vec))
    }

    fn of(value: impl Fn(&str) -> Option<Vec<u8>>) -> Result<Self, AuthorityError> {
        let bundle = value(AUTHORITY_FILE).unwrap_or_default();
        Ok(Self {
            current: Signer::read(&value, CERTIFICATE, KEY)?,
            next: Signer::read(&value, NEXT_CERTIFICATE, NEXT_KEY).ok(),
            earlier: Certificate::all(&bundle).unwrap_or_default(),
            bundle,
        })
    }

    /// Those that are trusted now.
    pub fn trusted(&self, now: i64) -> Vec<Certificate> {
        let next = self.next.as_ref().map(|next| &next.certificate);
        let all = [&self.current.certificate].into_iter().chain(next).chain(&self.earlier);
        let trusted = all.filter(|it| it.is_authority && !it.validity.is_over(now));
        each_once(trusted.cloned())
    }

    /// Whether its bundle is of just those that are trusted now.
    pub fn has_its_bundle(&self, now: i64) -> bool {
        self.bundle == bundle(&self.trusted(now)).as_bytes()
    }
}

/// What an authority's Secret holds.
pub fn authority_data(
    current: &Signer,
    next: Option<&Signer>,
    trusted: Vec<Certificate>,
) -> SecretData {
    let signers = [Some(current), next].into_iter().flatten();
    let all = signers.map(|signer| signer.certificate.clone()).chain(trusted);
    let mut data: SecretData = [
        (CERTIFICATE, current.certificate.pem.clone().into()),
        (KEY, current.key.clone()),
        (AUTHORITY_FILE, bundle(&each_once(all)).into()),
    ]
    .into();
    if let Some(next) = next {
        data.insert(NEXT_CERTIFICATE, next.certificate.pem.clone().into());
        data.insert(NEXT_KEY, next.key.clone());
    }
    data
}

/// The certificate of a service's Secret, where it can be read.
pub fn read_served(stored: &StoredSecret, authority: &Signer) -> Option<Served> {
    let certificate = Certificate::first(stored.value(CERTIFICATE)?).ok()?;
    Some(Served {
        validity: certificate.validity,
        has_its_key: certificate.has_key(stored.value(KEY)?),
        is_of_current: certificate.is_signed_by(&authority.certificate),
        names: certificate.names,
    })
}

/// The certificate with its chain, and the key, of a service's Secret.
pub fn certificate_and_key(stored: &StoredSecret) -> (&[u8], &[u8]) {
    let value = |key| stored.value(key).unwrap_or_default();
    (value(CERTIFICATE), value(KEY))
}

/// The same certificate and key with this bundle, where the Secret has another.
pub fn with_bundle(stored: &StoredSecret, bundle: &str) -> Option<SecretData> {
    if stored.value(AUTHORITY_FILE) == Some(bundle.as_bytes()) {
        return None;
    }
    let (certificate, key) = certificate_and_key(stored);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(served_data(text(certificate), text(key).into(), bundle))
}

fn served_data(certificate: String, key: Zeroizing<String>, bundle: &str) -> SecretData {
    let bundle = bundle.to_owned().into();
    [(CERTIFICATE, certificate.into()), (KEY, key), (AUTHORITY_FILE, bundle)].into()
}

fn each_once(certificates: impl IntoIterator<Item = Certificate>) -> Vec<Certificate> {
    let mut all = Vec::new();
    for certificate in certificates {
        if !all.contains(&certificate) {
            all.push(certificate);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::authority::AUTHORITY_LIFE;

    const NOW: i64 = 1_800_000_000;

    fn read(data: &SecretData) -> Result<Authority, AuthorityError> {
        Authority::of(|key| data.get(key).map(|text| text.as_bytes().to_vec()))
    }

    fn refused(data: &SecretData) -> String {
        read(data).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn an_authority_passes_on_to_the_next_and_stays_trusted_until_it_ends() {
        let first = Signer::create(NOW).unwrap();
        let data = authority_data(&first, None, vec![]);
        let read_first = read(&data).unwrap();
        assert!(read_first.has_its_bundle(NOW) && read_first.next.is_none());

        let later = NOW + AUTHORITY_LIFE / 2;
        let second = Signer::create(later).unwrap();
        let data = authority_data(&first, Some(&second), read_first.trusted(later));
        let prepared = read(&data).unwrap();
        assert_eq!(prepared.current.certificate, first.certificate);
        let both = [first.certificate.clone(), second.certificate.clone()];
        assert_eq!(prepared.trusted(later), both);

        let next = prepared.next.as_ref().unwrap();
        let promoted = read(&authority_data(next, None, prepared.trusted(later))).unwrap();
        assert_eq!(promoted.current.certificate, second.certificate);
        let both = [second.certificate.clone(), first.certificate.clone()];
        assert_eq!(promoted.trusted(later), both);
        assert!(promoted.has_its_bundle(later));

        let end = NOW + AUTHORITY_LIFE + 1;
        assert_eq!(promoted.trusted(end), [second.certificate]);
        assert!(!promoted.has_its_bundle(end), "the one that is over is taken out");
    }

    #[test]
    fn what_signs_is_refused_where_it_cannot_and_the_rest_is_made_again() {
        let signer = Signer::create(NOW).unwrap();
        let whole = authority_data(&signer, None, vec![]);
        let with = |key, text: &str| {
            let mut data = whole.clone();
            data.insert(key, text.to_owned().into());
            data
        };
        let serving = signer.issue(&["a".to_owned()], "", NOW).unwrap();
        assert!(refused(&with(CERTIFICATE, &serving[CERTIFICATE])).contains("no authority's"));
        assert!(refused(&with(KEY, &serving[KEY])).contains("another's"));
        assert!(refused(&with(CERTIFICATE, "x")).contains("no certificate"));
        for key in [AUTHORITY_FILE, NEXT_CERTIFICATE] {
            let read = read(&with(key, "x")).unwrap();
            assert_eq!(read.trusted(NOW), std::slice::from_ref(&signer.certificate));
        }
    }
}
