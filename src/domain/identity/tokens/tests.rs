//! Tokens: what is signed is what is read, and nothing else is accepted.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;

fn keys() -> Keys {
    let master = MasterKey::parse(&STANDARD.encode([3; 32])).unwrap();
    Keys {
        issuer: "http://here".into(),
        lifetime: Duration::from_secs(600),
        rotate_after: Duration::from_secs(3_600),
        master,
        ring: RwLock::default(),
    }
}

fn now() -> DateTime<Utc> {
    Utc.timestamp_millis_opt(1_790_000_000_123).unwrap()
}

/// Keys with `ages` seconds; returns their ids, oldest first.
fn load(keys: &Keys, ages: &[i64]) -> Vec<String> {
    let stored: Vec<_> = ages.iter().map(|age| keys.generate(now() - chrono::TimeDelta::seconds(*age))).collect();
    *keys.ring.write().unwrap() = Arc::new(keys.load(&stored, now()).unwrap());
    stored.into_iter().map(|key| key.kid).collect()
}

fn issue(keys: &Keys) -> (String, TenantId, UserId) {
    let (tenant, user) = (TenantId::generate(), UserId::generate());
    (keys.issue(tenant, user, TokenId::generate(), now()).unwrap(), tenant, user)
}

#[test]
fn a_token_says_who_until_it_expires() {
    let keys = keys();
    load(&keys, &[200]);
    let (token, tenant, user) = issue(&keys);

    let said = keys.verify(&token, now()).unwrap();

    assert_eq!((said.tenant, said.user, said.issued_at), (tenant, user, now()));
    let later = now() + chrono::TimeDelta::seconds(600);
    assert!(matches!(keys.verify(&token, later), Err(IdentityError::TokenExpired)));
}

#[test]
fn a_fresh_key_is_published_before_it_signs() {
    let keys = keys();
    let kids = load(&keys, &[4_000, 30]);

    let (token, ..) = issue(&keys);

    assert_eq!(jsonwebtoken::decode_header(&token).unwrap().kid.unwrap(), kids[0]);
    assert_eq!(keys.jwks()["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn other_algorithms_keys_and_bent_tokens_are_refused() {
    let (ours, theirs) = (keys(), keys());
    load(&ours, &[200]);
    load(&theirs, &[200]);
    let (token, ..) = issue(&ours);
    let (foreign, ..) = issue(&theirs);
    let body = token.split('.').nth(1).unwrap();
    let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
    let head = |alg: &str| URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"{kid}"}}"#));
    // The classic: HS256 with the published key as its secret.
    let public = URL_SAFE_NO_PAD.decode(ours.jwks()["keys"][0]["x"].as_str().unwrap()).unwrap();
    let hs256 = jsonwebtoken::encode(
        &Header { kid: Some(kid.clone()), ..Header::new(Algorithm::HS256) },
        &serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap(),
        &EncodingKey::from_secret(&public),
    )
    .unwrap();

    for bad in [
        foreign,
        hs256,
        format!("{}.{body}.", head("none")),
        format!("{}.{body}.{}", head("HS256"), token.rsplit('.').next().unwrap()),
        format!("{token}x"),
        token.replacen(body, &format!("{body}A"), 1),
        String::new(),
        "a.b.c".into(),
    ] {
        assert!(matches!(ours.verify(&bad, now()), Err(IdentityError::Unauthorized)), "{bad}");
    }
}
