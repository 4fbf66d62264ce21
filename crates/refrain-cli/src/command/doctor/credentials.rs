//! The apps' credentials, by asking Spotify for a token that belongs to no user; with that token the Web API
//! is asked one thing, because it refuses every app whose owner has no Premium.

use std::{collections::BTreeMap, sync::Arc};

use refrain::{
    Error, Refrain,
    config::App,
    keeper::{Parts, Problem},
    limit::Gate,
    oauth::client::{Client, ClientAuth},
    provider::spotify::DASHBOARD_URL,
    random::SystemRandom,
    seal::{DeploymentId, Keyring, Sealer},
    secret::ClientSecret,
    store::memory::MemoryStore,
};

use super::{
    Finding, Patient, canary,
    complaint::{CLIENT_SECRET_WRONG, CLIENT_SWAPPED, CLIENT_UNKNOWN, NOT_CHECKED},
};
use crate::command::init::shape;

const CHECK: &str = "credentials";

pub(super) async fn check(patient: &Patient, gates: &[Gate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for app in patient.config.apps.values() {
        let now = patient.clock.now();
        let held_up = Gate::holding(gates, &app.name, &app.developer, &now).is_some();
        findings.extend(of(patient, app, !held_up).await);
    }
    findings
}

/// `asks_api`: whether the Web API may be asked as well, which wants to be left alone at times.
async fn of(patient: &Patient, app: &App, asks_api: bool) -> Vec<Finding> {
    let name = &app.name;
    let ClientAuth::SecretBasic(secret) = &app.client.auth else {
        return vec![if patient.whole {
            let detail =
                format!("{name} has no secret (PKCE alone): a login shows whether all is well");
            Finding::ok(CHECK, detail)
        } else {
            let detail =
                format!("those of {name} are not asked about while the configuration is broken");
            Finding::of(CHECK, NOT_CHECKED, detail)
        }];
    };
    let (log, asked) = canary::listen(ask(patient, app.clone(), asks_api)).await;
    let mut findings = vec![match asked {
        Ok(()) => Finding::ok(CHECK, format!("Spotify accepts those of {name}")),
        Err(error) => refused(patient, app, secret, &error).await,
    }];
    findings.push(canary::judge(app, secret, &log));
    findings
}

async fn refused(patient: &Patient, app: &App, secret: &ClientSecret, error: &Error) -> Finding {
    let name = &app.name;
    let told = error.explain();
    let Problem::Misconfigured { description, .. } = error.problem() else {
        return Finding::error(CHECK, told.code, told.what, told.fix);
    };
    if is_swapped(patient, app, secret).await {
        let detail = format!("client id and client secret of {name} are swapped");
        return Finding::of(CHECK, CLIENT_SWAPPED, detail);
    }
    match description.as_deref() {
        Some("Invalid client secret") => Finding::of(CHECK, CLIENT_SECRET_WRONG, told.what),
        Some("Failed to get client") => Finding::of(CHECK, CLIENT_UNKNOWN, told.what),
        _ => {
            let fix =
                format!("copy client id and client secret of {name} anew from {DASHBOARD_URL}");
            Finding::error(CHECK, told.code, told.what, fix)
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
    both && ask(patient, swapped, false).await.is_ok()
}

/// Asks with a keeper of its own, whose store is in memory: the user's is not touched.
async fn ask(patient: &Patient, app: App, asks_api: bool) -> Result<(), Error> {
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
    if asks_api {
        asking.check_owner(&name).await
    } else {
        asking.check_client(&name).await
    }
}
