//! A vault in a cluster: service accounts, grants and SOPS files come from its API server.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::fake_cluster::{FakeCluster, Mood};
use crate::support::program::{Program, Site, agent, example, until};

pub(super) const ACCESS: &str = "
apiVersion: vanta.dev/v1alpha1
kind: SecretAccess
metadata: {name: checkout, namespace: shop}
spec: {subject: {serviceAccount: checkout}, environment: prod, keyPattern: 'APP_*', permissions: [read, list]}
";

pub(super) const POLICY: &str = "
apiVersion: vanta.dev/v1alpha1
kind: SecretPolicy
metadata: {name: shop-prod}
spec:
  subjects: [{namespace: shop, serviceAccounts: ['*']}]
  environment: prod
  keyPatterns: ['APP_*']
  permissions: [read, list]
  maxTtlMinutes: 30
";

/// A cluster and the vault that runs in it.
pub(super) struct Scenario {
    pub(super) cluster: FakeCluster,
    pub(super) site: Site,
}

impl Scenario {
    /// With the example environment as `prod`, and these objects.
    pub(super) fn with(objects: &[&str]) -> Self {
        let cluster = FakeCluster::start();
        cluster.apply(&sops("prod", "prod.enc.yaml"));
        for object in objects {
            cluster.apply(object);
        }
        Self { cluster, site: Site::new() }
    }

    pub(super) fn command(&self) -> Command {
        self.site.write("kubeconfig", &self.cluster.kubeconfig());
        let mut command = self.site.command();
        command
            .env_remove("VANTA_ACCESS_PATH")
            .env_remove("VANTA_SOPS_FILES_PATH")
            .env("VANTA_KUBERNETES", "true")
            .env("KUBECONFIG", self.site.path("kubeconfig"));
        command
    }

    /// A vault that has read all.
    pub(super) fn start(&self) -> Program {
        let vault = Program::start(self.command(), "http");
        until("the vault is ready", || (vault.health("/readyz").0 == 200).then_some(()));
        vault
    }

    pub(super) fn token(&self) -> String {
        self.cluster.account_token("shop:checkout", &json!({}))
    }

    /// Waits until the SecretAccess is ready, or not, for this reason: its message.
    pub(super) fn until_reason(&self, name: &str, expected: &str) -> String {
        until(&format!("{name} is {expected}"), || {
            let (_, reason, message) = self.cluster.ready("shop", name)?;
            (reason == expected).then_some(message)
        })
    }
}

/// A ConfigMap with the example environment under this file name.
pub(super) fn sops(name: &str, file: &str) -> String {
    let text = std::fs::read_to_string(example("dev.enc.yaml")).expect("the example is there");
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "vanta-system", "labels": {"vanta.dev/sops": "true"}},
        "data": {file: text},
    })
    .to_string()
}

/// Asks for a token with somebody's proof: the status and the answer.
pub(super) fn generate(vault: &Program, proof: &str) -> (u16, Value) {
    generate_of(vault, proof, "prod")
}

pub(super) fn generate_of(vault: &Program, proof: &str, environment: &str) -> (u16, Value) {
    let mut answer = agent()
        .post(format!("{}/api/v1/vault/tokens/generate", vault.api))
        .header("authorization", format!("Bearer {proof}"))
        .send_json(json!({
            "environment": environment, "key_pattern": "APP_*", "permissions": ["read", "list"],
        }))
        .expect("the vault answers");
    let body = answer.body_mut().read_json().expect("the answer is JSON");
    (answer.status().as_u16(), body)
}

pub(super) fn access_token(vault: &Program, proof: &str) -> String {
    let (_, answer) = generate(vault, proof);
    answer["token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
}

pub(super) fn read(vault: &Program, token: &str) -> u16 {
    vault.read(&agent(), "prod/APP_DB_USER", token).expect("the vault answers").status
}

#[test]
fn a_service_account_reads_what_it_may_until_its_grant_is_deleted() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    let token = access_token(&vault, &scenario.token());
    assert_eq!(vault.read(&agent(), "prod/APP_DB_USER", &token).unwrap().text, "app");
    scenario.cluster.delete("secretaccesses", "shop", "checkout");
    until("the token is refused", || (read(&vault, &token) == 403).then_some(()));
    assert_eq!(generate(&vault, &scenario.token()).0, 403);
}

