//! Who may administer, by the cluster's own rules.

use serde_json::json;
use vanta::adapters::client::{ClientError, Credential};
use vanta::contract::api::problem::ProblemKind;
use vanta::domain::administration::{Administration, GROUP};

use crate::support::kubectl::{kubectl, kubectl_with};
use crate::support::shop::Shop;
use crate::support::vault::{client, refused};
use crate::support::{SYSTEM, share, until};

fn administrator() -> Credential {
    let token =
        kubectl(&["-n", SYSTEM, "create", "token", "vanta-admin", "--audience", "vanta-vault"]);
    Credential::identity_token(&token.unwrap()).unwrap()
}

/// Whether an account may do this, as the API server says: `kubectl auth can-i` asks nothing of
/// resources that exist in rules alone.
fn may(account: &str, what: Administration) -> bool {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
        "spec": {
            "user": format!("system:serviceaccount:{account}"),
            "resourceAttributes": {
                "group": GROUP, "resource": what.resource(), "verb": what.verb(),
            },
        },
    });
    let create = ["create", "-f", "-", "-o", "jsonpath={.status.allowed}"];
    kubectl_with(&create, &review.to_string()).unwrap() == "true"
}

#[test]
fn the_charts_account_administers_and_no_other_does() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("administrators", &[("APP_TOKEN", "t")]);
    shop.account("checkout");
    shop.grant("checkout", "checkout", "APP_*");
    shop.policy(false);
    for what in Administration::ALL {
        assert!(may(&format!("{SYSTEM}:vanta-admin"), what), "{what}");
        assert!(!may(&format!("{}:checkout", shop.name), what), "{what}");
    }
    let own = shop.identity("checkout", &["--audience", "vanta-vault"]);
    let token =
        until("the grant is in force", || shop.token(&own).map_err(|error| error.to_string()));
    let seen = client().introspect(&administrator(), &token).unwrap();
    assert!(seen.active);
    let error = client().introspect(&own, &token).map(drop).unwrap_err();
    assert_eq!(refused(&error), ProblemKind::NotAdministrator);
    // A binding in one namespace is none, and one for the cluster counts from then on.
    let user = format!("{}:checkout", shop.name);
    let bind = |kind: &str| {
        let account = format!("--serviceaccount={user}");
        kubectl(&[
            "create",
            kind,
            &shop.name,
            "--clusterrole=vanta-admin",
            &account,
            "-n",
            &shop.name,
        ])
    };
    bind("rolebinding").unwrap();
    let error = client().introspect(&own, &token).map(drop).unwrap_err();
    assert_eq!(refused(&error), ProblemKind::NotAdministrator);
    bind("clusterrolebinding").unwrap();
    until("it counts", || {
        client().introspect(&own, &token).map(drop).map_err(|error: ClientError| error.to_string())
    });
    kubectl(&["delete", "clusterrolebinding", &shop.name]).unwrap();
    let error = until("it counts no more", || {
        client().introspect(&own, &token).map(drop).err().ok_or_else(|| "it administers".to_owned())
    });
    assert_eq!(refused(&error), ProblemKind::NotAdministrator);
}
