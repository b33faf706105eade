//! Who a caller is: a service account's token for the vault, and nothing that resembles one.

use vanta::adapters::client::Credential;
use vanta::contract::api::problem::ProblemKind;

use crate::support::kubectl::kubectl;
use crate::support::pods::{IDLE, deployment, template};
use crate::support::shop::Shop;
use crate::support::vault::refused;
use crate::support::{share, until};

fn refusal(shop: &Shop, identity: &Credential) -> ProblemKind {
    match shop.token(identity) {
        Ok(_) => panic!("it was given a token"),
        Err(error) => refused(&error),
    }
}

#[test]
fn only_a_token_of_the_granted_account_for_the_vault_and_of_a_pod_is_taken() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("identities", &[("APP_TOKEN", "t"), ("UNRELATED", "u")]);
    shop.account("checkout");
    shop.account("intruder");
    shop.grant("checkout", "checkout", "APP_*");
    shop.grant("of-intruder", "intruder", "UNRELATED");
    shop.policy(true);
    shop.apply(&deployment("web", template("checkout", None, IDLE)));
    shop.apply(&deployment("other", template("intruder", None, IDLE)));
    let (own, other) = (shop.ready("web"), shop.ready("other"));
    let bound = |pod: &serde_json::Value| {
        ["--bound-object-kind", "Pod", "--bound-object-name"]
            .map(str::to_owned)
            .into_iter()
            .chain([pod["metadata"]["name"].as_str().unwrap().to_owned()])
            .collect::<Vec<_>>()
    };
    let identity = |account: &str, audience: &str, pod: Option<&serde_json::Value>| {
        let mut more = vec!["--audience".to_owned(), audience.to_owned()];
        more.extend(pod.into_iter().flat_map(bound));
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        shop.identity(account, &more)
    };

    let granted = identity("checkout", "vanta-vault", Some(&own));
    let token =
        until("the grant is in force", || shop.token(&granted).map_err(|error| error.to_string()));
    assert_eq!(shop.reads(&token, "APP_TOKEN"), Ok(()));

    // Another pod's token opens what is that pod's, and none of this one's.
    let another = identity("intruder", "vanta-vault", Some(&other));
    let theirs = shop.token(&another).unwrap();
    assert_eq!(shop.reads(&theirs, "UNRELATED"), Ok(()));
    assert_eq!(shop.reads(&theirs, "APP_TOKEN"), Err(ProblemKind::OutOfScope));
    let elsewhere = identity("checkout", "https://kubernetes.default.svc", Some(&own));
    assert_eq!(refusal(&shop, &elsewhere), ProblemKind::CredentialsRefused);
    let another_system = identity("checkout", "vanta-vault2", Some(&own));
    assert_eq!(refusal(&shop, &another_system), ProblemKind::CredentialsRefused);
    let without_pod = identity("checkout", "vanta-vault", None);
    assert_eq!(refusal(&shop, &without_pod), ProblemKind::NotGranted);
    let nonsense = Credential::identity_token("not.a.token").unwrap();
    assert_eq!(refusal(&shop, &nonsense), ProblemKind::CredentialsRefused);
}

#[test]
fn a_container_that_is_added_to_debug_gets_neither_the_agents_identity_nor_its_place() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("debugging", &[("APP_TOKEN", "t")]);
    shop.grant("app", "default", "APP_*");
    shop.policy(true);
    shop.apply(&deployment("web", template("default", None, IDLE)));
    let pod = shop.ready("web");
    let name = pod["metadata"]["name"].as_str().unwrap();
    let add = |mount: serde_json::Value| {
        let debugger = serde_json::json!({
            "name": format!("debugger-{}", mount["name"].as_str().unwrap_or("none")),
            "image": "localhost/busybox:1", "imagePullPolicy": "Never",
            "command": ["true"], "volumeMounts": [mount],
        });
        let patch = serde_json::json!({"spec": {"ephemeralContainers": [debugger]}}).to_string();
        let patched = ["-n", &shop.name, "patch", "pod", name, "--subresource=ephemeralcontainers"];
        kubectl(&[&patched[..], &["-p", &patch]].concat())
    };
    let refusal =
        add(serde_json::json!({"name": "vanta-identity", "mountPath": "/x"})).unwrap_err();
    assert!(refusal.contains("may not mount vanta-identity"), "{refusal}");
    let secrets = serde_json::json!({"name": "vanta-secrets", "mountPath": "/x"});
    let refusal = add(secrets.clone()).unwrap_err();
    assert!(refusal.contains("readOnly: true"), "{refusal}");
    let mut readable = secrets;
    readable["readOnly"] = true.into();
    add(readable).unwrap();

    let patch = serde_json::json!({
        "spec": {"initContainers": [{"name": "vanta-agent", "image": "localhost/busybox:1"}]},
    });
    let patch = patch.to_string();
    let refusal = kubectl(&["-n", &shop.name, "patch", "pod", name, "-p", &patch]).unwrap_err();
    assert!(refusal.contains("the image of vanta-agent stays"), "{refusal}");
}
