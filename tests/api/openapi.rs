//! The description says what the server does: each handler is in it, and it is served.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::harness::{Api, TestTenant};

/// Every `#[get("/v1/…")]` of the source.
fn handlers() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                for method in ["get", "post", "put", "patch", "delete"] {
                    if let Some(rest) = line.trim().strip_prefix(&format!("#[{method}(\"")) {
                        let path = rest.split('"').next().unwrap();
                        found.insert(format!("{} {}", method.to_uppercase(), path));
                    }
                }
            }
        }
    }
    found
}

/// Every operation of the description.
pub async fn operations() -> BTreeSet<String> {
    let description = Api::at("127.0.0.1").get("/openapi.json").await.expect(200);
    let paths = description["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    each.collect()
}

#[tokio::test]
async fn each_handler_is_described() {
    let described = operations().await;
    assert!(described.contains("POST /v1/auth/login"));
    // Paths with a pattern are described without it.
    let bare = |route: &String| route.split(':').next().unwrap_or_default().to_owned();
    // The page of a demo's unsent mail is a tool of development, and no part of the API.
    let is_missing =
        |route: &String| *route != "GET /dev/mail" && !described.iter().any(|known| known.starts_with(&bare(route)));
    let missing: Vec<_> = handlers().into_iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "not described: {missing:#?}");
}

#[tokio::test]
async fn the_docs_page_has_a_policy_of_its_own() {
    let tenant = TestTenant::make().await;
    let page = tenant.visitor().get("/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("default-src 'self'"));
    assert_eq!(tenant.visitor().get("/docs").await.status, 307);
}

#[tokio::test]
async fn unknown_paths_and_broken_bodies_are_problems() {
    let tenant = TestTenant::make().await;
    let visitor = tenant.visitor();
    visitor.get("/v1/nothing").await.refused(404, "not_found");
    let broken = visitor.request(reqwest::Method::POST, "/v1/auth/login").header("content-type", "application/json");
    visitor.send(broken.body("{")).await.refused(400, "malformed");
    let form = visitor.request(reqwest::Method::POST, "/v1/auth/login").header("content-type", "text/plain");
    visitor.send(form.body("{}")).await.refused(415, "media_type");
    let huge = visitor.request(reqwest::Method::POST, "/v1/auth/login").header("content-type", "application/json");
    visitor.send(huge.body(" ".repeat(300 * 1024))).await.refused(413, "too_large");
}

#[tokio::test]
async fn a_path_that_is_there_tells_its_methods_to_whoever_uses_another() {
    let visitor = TestTenant::make().await.visitor();
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in operations().await {
        let (method, path) = operation.split_once(' ').unwrap();
        known.entry(path.to_owned()).or_default().insert(method.to_owned());
    }
    let mut asked = 0;
    for (path, methods) in &known {
        let filled = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
        let filled = filled.collect::<Vec<_>>().join("/");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|method| !methods.contains(*method))
        {
            let answer = visitor.send(visitor.request(method.parse().unwrap(), &filled)).await;
            // Some other path may be this one with its parts filled in.
            let others =
                known.iter().filter(|(other, _)| covers(other, &filled)).flat_map(|(_, methods)| methods.clone());
            let others: BTreeSet<String> = others.collect();
            if others.contains(method) {
                continue;
            }
            answer.refused(405, "method_not_allowed");
            let allowed = answer.headers["allow"].to_str().unwrap().split(", ").map(str::to_owned);
            assert_eq!(allowed.collect::<BTreeSet<_>>(), others, "{method} {filled}");
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked}");
}

/// Whether a described path can be this one.
fn covers(described: &str, path: &str) -> bool {
    let (described, path): (Vec<_>, Vec<_>) = (described.split('/').collect(), path.split('/').collect());
    described.len() == path.len()
        && described.iter().zip(path).all(|(part, given)| part.starts_with('{') || *part == given)
}
