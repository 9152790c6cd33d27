WITH swept_keys AS (
    DELETE FROM idempotency_keys WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
        SELECT ctid FROM idempotency_keys
         WHERE tenant_id = $1 AND created_at <= $2 ORDER BY created_at LIMIT $5 FOR UPDATE SKIP LOCKED))
    RETURNING 1
), swept_mails AS (
    DELETE FROM mails WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
        SELECT ctid FROM mails
         WHERE tenant_id = $1 AND created_at <= $3
           AND (sent_at IS NOT NULL OR due_at = 'infinity' OR attempts >= $6 OR created_at <= $7)
         ORDER BY created_at LIMIT $5 FOR UPDATE SKIP LOCKED))
    RETURNING sent_at IS NULL AND due_at < 'infinity' AND attempts < $6 AS waited
), swept_links AS (
    DELETE FROM mail_tokens WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
        SELECT ctid FROM mail_tokens
         WHERE tenant_id = $1 AND expires_at <= $4 ORDER BY expires_at LIMIT $5 FOR UPDATE SKIP LOCKED))
    RETURNING 1
), swept_ended AS (
    DELETE FROM ended_sessions WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
        SELECT ctid FROM ended_sessions
         WHERE tenant_id = $1 AND expires_at <= $4 ORDER BY expires_at LIMIT $5 FOR UPDATE SKIP LOCKED))
    RETURNING 1
), swept_sessions AS (
    -- Spent tokens of a session that lives stay until they would have expired: their reuse is how a theft shows.
    DELETE FROM refresh_tokens WHERE tenant_id = $1 AND ctid = ANY (ARRAY(
        SELECT ctid FROM refresh_tokens
         WHERE tenant_id = $1 AND (expires_at <= $4 OR revoked_at <= $4) LIMIT $5 FOR UPDATE SKIP LOCKED))
    RETURNING 1
)
SELECT (SELECT count(*) FROM swept_keys) AS "idempotency_keys!", (SELECT count(*) FROM swept_mails WHERE NOT waited) AS "mails!",
       (SELECT count(*) FROM swept_mails WHERE waited) AS "waiting_mails!",
       (SELECT count(*) FROM swept_links) AS "mail_tokens!",
       (SELECT count(*) FROM swept_ended) AS "ended_sessions!", (SELECT count(*) FROM swept_sessions) AS "refresh_tokens!"
