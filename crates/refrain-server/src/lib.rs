//! The server of refrain: a program in any language changes its base URL, and shows a key of refrain's where
//! an access token was.
//!
//! It has no `main` and writes to no terminal; the command `refrain serve` is the one that starts it.
//!
//! ```no_run
//! # async fn example(refrain: refrain::Refrain) -> Result<(), refrain_server::StartError> {
//! use refrain::config;
//! use refrain_server::Server;
//!
//! let server = Server::bind(&config::Server::default(), refrain).await?;
//! println!("{}", server.places().join(", "));
//! server.run(std::future::pending()).await;
//! # Ok(()) }
//! ```
//!
//! # The way of a request
//!
//! ```text
//! listen ─► worker ─► connection ─► route ─► authority ─► caller ─► proxy │ manage │ connect │ token_endpoint │ health
//! ```
//!
//! | module | what it is |
//! | --- | --- |
//! | `listen` | sockets, opened or handed over, workers, and the pulse by which slow clients are told |
//! | `connection` | one connection and its requests |
//! | `route` | what there is, and what it needs; what is not in its table is not there: [`routes`] |
//! | `authority` | whom a request is meant for, and which page it comes from |
//! | `front` | how browsers reach this server, and where they may be sent |
//! | `caller`, `shown`, `doors` | who calls, and how often a wrong key may be tried |
//! | `proxy` | `/v1/*` |
//! | `manage` | `/refrain/v1/*`: tokens, grants, keys, links, events, notices and their calendar; and `/metrics` |
//! | `connect` | `/connect/{link}` and `/callback`: a user consents in a browser |
//! | `app` | a single-page app beside the API |
//! | `session` | `/session`, `/sign-in/{link}`: who is signed in with a browser, and what browsers carry |
//! | `visit`, `cookie` | somebody with a browser, and what it keeps |
//! | `notices` | who is told of grants without asking: what there is to tell, and telling it |
//! | `dashboard` | `/dashboard`: the pages for whoever runs refrain |
//! | `errand` | what somebody who is known asks for, carried out and noted, whichever way it came |
//! | `html` | markup that nothing from outside can break out of |
//! | `page` | what people see there, and at the end of `refrain login` |
//! | `token_endpoint` | `/api/token` |
//! | `audit`, `metrics`, `request_id` | who has done what, how often, and which request it was |
//! | `fault` | what refrain itself has to say, in three shapes |

mod app;
mod audit;
mod authority;
mod body;
mod caller;
mod connect;
mod connection;
mod cookie;
mod dashboard;
mod doors;
mod errand;
mod fault;
mod front;
mod health;
mod html;
mod listen;
mod manage;
mod metrics;
mod notices;
pub mod page;
mod proxy;
mod request_id;
mod route;
mod server;
mod session;
mod shown;
mod token_endpoint;
mod visit;

pub use crate::{
    app::AppError,
    fault::{
        code::{CODES, KnownCode},
        status,
    },
    front::dashboard_origin,
    listen::inherited::Inherited,
    route::table::{Listed, routes},
    server::{Server, StartError},
};
