-- Retention looks for the oldest rows across tenants; within one, the same indexes find them.
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
CREATE INDEX mails_created_at_idx ON mails (created_at);
CREATE INDEX mail_tokens_expires_at_idx ON mail_tokens (expires_at);
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_revoked_at_idx ON refresh_tokens (revoked_at) WHERE revoked_at IS NOT NULL;
