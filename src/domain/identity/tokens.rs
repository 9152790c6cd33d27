//! Access tokens: JWTs signed with EdDSA, checked without asking anybody, so that a socket can do it in its own thread.
//!
//! Only EdDSA is accepted, whatever a token's header says. Private keys rest in the database sealed under the master key. A key signs
//! only after [`PUBLISH_FIRST`], so that every node knows it by then, and is published for one token's life after it was replaced.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::store::{self, StoredKey};
use super::{IdentityError, MasterKey};
use crate::infra::pg::Pg;
use crate::kernel::ids::TokenId;
use crate::kernel::{Clock, TenantId, UserId, rng};

/// How long a fresh key is only published.
const PUBLISH_FIRST: Duration = Duration::from_secs(120);
/// Nodes look this often for keys of others; less than [`PUBLISH_FIRST`].
const RELOAD_EVERY: Duration = Duration::from_secs(45);
/// PKCS #8 around an Ed25519 seed (RFC 8410 §7).
const PKCS8_HEAD: [u8; 16] = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: TenantId,
    sub: UserId,
    /// The session (family of refresh tokens) that it was issued to.
    sid: TokenId,
    iat: i64,
    exp: i64,
    /// `iat` in milliseconds: "sign out everywhere" must tell tokens of the same second apart.
    iat_ms: i64,
    jti: Uuid,
}

/// What a token says, once its signature and times are right. What its person may do is another question ([`super::Directory`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    pub tenant: TenantId,
    pub user: UserId,
    pub session: TokenId,
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

struct Signer {
    kid: String,
    key: EncodingKey,
}

#[derive(Default)]
struct Ring {
    signer: Option<Signer>,
    verifiers: HashMap<String, DecodingKey>,
    jwks: Value,
}

/// The signing keys in memory, shared by all threads.
pub struct Keys {
    issuer: String,
    lifetime: Duration,
    rotate_after: Duration,
    master: MasterKey,
    ring: RwLock<Arc<Ring>>,
}

impl Keys {
    /// Reads the keys, making the first one when there is none.
    ///
    /// # Errors
    /// Those of the database; [`IdentityError::Sealed`] when the master key is not the one that sealed them.
    pub async fn open(
        pg: &Pg,
        clock: &Clock,
        auth: &crate::config::Auth,
        issuer: String,
        master: MasterKey,
    ) -> Result<Self, IdentityError> {
        let keys = Self {
            issuer,
            lifetime: auth.access_token.duration(),
            rotate_after: auth.signing_key.duration(),
            master,
            ring: RwLock::default(),
        };
        keys.turn(pg, clock.now()).await?;
        Ok(keys)
    }

    /// Rotates when due and reads what other nodes have made.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub async fn turn(&self, pg: &Pg, now: DateTime<Utc>) -> Result<(), IdentityError> {
        let mut tx = pg.platform().await?;
        store::lock_keys(&mut tx).await?;
        let mut stored = store::list_keys(&mut tx).await?;
        let newest = stored.iter().map(|key| key.created_at).max();
        if newest.is_none_or(|at| at + self.rotate_after <= now) {
            let key = self.generate(now);
            store::insert_key(&mut tx, &key).await?;
            stored.push(key);
        }
        // A replaced key signs until its successor takes over, and its last token lives one lifetime longer.
        let gone_before = now - self.lifetime - 2 * PUBLISH_FIRST;
        if let Some(newest) = newest.filter(|at| *at < gone_before) {
            store::delete_keys_before(&mut tx, newest).await?;
            stored.retain(|key| key.created_at >= newest);
        }
        tx.commit().await?;
        let ring = self.load(&stored, now)?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    /// Keeps turning as long as the process lives.
    pub async fn keep_turning(self: Arc<Self>, pg: Pg, clock: Clock) {
        loop {
            tokio::time::sleep(RELOAD_EVERY).await;
            if let Err(error) = self.turn(&pg, clock.now()).await {
                tracing::warn!(%error, "signing keys could not be read again");
            }
        }
    }

