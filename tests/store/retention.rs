//! What is over is deleted, what is not stays, in every tenant.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use rialto::config::Retention;
use rialto::domain::privacy::retention::{BATCH, MAIL_WAITS_MAX, Swept, round};
use rialto::kernel::Scope;
use tokio::sync::Mutex;

use crate::world::World;

/// A sweep goes through all tenants: these tests take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// Long before what other tests write.
fn then() -> DateTime<Utc> {
    Utc.timestamp_millis_opt(1_500_000_000_000).unwrap()
}

/// A row of each kind that has been over for as long as it is kept and then `late`; the words name it.
async fn leave_behind(world: &World, who: &Scope, (word, count): (&str, i64), late: TimeDelta) {
    let (tenant, user, keep) = (world.tenant, who.user, Retention::default());
    let [keys, mails, tokens] =
        [keep.idempotency_keys, keep.mails, keep.tokens].map(|kept| (then() - kept.duration() - late).to_rfc3339());
    let later = (then() + TimeDelta::days(30)).to_rfc3339();
    world
        .sql(&format!(
            "INSERT INTO idempotency_keys SELECT '{tenant}', '{user}', '{word}' || n, '', 200, 'null', '{keys}'
               FROM generate_series(1, {count}) n;
             INSERT INTO mails (tenant_id, id, recipient, subject, body, created_at, sent_at, due_at, attempts)
             SELECT '{tenant}', gen_random_uuid(), 'a@example.org', '{word}', '', '{mails}', CASE WHEN n % 3 = 0 THEN '{mails}'::timestamptz END,
                    CASE WHEN n % 3 = 1 THEN 'infinity' ELSE '-infinity' END::timestamptz, CASE WHEN n % 3 = 2 THEN 8 ELSE 1 END
               FROM generate_series(1, {count}) n;
             INSERT INTO mail_tokens
             SELECT '{tenant}', gen_random_uuid(), '{user}', 'verify_email', ('{word}' || n)::bytea, '{tokens}', '{tokens}'
               FROM generate_series(1, {count}) n;
             INSERT INTO ended_sessions SELECT '{tenant}', '{user}', md5('{word}' || n)::uuid, '{tokens}' FROM generate_series(1, {count}) n;
             INSERT INTO refresh_tokens (tenant_id, id, user_id, family_id, token_hash, user_agent, created_at, expires_at, revoked_at)
             SELECT '{tenant}', gen_random_uuid(), '{user}', gen_random_uuid(), (n || '{word}')::bytea, '{word}', '{tokens}',
                    CASE WHEN n % 2 = 0 THEN '{tokens}' ELSE '{later}' END::timestamptz,
                    CASE WHEN n % 2 = 1 THEN '{tokens}'::timestamptz END
               FROM generate_series(1, {count}) n"
        ))
        .await;
}

/// Rows by that word, of each kind.
async fn left(world: &World, word: &str) -> [i64; 5] {
    let mut counts = [0; 5];
    for (count, condition) in counts.iter_mut().zip([
        format!("idempotency_keys WHERE key LIKE '{word}%'"),
        format!("mails WHERE subject = '{word}'"),
        format!("mail_tokens WHERE encode(token_hash, 'escape') LIKE '{word}%'"),
        format!("ended_sessions WHERE session_id IN (SELECT md5('{word}' || n)::uuid FROM generate_series(1, 2000) n)"),
        format!("refresh_tokens WHERE user_agent = '{word}'"),
    ]) {
        *count = world.count(&format!("SELECT count(*) FROM {condition}")).await;
    }
    counts
}

