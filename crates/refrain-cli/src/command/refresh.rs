//! `refrain refresh`: a new access token, now.

use serde::Serialize;

use crate::{
    args::{GlobalArgs, GrantArgs},
    output,
    report::Explanation,
};

#[derive(Serialize)]
struct Json<'a> {
    grant: &'a str,
    expires_at: String,
}

pub(super) async fn run(global: &GlobalArgs, args: &GrantArgs) -> Result<(), Explanation> {
    let refrain = super::open(global).await?;
    let refreshed = async {
        let grant = super::grant(&refrain, args.grant.as_ref()).await?;
        let live = grant.refresh().await?;
        Ok::<_, refrain::Error>((grant, live))
    }
    .await;
    super::close(&refrain).await;
    let (grant, live) = refreshed?;
    let (grant, expires_at) = (grant.name().as_str(), live.expires_at().to_string());
    if global.json {
        return output::json(&Json { grant, expires_at });
    }
    output::text(&format!(
        "{grant} has a new access token, good until {expires_at}\n"
    ))
}
