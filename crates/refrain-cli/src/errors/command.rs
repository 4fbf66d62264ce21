//! What the command reports of itself.

use super::Row;
use crate::report::Exit;

pub(super) struct Told {
    pub(super) code: &'static str,
    means: &'static str,
    safe: &'static str,
    fix: &'static str,
    pub(super) exit: Exit,
}

const fn told(
    code: &'static str,
    means: &'static str,
    safe: &'static str,
    fix: &'static str,
    exit: Exit,
) -> Told {
    Told {
        code,
        means,
        safe,
        fix,
        exit,
    }
}

const NOTHING: &str = "nothing was changed";
const NOT_SAVED: &str = "nothing was saved; a grant that was there before is as it was";
const NOT_STARTED: &str = "nothing was started";

pub(super) const TABLE: &[Told] = &[
    told(
        "usage",
        "the command line, or what was typed, makes no sense",
        "nothing was changed and nothing was sent",
        "see `--help`",
        Exit::Usage,
    ),
    told(
        "import_unreadable",
        "the file of another program cannot be read",
        "nothing was sent and nothing was changed, here or there",
        "name the file that it keeps its token in, as a user who may read it",
        Exit::Usage,
    ),
    told(
        "import_not_understood",
        "the file is not what that program writes",
        "nothing was sent and nothing was changed, here or there",
        "see what is expected; nothing of it is repeated",
        Exit::Usage,
    ),
    told(
        "import_no_token",
        "there is no refresh token in it",
        "nothing was sent and nothing was changed, here or there",
        "sign in with that program once, or run `refrain login`",
        Exit::Usage,
    ),
    told(
        "import_not_a_token",
        "what stands there is no refresh token",
        "nothing was sent and nothing was changed, here or there",
        "look whether it was cut off, quoted twice, or is another value",
        Exit::Usage,
    ),
    told(
        "import_several",
        "there are several, and none was chosen",
        "nothing was sent and nothing was changed, here or there",
        "say which one",
        Exit::Usage,
    ),
    told(
        "import_not_possible",
        "that program holds nothing that works with an app of your own",
        "nothing was sent and nothing was changed, here or there",
        "run `refrain login`",
        Exit::Usage,
    ),
    told(
        "config_exists",
        "`refrain sim --write-config FOLDER` would overwrite a configuration that is not of a simulator",
        "nothing was written, and nothing was started",
        "name another folder, such as one in /tmp that is not there yet",
        Exit::Usage,
    ),
    told(
        "cannot_write",
        "`refrain sim --write-config FOLDER` cannot write there",
        "nothing was started",
        "name a folder that you may write to",
        Exit::Configuration,
    ),
    told(
        "app_path_hidden",
        "a warning: a file of the web app has the name of a path of the server's, and is never served",
        "the rest of the app is served",
        "give it another name in the app",
        Exit::Configuration,
    ),
    told(
        "sessions_need_one_server",
        "a warning: sessions are kept in cookies, and other servers may share the store",
        "with one server, or as long as Spotify keeps refresh tokens, nothing is at stake",
        "let the proxy in front send each browser to one and the same server, or set `sessions.keep = \"store\"`",
        Exit::Configuration,
    ),
    told(
        "interrupted",
        "Ctrl-C, or the process was told to end",
        "a refresh that had begun was seen through, or its intent is in the store",
        "run the command again",
        Exit::Interrupted,
    ),
    told(
        "runtime_failed",
        "the system does not let refrain wait for files and sockets",
        NOTHING,
        "look at the limits of this user: `ulimit -a`",
        Exit::TryLater,
    ),
    told(
        "output_failed",
        "the result could not be written",
        "what was asked for is done",
        "look at where the output is sent to, such as a disk that is full",
        Exit::Storage,
    ),
    told(
        "doctor_failed",
        "`refrain doctor` has found something that fails",
        NOTHING,
        "do what stands beside each line",
        Exit::Configuration,
    ),
    told(
        "init_exists",
        "`refrain init` would overwrite something",
        NOTHING,
        "change it with an editor, or `refrain init --force`",
        Exit::Configuration,
    ),
    told(
        "init_failed",
        "`refrain init` cannot write a file",
        "what was there before is as it was",
        "make the folder writable for this user, or name another: `--config`",
        Exit::Storage,
    ),
    told(
        "login_nothing_came",
        "nobody came back from the browser in time",
        NOT_SAVED,
        "see what Spotify's page says: it never tells the app",
        Exit::TryLater,
    ),
    told(
        "login_no_way_back",
        "the answer of a login can neither be received nor pasted",
        NOT_SAVED,
        "free the port of the redirect URI, or run it in a terminal",
        Exit::Configuration,
    ),
    told(
        "no_browser",
        "no browser could be started",
        NOTHING,
        "open the address by hand",
        Exit::TryLater,
    ),
    told(
        "api_status",
        "the Web API answered with 400 or more",
        "the call was carried out as far as Spotify's answer says",
        "see the answer, and what is said of it",
        Exit::Api,
    ),
    told(
        "api_unreachable",
        "the Web API gave no answer",
        "where no connection came about, nothing was sent; else the call may or may not have been carried out",
        "check the network; `refrain doctor`",
        Exit::TryLater,
    ),
    told(
        "api_broken_off",
        "the answer of the Web API broke off",
        "what was printed is not all of it",
        "try again",
        Exit::TryLater,
    ),
    told(
        "rate_limited",
        "the app has asked the Web API too often",
        "nothing was sent",
        "wait until the time that is named; it goes on by itself",
        Exit::TryLater,
    ),
    told(
        "quota_exceeded",
        "the quota of the developer account is used up",
        "nothing was sent",
        "wait until the time that is named; it goes on by itself",
        Exit::TryLater,
    ),
    told(
        "tls",
        "no connection could ever be made",
        "nothing was sent",
        "see that the system's certificates can be read",
        Exit::Configuration,
    ),
    told(
        "listens_nowhere",
        "the server listens at no address that a browser could open",
        NOTHING,
        "set `server.listen`",
        Exit::Configuration,
    ),
    told(
        "signals",
        "`refrain serve` cannot be told to stop",
        "nothing was served",
        "look at the limits of this user: `ulimit -a`",
        Exit::TryLater,
    ),
    told(
        "listen_fds",
        "what is said of sockets that are handed over makes no sense",
        "nothing was served, and no token was touched",
        "let systemd set `LISTEN_FDS`, or unset it and `LISTEN_PID`",
        Exit::Configuration,
    ),
    told(
        "inherited_socket",
        "what was handed over is no stream socket",
        "nothing was served, and no token was touched",
        "let the socket unit have `ListenStream=` alone",
        Exit::Configuration,
    ),
    told(
        "man_failed",
        "the manual pages could not be written",
        NOTHING,
        "name a folder that you may write to",
        Exit::Storage,
    ),
    told(
        "port_taken",
        "the simulator's port is taken",
        NOT_STARTED,
        "choose another address: `--listen 127.0.0.1:0` takes free ports",
        Exit::Configuration,
    ),
    told(
        "cannot_listen",
        "the simulator cannot listen there",
        NOT_STARTED,
        "choose another address: `--listen 127.0.0.1:0` takes free ports",
        Exit::Configuration,
    ),
    told(
        "no_signals",
        "the simulator cannot be told to stop",
        NOT_STARTED,
        "look at the limits of this user: `ulimit -a`",
        Exit::TryLater,
    ),
    told(
        "sim_profile",
        "the simulator's profile cannot be used",
        NOT_STARTED,
        "`GET /_sim/profile` of a running simulator shows every member",
        Exit::Configuration,
    ),
    told(
        "demo_failed",
        "the demo saw a promise broken",
        "the demo has accounts, tokens and a store of its own; yours were not touched",
        "run it again; if it fails again, report it with what it printed",
        Exit::Api,
    ),
    told(
        "demo_not_started",
        "the demo could not be set up",
        "nothing is left behind",
        "see that this user may write to the temporary folder and listen on 127.0.0.1",
        Exit::Storage,
    ),
    told(
        "demo_folder",
        "the demo has no folder to work in",
        NOT_STARTED,
        "set `TMPDIR` to a folder that you may write to",
        Exit::Storage,
    ),
];

pub(super) fn rows() -> Vec<Row> {
    let rows = TABLE.iter().map(|it| Row {
        code: it.code,
        cells: vec![
            it.means.to_owned(),
            it.safe.to_owned(),
            it.fix.to_owned(),
            (it.exit as u8).to_string(),
        ],
    });
    rows.collect()
}
