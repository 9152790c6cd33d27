//! The description says what the server does: each handler is in it, and it is served.

use std::collections::BTreeSet;
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
