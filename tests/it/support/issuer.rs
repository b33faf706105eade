//! An OpenID Connect issuer on a loopback port, over TLS by an authority of its own, with real
//! keys: and all that a real one cannot be brought to do.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer as Signer, KeyPair, PKCS_ECDSA_P384_SHA384,
    PKCS_ED25519, PublicKeyData as _, SignatureAlgorithm,
};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

/// What the issuer does when it is asked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Manner {
    Willing,
    /// It closes connections.
    Away,
    /// It takes the question and never answers.
    Slow,
    /// It answers with this status.
    Status(u16),
    /// It sends whoever asks to this URL.
    Redirects(String),
    /// Its answer has no end.
    Endless,
    /// Its discovery document is another issuer's.
    Impostor,
    /// Its discovery document says that its keys are at this URL.
    Points(String),
}

/// A key that signs, and what its set says of it.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pub(crate) algorithm: Algorithm,
    pub(crate) jwk: Value,
    encoding: EncodingKey,
}

impl SigningKey {
    /// An RSA key, which is made once: that takes long.
    pub(crate) fn rsa(key_id: &str, algorithm: Algorithm) -> Self {
        static MADE: OnceLock<rsa::RsaPrivateKey> = OnceLock::new();
        let key = MADE.get_or_init(|| {
            rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).expect("a key can be made")
        });
        let number = |number: &rsa::BigUint| URL_SAFE_NO_PAD.encode(number.to_bytes_be());
        let der = key.to_pkcs1_der().expect("a key can be written");
        Self {
            algorithm,
            jwk: json!({"kty": "RSA", "kid": key_id, "n": number(key.n()), "e": number(key.e())}),
            encoding: EncodingKey::from_rsa_der(der.as_bytes()),
        }
    }

    pub(crate) fn p256(key_id: &str) -> Self {
        Self::elliptic(key_id, "P-256", &rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::ES256)
    }

    pub(crate) fn p384(key_id: &str) -> Self {
        Self::elliptic(key_id, "P-384", &PKCS_ECDSA_P384_SHA384, Algorithm::ES384)
    }

    fn elliptic(
        key_id: &str,
        curve: &str,
        kind: &'static SignatureAlgorithm,
        algorithm: Algorithm,
    ) -> Self {
        let pair = KeyPair::generate_for(kind).expect("a key can be made");
        // An uncompressed point: a byte that says so, x, y.
        let (x, y) = pair.der_bytes()[1..].split_at(pair.der_bytes().len() / 2);
        let [x, y] = [x, y].map(|number| URL_SAFE_NO_PAD.encode(number));
        Self {
            algorithm,
            jwk: json!({"kty": "EC", "crv": curve, "kid": key_id, "x": x, "y": y}),
            encoding: EncodingKey::from_ec_der(&pair.serialize_der()),
        }
    }

    pub(crate) fn ed25519(key_id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).expect("a key can be made");
        let x = URL_SAFE_NO_PAD.encode(pair.der_bytes());
        Self {
            algorithm: Algorithm::EdDSA,
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "kid": key_id, "x": x}),
            encoding: EncodingKey::from_ed_der(&pair.serialize_der()),
        }
    }

    /// A token with just this header and these claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, self.algorithm);
        format!("{message}.{}", signature.expect("a message can be signed"))
    }

    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm, "kid": self.jwk["kid"], "typ": "JWT"})
    }
}

struct State {
    manner: Manner,
    keys: Vec<Value>,
    asked: Vec<String>,
}

/// An issuer that serves.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    /// The authority that its certificate comes from, PEM.
    pub(crate) authority: String,
    state: Arc<Mutex<State>>,
}

