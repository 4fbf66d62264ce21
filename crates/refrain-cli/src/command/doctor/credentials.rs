//! The apps' credentials, by asking Spotify for a token that belongs to no user.

use std::{collections::BTreeMap, sync::Arc};

use refrain::{
    Error, Refrain,
    config::App,
    keeper::{Parts, Problem},
    oauth::client::{Client, ClientAuth},
    provider::spotify::DASHBOARD_URL,
    random::SystemRandom,
    seal::{DeploymentId, Keyring, Sealer},
    secret::ClientSecret,
    store::memory::MemoryStore,
};

use super::{Finding, Patient};
use crate::command::init::shape;

const CHECK: &str = "credentials";

pub(super) async fn check(patient: &Patient) -> Vec<Finding> {
    let mut findings = Vec::new();
    for app in patient.config.apps.values() {
        findings.push(of(patient, app).await);
    }
    findings
}

async fn of(patient: &Patient, app: &App) -> Finding {
    let name = &app.name;
    let ClientAuth::SecretBasic(secret) = &app.client.auth else {
        return if patient.whole {
            let detail =
                format!("{name} has no secret (PKCE alone): a login shows whether its id is good");
            Finding::ok(CHECK, detail)
        } else {
            let detail =
                format!("those of {name} are not asked about while the configuration is broken");
            Finding::warn(CHECK, "not_checked", detail, "mend the configuration first")
        };
    };
    match ask(patient, app.clone()).await {
        Ok(()) => Finding::ok(CHECK, format!("Spotify accepts those of {name}")),
        Err(error) => {
            let swapped = matches!(error.problem(), Problem::Misconfigured { .. })
                && is_swapped(patient, app, secret).await;
            if swapped {
                return Finding::fail(
                    CHECK,
                    "client_swapped",
                    format!("client id and client secret of {name} are swapped"),
                    "put each in the other's place, and make a new secret in the dashboard: the old one \
                     stood where ids stand",
                );
            }
            let told = error.explain();
            let fix = match error.problem() {
                Problem::Misconfigured { .. } => {
                    format!("copy client id and client secret of {name} anew from {DASHBOARD_URL}")
                }
                _ => told.fix,
            };
            Finding::fail(CHECK, told.code, told.what, fix)
        }
    }
}

/// A pair that works the other way round.
async fn is_swapped(patient: &Patient, app: &App, secret: &ClientSecret) -> bool {
    let id = app.client.id.as_str();
    let both = shape::is_hex32(id) && shape::is_hex32(secret.expose());
    let Ok(id_of_secret) = secret.expose().parse() else {
        return false;
    };
    let swapped = App {
        client: Client {
            id: id_of_secret,
            auth: ClientAuth::SecretBasic(ClientSecret::new(id)),
        },
        ..app.clone()
    };
    both && ask(patient, swapped).await.is_ok()
}

/// Asks with a keeper of its own, whose store is in memory: the user's is not touched.
async fn ask(patient: &Patient, app: App) -> Result<(), Error> {
    let random = Arc::new(SystemRandom);
    let keyring = Keyring::random(random.as_ref())?;
    let deployment = DeploymentId::random(random.as_ref())?;
    let (sealer, _) =
        Sealer::found(keyring, deployment, random.as_ref()).map_err(Problem::KeyCheck)?;
    let name = app.name.clone();
    let asking = Refrain::from_parts(Parts {
        store: Arc::new(MemoryStore::new(Arc::clone(&patient.clock))),
        sealer,
        transport: Arc::clone(&patient.transport) as _,
        clock: Arc::clone(&patient.clock),
        random,
        provider: patient.config.provider.clone(),
        apps: BTreeMap::from([(name.clone(), app)]),
        network: patient.config.network.clone(),
    })?;
    asking.check_client(&name).await
}