#[test]
fn a_token_is_worth_what_the_api_server_says_of_it() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let (vault, cluster) = (scenario.start(), &scenario.cluster);
    let user = json!({"username": "system:serviceaccount:shop:checkout"});
    let end = 4_000_000_000;
    let said = |status: Value| cluster.token("vanta-vault", end, status);
    for (token, why) in [
        (said(json!({"authenticated": false, "error": "expired"})), "not authenticated"),
        (said(json!({"authenticated": true, "user": user})), "no audiences"),
        (
            said(json!({"authenticated": true, "user": user, "audiences": ["other"]})),
            "another audience",
        ),
        (
            said(
                json!({"authenticated": true, "user": {"username": "system:node:n"}, "audiences": ["vanta-vault"]}),
            ),
            "a node",
        ),
        (
            said(json!({"authenticated": true, "audiences": ["vanta-vault"], "user": {
                "username": "system:serviceaccount:shop:checkout",
                "extra": {"authentication.kubernetes.io/pod-name": ["p"]},
            }})),
            "half of a pod",
        ),
        (said(json!({"authenticated": true, "audiences": ["vanta-vault"]})), "nobody"),
    ] {
        assert_eq!(generate(&vault, &token).0, 401, "{why}");
    }
    let reviews = cluster.asked("POST /apis/authentication.k8s.io");
    let status = json!({"authenticated": true, "audiences": ["vanta-vault"], "user": user});
    assert_eq!(generate(&vault, &cluster.token("other", end, status)).0, 401);
    assert_eq!(generate(&vault, "no-token-at-all").0, 401);
    assert_eq!(cluster.asked("POST /apis/authentication.k8s.io"), reviews, "it was asked in vain");
    assert_eq!(generate(&vault, &scenario.token()).0, 200);
    let other = cluster.account_token("shop:other", &json!({}));
    assert_eq!(generate(&vault, &other).0, 403);
}