    fn generate(&self, now: DateTime<Utc>) -> StoredKey {
        let kid = rng::token::<12>();
        let seed = rng::bytes::<32>();
        let sealed_key = self.master.seal(&kid, &seed);
        let public_key = public_of(&seed).unwrap_or_default();
        StoredKey { kid, public_key, sealed_key, created_at: now }
    }

    fn load(&self, stored: &[StoredKey], now: DateTime<Utc>) -> Result<Ring, IdentityError> {
        let mut ring = Ring::default();
        let mut published = Vec::new();
        for key in stored {
            ring.verifiers.insert(key.kid.clone(), DecodingKey::from_ed_der(&key.public_key));
            published.push(json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key.kid, "x": base64_url(&key.public_key),
            }));
        }
        ring.jwks = json!({ "keys": published });
        let known_to_all = stored.iter().filter(|key| key.created_at + PUBLISH_FIRST <= now);
        let newest = known_to_all.max_by_key(|key| key.created_at);
        // Right after the first start there is no such key; nobody verifies elsewhere yet.
        if let Some(key) = newest.or_else(|| stored.iter().min_by_key(|key| key.created_at)) {
            let seed = self.master.open(&key.kid, &key.sealed_key).ok_or(IdentityError::Sealed)?;
            let der = [PKCS8_HEAD.as_slice(), &seed].concat();
            ring.signer = Some(Signer { kid: key.kid.clone(), key: EncodingKey::from_ed_der(&der) });
        }
        Ok(ring)
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The public keys, as `/.well-known/jwks.json` shows them.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.ring().jwks.clone()
    }

    /// How long a token lives.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A fresh token.
    ///
    /// # Errors
    /// [`IdentityError::Sealed`] when no key can sign.
    pub fn issue(
        &self,
        tenant: TenantId,
        user: UserId,
        session: TokenId,
        now: DateTime<Utc>,
    ) -> Result<String, IdentityError> {
        let ring = self.ring();
        let signer = ring.signer.as_ref().ok_or(IdentityError::Sealed)?;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: tenant,
            sub: user,
            sid: session,
            iat: now.timestamp(),
            exp: (now + self.lifetime).timestamp(),
            iat_ms: now.timestamp_millis(),
            jti: Uuid::now_v7(),
        };
        let header = Header { kid: Some(signer.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &signer.key).map_err(|_| IdentityError::Sealed)
    }

    /// Checks signature, issuer and times. Never waits.
    ///
    /// # Errors
    /// [`IdentityError::TokenExpired`] for one that was right once, else [`IdentityError::Unauthorized`].
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Verified, IdentityError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| IdentityError::Unauthorized)?;
        let ring = self.ring();
        let key = header.kid.and_then(|kid| ring.verifiers.get(&kid)).ok_or(IdentityError::Unauthorized)?;
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation())
            .map_err(|_| IdentityError::Unauthorized)?
            .claims;
        let at = |ms: i64| Utc.timestamp_millis_opt(ms).single().ok_or(IdentityError::Unauthorized);
        let verified = Verified {
            tenant: claims.aud,
            user: claims.sub,
            session: claims.sid,
            issued_at: at(claims.iat_ms)?,
            expires_at: at(claims.exp.saturating_mul(1_000))?,
        };
        if verified.expires_at <= now { Err(IdentityError::TokenExpired) } else { Ok(verified) }
    }

    fn validation(&self) -> Validation {
        // Pinned: "none", HS256 with the public key as secret and the like are refused before anything else.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The audience is the tenant and is compared with the request's by the caller; expiry is ours, against our own clock.
        validation.validate_aud = false;
        validation.validate_exp = false;
        validation
    }
}

fn public_of(seed: &[u8]) -> Option<Vec<u8>> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    Some(pair.public_key().as_ref().to_vec())
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
#[path = "tokens/tests.rs"]
mod tests;
