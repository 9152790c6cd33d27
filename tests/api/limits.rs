//! What one address may ask for.

use reqwest::Method;

use crate::harness::{TestTenant, strict_server};

#[tokio::test]
async fn an_address_that_asks_too_much_waits_and_others_do_not() {
    const BURST: u32 = 20;
    let base = strict_server(BURST);
    let tenant = TestTenant::make().await;
    // Each visitor comes through the trusted proxy with an address of its own.
    let (busy, other) = (tenant.visitor(), tenant.visitor());
    let ask = |api: &crate::harness::Api, path: &str| {
        let (api, request) = (api.clone(), api.request_to(&base, Method::GET, path));
        async move { api.send(request).await }
    };

    let mut statuses = Vec::new();
    for _ in 0..BURST {
        statuses.push(ask(&busy, "/v1/me").await.status);
    }
    // A second gives one back, and the burst may have taken some.
    let mut refused = ask(&busy, "/v1/me").await;
    for _ in 0..BURST {
        if refused.status == 429 {
            break;
        }
        refused = ask(&busy, "/v1/me").await;
    }

    assert_eq!(statuses, vec![401; BURST as usize]);
    refused.refused(429, "too_many");
    assert_eq!(refused.retry_after(), Some(1));
    assert_eq!(ask(&other, "/v1/me").await.status, 401);
    // What is not counted is answered still.
    for path in ["/health/live", "/health/ready", "/static/favicon.svg"] {
        assert_eq!(ask(&busy, path).await.status, 200, "{path}");
    }
    let stats = reqwest::get(format!("{base}/health/stats")).await.unwrap().json::<serde_json::Value>().await.unwrap();
    assert!(stats["counters"]["requests_refused"].as_u64().unwrap() >= 1, "{stats}");
}
