//! Why sops gave no data key.
//!
//! Invariant: every text is of a fixed list. What sops, gpg and the services write goes nowhere:
//! nobody can say what is in it.

/// Why one call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyServiceError {
    /// There is no such program.
    #[error("the program that VANTA_SOPS_PROGRAM names was not found: install sops")]
    NoProgram,
    /// There is one, and it does not start.
    #[error("sops cannot be started: {0}")]
    Start(&'static str),
    /// It started, and listened to nobody within the deadline.
    #[error("sops was started and did not listen in time")]
    SlowStart,
    /// It ended or closed the connection before it answered, more than once.
    #[error("sops ended before it answered")]
    Ended,
    /// Who asked it failed before there was an answer.
    #[error("the vault failed while it asked sops, and asks again: its log says more")]
    Lost,
    /// It did not answer within the deadline.
    #[error("sops did not answer in time: look at whether it reaches the key's service")]
    Deadline,
    /// What it answered is not of the protocol, or too long.
    #[error("sops answered with what is no data key")]
    BadAnswer,
    /// It answered that it could not.
    #[error("sops could not decrypt the data key: {0}")]
    Refused(Cause),
    /// The environment's file names other data keys again and again.
    #[error(
        "too many data keys of this environment, or of its ConfigMap, were asked for within a minute"
    )]
    Busy,
}

/// What sops found, as far as its message is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// GnuPG's key ring has no secret key that opens it.
    #[error("GnuPG has no secret key for it (GNUPGHOME, HOME)")]
    NoSecretKey,
    /// GnuPG wants a passphrase.
    #[error("GnuPG wants a passphrase, and there is nobody to ask: keep the key without one")]
    Passphrase,
    /// `gpg` is not installed.
    #[error("gpg was not found on the PATH: install GnuPG")]
    NoGpg,
    /// There are no credentials, or they have expired.
    #[error("it has no credentials for the key's service, or they have expired")]
    Credentials,
    /// The service does not allow it.
    #[error("the key's service does not allow it: look at the credentials' rights to the key")]
    Denied,
    /// The service knows no such key.
    #[error("the key's service knows no such key")]
    NoKey,
    /// The service cannot be reached.
    #[error("the key's service cannot be reached")]
    Unreachable,
    /// The service's certificate is not believed.
    #[error("the certificate of the key's service is not believed (SSL_CERT_FILE, VAULT_CACERT)")]
    Certificate,
    /// The ciphertext is not the key's.
    #[error("the encrypted data key is not one of this key's")]
    Ciphertext,
    /// Something else.
    #[error("run `sops decrypt` on the file with the same variables to see why")]
    Other,
}

impl Cause {
    /// What a message of sops speaks of. The first that fits holds.
    pub(super) fn of(message: &str) -> Self {
        const KNOWN: [(Cause, &[&str]); 10] = [
            (Cause::NoGpg, &["exec: \"gpg\"", "executable file not found"]),
            (
                Cause::Passphrase,
                &["inappropriate ioctl", "pinentry", "passphrase", "cannot open '/dev/tty'"],
            ),
            (Cause::NoSecretKey, &["no secret key", "secret key not available"]),
            (Cause::Certificate, &["x509:", "certificate signed by unknown", "tls: "]),
            // Where there are none, the clouds' own metadata services are tried, and time out.
            (Cause::Credentials, &["imds", "default credentials", "defaultazurecredential"]),
            (
                Cause::Unreachable,
                &[
                    "connection refused",
                    "no such host",
                    "i/o timeout",
                    "network is unreachable",
                    "no route to host",
                    "connection reset",
                    "dial tcp",
                    "deadline exceeded",
                ],
            ),
            (
                Cause::Ciphertext,
                &["invalidciphertext", "base64", "no valid openpgp data", "cipher: message"],
            ),
            (
                Cause::Denied,
                &[
                    "accessdenied",
                    "permission denied",
                    "permissiondenied",
                    "forbidden",
                    "code: 403",
                ],
            ),
            (
                Cause::Credentials,
                &[
                    "credential",
                    "expiredtoken",
                    "unauthenticated",
                    "missing client token",
                    "unauthorized",
                    "code: 401",
                ],
            ),
            (Cause::NoKey, &["notfound", "not found", "code: 404", "does not exist"]),
        ];
        let message = message.to_ascii_lowercase();
        let known = KNOWN.iter().find(|(_, texts)| texts.iter().any(|it| message.contains(it)));
        known.map_or(Self::Other, |(cause, _)| *cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sops_says_becomes_a_text_of_the_vault_s_own() {
        for (message, cause) in [
            (
                "failed to decrypt sops data key with pgp: gpg: decryption failed: No secret key",
                Cause::NoSecretKey,
            ),
            (
                "gpg: public key decryption failed: Inappropriate ioctl for device",
                Cause::Passphrase,
            ),
            ("exec: \"gpg\": executable file not found in $PATH", Cause::NoGpg),
            ("dial tcp 127.0.0.1:1: connect: connection refused", Cause::Unreachable),
            ("Code: 403. Errors:\n\n* permission denied", Cause::Denied),
            ("operation error KMS: Decrypt, AccessDeniedException", Cause::Denied),
            (
                "failed to decrypt sops data key from Vault transit backend \
                 'transit/decrypt/sops': Put \"https://127.0.0.1:8200/v1/transit/decrypt/sops\": \
                 tls: failed to verify certificate: x509: certificate signed by unknown authority",
                Cause::Certificate,
            ),
            // It speaks of a status too, which by itself would be a lack of rights.
            (
                "failed to decrypt sops data key with AWS KMS: operation error KMS: Decrypt, get \
                 identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role \
                 found, operation error ec2imds: GetMetadata, http response error StatusCode: 403, \
                 request to EC2 IMDS failed",
                Cause::Credentials,
            ),
            ("Code: 400. Errors:\n\n* missing client token", Cause::Credentials),
            ("Code: 400. Errors:\n\n* encryption key not found", Cause::NoKey),
            (
                "operation error KMS: Decrypt, https response error StatusCode: 400, \
                 NotFoundException: Key 'arn:aws:kms:eu-west-1:111122223333:key/9f0c' does not exist",
                Cause::NoKey,
            ),
            ("Code: 400. Errors:\n\n* cipher: message authentication failed", Cause::Ciphertext),
            (
                "operation error KMS: Decrypt, https response error StatusCode: 400, \
                 InvalidCiphertextException: ",
                Cause::Ciphertext,
            ),
            ("hunter2", Cause::Other),
        ] {
            assert_eq!(Cause::of(message), cause, "{message}");
        }
    }
}
