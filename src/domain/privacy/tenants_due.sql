      (SELECT tenant_id AS "tenant_id!: TenantId" FROM idempotency_keys WHERE created_at <= $1 ORDER BY created_at LIMIT $4)
UNION (SELECT tenant_id FROM mails          WHERE created_at <= $2
          AND (sent_at IS NOT NULL OR due_at = 'infinity' OR attempts >= $5 OR created_at <= $6) ORDER BY created_at LIMIT $4)
UNION (SELECT tenant_id FROM mail_tokens    WHERE expires_at <= $3 ORDER BY expires_at LIMIT $4)
UNION (SELECT tenant_id FROM ended_sessions WHERE expires_at <= $3 ORDER BY expires_at LIMIT $4)
UNION (SELECT tenant_id FROM refresh_tokens WHERE expires_at <= $3 ORDER BY expires_at LIMIT $4)
UNION (SELECT tenant_id FROM refresh_tokens WHERE revoked_at <= $3 ORDER BY revoked_at LIMIT $4)