/// Everything over goes, in portions that are bounded; what is not over stays, also what a session that lives has spent.
#[tokio::test]
async fn what_is_over_goes_in_portions_and_what_is_not_stays() {
    const MANY: i64 = BATCH + 3;
    let _mine = TURN.lock().await;
    let (big, small) = (World::new().await, World::new().await);
    let (ada, bo) = (big.member("ada").await, small.member("bo").await);
    leave_behind(&big, &ada, ("over", MANY), TimeDelta::zero()).await;
    leave_behind(&small, &bo, ("over", 2), TimeDelta::seconds(1)).await;
    for (world, who) in [(&big, &ada), (&small, &bo)] {
        leave_behind(world, who, ("fresh", 3), -TimeDelta::seconds(1)).await;
        let (tenant, user, at) = (world.tenant, who.user, (then() - TimeDelta::days(20)).to_rfc3339());
        world
            .sql(&format!(
                "INSERT INTO refresh_tokens (tenant_id, id, user_id, family_id, token_hash, user_agent, created_at, expires_at, used_at)
                 VALUES ('{tenant}', gen_random_uuid(), '{user}', gen_random_uuid(), 'spent', 'spent', '{at}', '{}', '{at}')",
                (then() + TimeDelta::days(10)).to_rfc3339()
            ))
            .await;
        for (word, late) in [("waits", -TimeDelta::seconds(1)), ("waited", TimeDelta::zero())] {
            let at = (then() - MAIL_WAITS_MAX - late).to_rfc3339();
            world
                .sql(&format!(
                    "INSERT INTO mails (tenant_id, id, recipient, subject, body, created_at, attempts)
                     VALUES ('{tenant}', gen_random_uuid(), 'a@example.org', '{word}', '', '{at}', 1)"
                ))
                .await;
        }
    }
    let keep = Retention::default();

    let first = round(&big.pg, &keep, then()).await.unwrap();
    let behind_first = left(&big, "over").await;
    let mut rest = Swept::default();
    // The smaller tenant's turn comes when the larger one's rows do not fill the look any more.
    for _ in 0..3 {
        rest += round(&big.pg, &keep, then()).await.unwrap();
    }

    let of_each = |count| Swept {
        idempotency_keys: count,
        mails: count,
        waiting_mails: 0,
        mail_tokens: count,
        ended_sessions: count,
        refresh_tokens: count,
    };
    let mut all = first;
    all += rest;
    assert_eq!(all, Swept { waiting_mails: 2, ..of_each(MANY + 2) });
    assert!(behind_first.iter().all(|count| *count >= MANY - BATCH), "{behind_first:?}");
    for world in [&big, &small] {
        assert_eq!(left(world, "over").await, [0; 5]);
        assert_eq!(left(world, "fresh").await, [3; 5]);
        assert_eq!(left(world, "spent").await, [0, 0, 0, 0, 1]);
        assert_eq!(left(world, "waits").await, [0, 1, 0, 0, 0]);
        assert_eq!(left(world, "waited").await, [0; 5]);
    }
    assert_eq!(round(&big.pg, &keep, then()).await.unwrap(), Swept::default());
}

/// A row that somebody holds is not waited for.
#[tokio::test]
async fn a_row_in_use_is_left_for_the_next_time() {
    let _mine = TURN.lock().await;
    let world = World::new().await;
    let ada = world.member("ada").await;
    // Before everything that the other test leaves.
    let at = then() - TimeDelta::days(3_000);
    world
        .sql(&format!(
            "INSERT INTO idempotency_keys VALUES ('{}', '{}', 'held', '', 200, 'null', '{}')",
            world.tenant,
            ada.user,
            at.to_rfc3339()
        ))
        .await;
    let mut holder = world.tx().await;
    let held: Vec<String> =
        sqlx::query_scalar("SELECT key FROM idempotency_keys FOR UPDATE").fetch_all(holder.conn()).await.unwrap();
    let now = at + TimeDelta::days(2);

    let while_held = round(&world.pg, &Retention::default(), now).await.unwrap();
    holder.commit().await.unwrap();
    let afterwards = round(&world.pg, &Retention::default(), now).await.unwrap();

    assert_eq!(held, ["held"]);
    assert_eq!(while_held, Swept::default());
    assert_eq!(afterwards, Swept { idempotency_keys: 1, ..Swept::default() });
}
