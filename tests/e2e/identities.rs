//! Who a caller is: a service account's token for the vault, and nothing that resembles one.

use vanta::adapters::client::Credential;
use vanta::contract::api::problem::ProblemKind;

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
    let shop = Shop::new("identities", &[("APP_TOKEN", "t")]);
    shop.account("checkout");
    shop.account("intruder");
    shop.grant("checkout", "checkout", "APP_*");
    shop.grant("of-intruder", "intruder", "UNRELATED_*");
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
    match shop.token(&another) {
        Ok(token) => assert_eq!(shop.reads(&token, "APP_TOKEN"), Err(ProblemKind::OutOfScope)),
        Err(error) => assert_eq!(refused(&error), ProblemKind::NotGranted),
    }
    let elsewhere = identity("checkout", "https://kubernetes.default.svc", Some(&own));
    assert_eq!(refusal(&shop, &elsewhere), ProblemKind::CredentialsRefused);
    let another_system = identity("checkout", "vanta-vault2", Some(&own));
    assert_eq!(refusal(&shop, &another_system), ProblemKind::CredentialsRefused);
    let without_pod = identity("checkout", "vanta-vault", None);
    assert_eq!(refusal(&shop, &without_pod), ProblemKind::NotGranted);
    let nonsense = Credential::identity_token("not.a.token").unwrap();
    assert_eq!(refusal(&shop, &nonsense), ProblemKind::CredentialsRefused);
}
