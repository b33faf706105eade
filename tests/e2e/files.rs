//! What an annotated pod finds in its folder.

use serde_json::json;

use crate::support::pods::{IDLE, deployment, template};
use crate::support::shop::{Shop, secret, sha256};
use crate::support::{share, until};

/// Says what the file is, which names are in it, and what a shell reads from it; no value.
const INSPECT: &str = r#"
f=/vanta/secrets/.env
[ -f $f ] && echo "there at the start"
echo "mode $(stat -c %a $f) owner $(stat -c %u $f) me $(id -u)"
awk '$2 == "/vanta/secrets" { split($4, o, ","); print "mounted", $3, o[1] }' /proc/mounts
touch /vanta/secrets/x 2>/dev/null || echo "cannot be written"
echo "names $(sed -n 's/^\([A-Z_]*\)=.*/\1/p' $f | sort | tr '\n' ' ')"
set -a; . $f
printf 'token %s\n' "$(printf %s "$APP_TOKEN" | sha256sum | cut -d' ' -f1)"
ls -a /var/run/secrets/kubernetes.io /vanta 2>/dev/null
echo "inspected"
"#;

#[test]
fn a_deployment_reads_just_its_granted_keys_from_a_file_in_memory_that_only_it_can_read() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("files", &[("APP_TOKEN", "t"), ("APP_URL", "u"), ("OTHER", "o")]);
    shop.account("checkout");
    shop.grant("checkout", "checkout", "APP_*");
    shop.policy(true);
    let mut template = template("checkout", Some("checkout"), &format!("{INSPECT}\n{IDLE}"));
    // The application's own init containers have the file too.
    template["spec"]["initContainers"] = json!([{
        "name": "migrate", "image": "localhost/busybox:1", "imagePullPolicy": "Never",
        "command": ["sh", "-c", "test -s /vanta/secrets/.env && echo migrated"],
    }]);
    shop.apply(&deployment("web", template));

    let pod = shop.ready("web");
    let log = until("the container has inspected its file", || {
        let log = shop.log(&pod, "app")?;
        if log.contains("inspected") { Ok(log) } else { Err(log) }
    });
    assert!(log.contains("there at the start"), "{log}");
    assert!(log.contains("mode 600 owner 10001 me 10001"), "{log}");
    assert!(log.contains("mounted tmpfs ro"), "{log}");
    assert!(log.contains("cannot be written"), "{log}");
    assert!(log.contains("names APP_TOKEN APP_URL \n"), "{log}");
    assert!(log.contains(&format!("token {}", sha256(&secret("t")))), "{log}");
    assert_eq!(shop.log(&pod, "migrate").unwrap(), "migrated\n");

    let started = |group: &str, name: &str| {
        let statuses = pod["status"][group].as_array().unwrap();
        let status = statuses.iter().find(|status| status["name"] == name).unwrap();
        assert_eq!(status["restartCount"], 0, "{name} was restarted");
        let state = &status["state"];
        let started = state["running"]["startedAt"].as_str();
        started.or(state["terminated"]["startedAt"].as_str()).unwrap().to_owned()
    };
    let agent = started("initContainerStatuses", "vanta-agent");
    assert!(agent <= started("initContainerStatuses", "migrate"));
    assert!(agent <= started("containerStatuses", "app"));
}

#[test]
fn containers_of_different_users_share_the_file_by_a_group_and_nobody_else_reads_it() {
    let Some(_share) = share() else { return };
    let shop = Shop::new("groups", &[("APP_TOKEN", "t")]);
    shop.grant("app", "default", "APP_*");
    shop.policy(true);
    let script = format!(
        "echo \"mode $(stat -c %a /vanta/secrets/.env) user $(id -u)\"; \
         sha256sum < /vanta/secrets/.env; echo inspected; {IDLE}"
    );
    let mut template = template("default", None, &script);
    let mut other = template["spec"]["containers"][0].clone();
    other["name"] = "other".into();
    other["securityContext"]["runAsUser"] = 10002.into();
    template["spec"]["containers"].as_array_mut().unwrap().push(other);
    shop.apply(&deployment("web", template));

    let pod = shop.ready("web");
    for (container, user) in [("app", 10001), ("other", 10002)] {
        let log = until("the container has inspected its file", || {
            let log = shop.log(&pod, container)?;
            if log.contains("inspected") { Ok(log) } else { Err(log) }
        });
        assert!(log.contains(&format!("mode 440 user {user}")), "{container}: {log}");
        assert!(log.contains("  -\n"), "{container} cannot read the file: {log}");
    }
}