impl Issuer {
    pub(crate) fn start(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let (authority, tls) = certificate();
        let state = State {
            manner: Manner::Willing,
            keys: keys.iter().map(|key| key.jwk.clone()).collect(),
            asked: Vec::new(),
        };
        let issuer = Self {
            url: format!("https://localhost:{port}"),
            authority,
            state: Arc::new(Mutex::new(state)),
        };
        let serving = issuer.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (serving, tls) = (serving.clone(), Arc::clone(&tls));
                // A client that goes away in the middle is its own affair.
                std::thread::spawn(move || serving.answer(stream, tls).ok());
            }
        });
        issuer
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().expect("no holder panics"))
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.with(|state| state.manner = manner);
    }

    /// Puts these keys in place of its own.
    pub(crate) fn rotate(&self, keys: &[&SigningKey]) {
        self.with(|state| state.keys = keys.iter().map(|key| key.jwk.clone()).collect());
    }

    /// How often it was asked for this path.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.with(|state| state.asked.iter().filter(|asked| asked.as_str() == path).count())
    }

    /// Good claims of one of its subjects, which end in five minutes.
    pub(crate) fn claims(&self, subject: &str) -> Value {
        let now = Timestamp::now().as_second();
        json!({
            "iss": self.url, "sub": subject, "aud": "vanta-vault",
            "iat": now, "nbf": now, "exp": now + 300, "jti": "job-1",
        })
    }

    /// A good token of one of its subjects.
    pub(crate) fn token(&self, key: &SigningKey, subject: &str) -> String {
        key.sign(&key.header(), &self.claims(subject))
    }

    fn answer(&self, stream: TcpStream, tls: Arc<rustls::ServerConfig>) -> std::io::Result<()> {
        let manner = self.with(|state| state.manner.clone());
        if manner == Manner::Away {
            return Ok(());
        }
        let connection = rustls::ServerConnection::new(tls).map_err(std::io::Error::other)?;
        let mut reader = BufReader::new(rustls::StreamOwned::new(connection, stream));
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 || header == "\r\n" {
                break;
            }
        }
        self.with(|state| state.asked.push(path.clone()));
        let mut stream = reader.into_inner();
        match (manner, path.as_str()) {
            (Manner::Slow, _) => std::thread::sleep(Duration::from_mins(1)),
            (Manner::Status(status), _) => respond(&mut stream, status, "", "{}")?,
            (Manner::Redirects(to), _) => {
                respond(&mut stream, 302, &format!("Location: {to}\r\n"), "")?;
            }
            (Manner::Endless, _) => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")?;
                loop {
                    stream.write_all(&[b' '; 8 * 1024])?;
                }
            }
            (manner, "/.well-known/openid-configuration") => {
                let own = (self.url.clone(), format!("{}/keys", self.url));
                let (issuer, keys) = match manner {
                    Manner::Impostor => ("https://issuer.example".to_owned(), own.1),
                    Manner::Points(keys) => (own.0, keys),
                    _ => own,
                };
                let document = json!({"issuer": issuer, "jwks_uri": keys});
                respond(&mut stream, 200, "", &document.to_string())?;
            }
            (_, "/keys") => {
                let keys = self.with(|state| json!({"keys": state.keys}));
                respond(&mut stream, 200, "Cache-Control: max-age=600\r\n", &keys.to_string())?;
            }
            _ => respond(&mut stream, 404, "", "{}")?,
        }
        stream.conn.send_close_notify();
        stream.flush()
    }
}

fn respond(stream: &mut impl Write, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         {headers}Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}

/// An authority, PEM, and a server whose certificate it has signed.
fn certificate() -> (String, Arc<rustls::ServerConfig>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = KeyPair::generate().expect("a key can be made");
    let mut params = CertificateParams::new(Vec::new()).expect("no name is a bad one");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("an authority signs itself").pem();
    let signer = Signer::new(params, key);
    let own = KeyPair::generate().expect("a key can be made");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("it is a name");
    let certificate = params.signed_by(&own, &signer).expect("the authority signs");
    let own = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], own)
        .expect("the key is the certificate's");
    (authority, Arc::new(tls))
}