#[test]
fn a_token_that_is_bound_to_a_pod_says_so_and_ends_with_the_proof() {
    let bound = POLICY.replace("maxTtlMinutes: 30", "requirePodBoundToken: true");
    let scenario = Scenario::with(&[ACCESS, &bound]);
    let vault = scenario.start();
    let (status, problem) = generate(&vault, &scenario.token());
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("requires a pod-bound token"));
    let soon = jiff::Timestamp::now().as_second() + 100;
    let proof = scenario.cluster.token(
        "vanta-vault",
        soon,
        json!({"authenticated": true, "audiences": ["vanta-vault"], "user": {
            "username": "system:serviceaccount:shop:checkout",
            "uid": "account-uid",
            "extra": {
                "authentication.kubernetes.io/pod-name": ["checkout-1"],
                "authentication.kubernetes.io/pod-uid": ["pod-uid"],
                "authentication.kubernetes.io/credential-id": ["JTI=1"],
            },
        }}),
    );
    let (status, answer) = generate(&vault, &proof);
    assert_eq!(status, 200, "{answer}");
    assert!(answer["expires_in"].as_i64().unwrap() <= 100, "{answer}");
    let audit = scenario.site.audit().concat();
    assert!(audit.contains(r#""pod":{"namespace":"shop","name":"checkout-1","uid":"pod-uid"}"#));
    assert!(audit.contains(r#""credential_id":"JTI=1""#), "{audit}");
}

#[test]
fn while_the_api_server_is_away_what_was_seen_serves_and_nobody_new_is_believed() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    let (proof, token) = (scenario.token(), access_token(&vault, &scenario.token()));
    scenario.cluster.feel(Mood::Away);
    until("it is missed", || vault.health("/readyz").1.contains("not heard for").then_some(()));
    let (status, problem) = generate(&vault, &proof);
    assert_eq!(status, 503);
    assert_eq!(problem["type"], "https://vanta.dev/problems/identity-unavailable");
    assert_eq!(read(&vault, &token), 200);
    assert_eq!((vault.health("/readyz").0, vault.health("/healthz").0), (200, 200));
    // What is deleted meanwhile, and what nobody tells of any more, is gone once it is back.
    scenario.cluster.lose("secretaccesses", "shop", "checkout");
    scenario.cluster.feel(Mood::Willing);
    until("it is back", || (read(&vault, &token) == 403).then_some(()));
    until("all is well", || vault.health("/readyz").1.contains(r#""grants":"ok""#).then_some(()));
}

#[test]
fn a_watch_that_was_away_for_too_long_lists_again_and_no_more_is_made_of_it() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    let token = access_token(&vault, &scenario.token());
    scenario.cluster.lose("secretaccesses", "shop", "checkout");
    until("it is gone", || (read(&vault, &token) == 403).then_some(()));
    assert!(!vault.log().contains("cannot be watched"), "{}", vault.log());
}

#[test]
fn a_vault_that_may_not_list_a_kind_answers_503_and_says_what_to_do() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    scenario.cluster.feel(Mood::Forbids("secretpolicies"));
    let vault = Program::start(scenario.command(), "http");
    let advice = "the program may not list secretpolicies.vanta.dev";
    until("it is logged", || vault.log().contains(advice).then_some(()));
    assert!(vault.log().contains("bind its service account to the chart's roles"));
    let (status, said) = vault.health("/readyz");
    assert_eq!(status, 503);
    assert!(said.contains("not read yet") && said.contains(advice), "{said}");
    let (status, problem) = generate(&vault, &scenario.token());
    assert_eq!(status, 503);
    assert_eq!(problem["type"], "https://vanta.dev/problems/grants-not-ready");
    scenario.cluster.feel(Mood::Willing);
    until("it is ready", || (vault.health("/readyz").0 == 200).then_some(()));
    assert_eq!(generate(&vault, &scenario.token()).0, 200);
}

#[test]
fn a_policy_that_does_not_hold_together_keeps_what_it_said_before() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    let token = access_token(&vault, &scenario.token());
    for (bad, expected) in [
        (POLICY.replace("'APP_*'", "'APP_**'"), "spec.keyPatterns: "),
        (POLICY.replace("maxTtlMinutes: 30", "maxHours: 30"), "it has a field maxHours"),
        (
            POLICY.replace("environment: prod", "environment: [AGE-SECRET-KEY-1HUNTER2]"),
            "it is not of the form",
        ),
    ] {
        scenario.cluster.apply(&bad);
        until("it is said", || {
            let said = vault.health("/readyz").1;
            let kept = said.contains("what it said before stays in use");
            (kept && said.contains(&format!("SecretPolicy shop-prod: {expected}"))).then_some(())
        });
        assert_eq!(read(&vault, &token), 200);
    }
    assert!(!vault.log().contains("HUNTER2"));
    scenario.cluster.apply(&POLICY.replace("APP_*", "OTHER_*"));
    until("the new one holds", || (read(&vault, &token) == 403).then_some(()));
    assert!(vault.health("/readyz").1.contains(r#""grants":"ok""#));
}

#[test]
fn a_secret_access_is_told_how_it_stands() {
    let scenario = Scenario::with(&[ACCESS]);
    let vault = scenario.start();
    assert_eq!(
        scenario.until_reason("checkout", "NoPolicy"),
        "no SecretPolicy covers environment prod, keys APP_* for system:serviceaccount:shop:checkout"
    );
    scenario.cluster.apply(POLICY);
    assert_eq!(
        scenario.until_reason("checkout", "Granted"),
        "keys of prod that are open: 3, to read and list"
    );
    let status = &scenario.cluster.get("secretaccesses", "shop", "checkout").unwrap()["status"];
    assert_eq!((&status["matchedKeys"], &status["observedGeneration"]), (&json!(3), &json!(1)));
    let shown = agent()
        .get(format!("{}/api/v1/access", vault.api))
        .header("authorization", format!("Bearer {}", scenario.token()))
        .call();
    let shown: Value = shown.unwrap().body_mut().read_json().unwrap();
    assert_eq!(shown["access"][0]["revision"], status["revision"], "it is that of GET /access");

    for (object, expected) in [
        (ACCESS.replace("'APP_*'", "'APP_X*'"), "NoKeys"),
        (ACCESS.replace("'APP_*'", "'APP_**'"), "Invalid"),
        (ACCESS.replace("environment: prod", "environment: dev"), "NoPolicy"),
        (ACCESS.to_owned(), "Granted"),
    ] {
        scenario.cluster.apply(&object);
        scenario.until_reason("checkout", expected);
    }
    scenario.cluster.delete("configmaps", "vanta-system", "prod");
    scenario.until_reason("checkout", "EnvironmentMissing");
    scenario.cluster.apply(&sops("prod", "prod.enc.yaml"));
    scenario.until_reason("checkout", "Granted");
    scenario.cluster.apply(&POLICY.replace("permissions: [read, list]", "permissions: [read]"));
    until("the message says so", || {
        let (.., message) = scenario.cluster.ready("shop", "checkout")?;
        message.contains("no SecretPolicy allows list").then_some(())
    });
    let file = ACCESS.replace("list]}", "list], file: {path: .env}}");
    scenario.cluster.apply(&file);
    let message = scenario.until_reason("checkout", "NoPolicy");
    assert!(message.starts_with("a file needs read and list: with list, "), "{message}");
}

#[test]
fn a_status_is_written_once_and_keeps_the_moment_of_its_last_transition() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    scenario.until_reason("checkout", "Granted");
    let since = || {
        let object = scenario.cluster.get("secretaccesses", "shop", "checkout").unwrap();
        object["status"]["conditions"][0]["lastTransitionTime"].clone()
    };
    let (first, written) = (since(), scenario.cluster.asked("PATCH "));
    assert_eq!(written, 1);
    scenario.cluster.apply(&ACCESS.replace("'APP_*'", "'APP_DB_*'"));
    until("it is news", || (scenario.cluster.asked("PATCH ") == 2).then_some(()));
    assert_eq!(since(), first, "it was ready all the time");
    drop(vault);
    // Another vault over the same state finds nothing to write.
    let vault = scenario.start();
    until("it has looked", || vault.log().contains("the grants were read").then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(scenario.cluster.asked("PATCH "), 2);
}

#[test]
fn no_proof_is_in_the_log_or_the_audit_whatever_the_api_server_answers() {
    let scenario = Scenario::with(&[ACCESS, POLICY]);
    let vault = scenario.start();
    let nonsense = scenario.cluster.token("vanta-vault", 4_000_000_000, json!("nonsense"));
    let proofs = [scenario.token(), nonsense];
    assert_eq!(generate(&vault, &proofs[0]).0, 200);
    assert_eq!(generate(&vault, &proofs[1]).0, 503);
    for proof in proofs {
        let payload = proof.split('.').nth(1).unwrap();
        assert!(!vault.log().contains(payload), "a proof is in the log");
        assert!(!scenario.site.audit().concat().contains(payload), "a proof is in the audit");
    }
}
