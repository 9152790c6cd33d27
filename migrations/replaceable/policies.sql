-- Row-level security and grants. Run after every migration, in one transaction; written so that running it again changes nothing.
-- The app role sees the rows of the one tenant that its transaction names; the platform role sees a short list of tables across tenants.

DO $$
DECLARE t record;
BEGIN
    FOR t IN
        SELECT c.relname AS name,
               CASE WHEN c.relname = 'tenants' THEN 'id' ELSE 'tenant_id' END AS tenant_column
          FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
           AND c.relname NOT IN ('_sqlx_migrations', 'signing_keys')
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t.name);
        EXECUTE format('DROP POLICY IF EXISTS tenant_isolation ON %I', t.name);
        EXECUTE format(
            'CREATE POLICY tenant_isolation ON %I FOR ALL TO rialto_app, rialto_owner
               USING (%2$I = (SELECT NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid))
               WITH CHECK (%2$I = (SELECT NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid))',
            t.name, t.tenant_column);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO rialto_app', t.name);
    END LOOP;

    -- What has to be seen across tenants, and nothing else.
    FOR t IN SELECT unnest(ARRAY['tenants', 'tenant_hosts', 'streams', 'outbox']) AS name LOOP
        EXECUTE format('DROP POLICY IF EXISTS platform_reads ON %I', t.name);
        EXECUTE format('CREATE POLICY platform_reads ON %I FOR SELECT TO rialto_platform USING (true)', t.name);
        EXECUTE format('GRANT SELECT ON %I TO rialto_platform', t.name);
    END LOOP;
END $$;

-- That mail waits, that a row is over and that a community is there may be seen across tenants, never what they say: columns are granted
-- one by one.
DO $$
DECLARE t record;
BEGIN
    FOR t IN SELECT * FROM (VALUES
        ('mails', 'tenant_id, id, attempts, created_at, due_at, sent_at'),
        ('idempotency_keys', 'tenant_id, created_at'),
        ('mail_tokens', 'tenant_id, expires_at'),
        ('ended_sessions', 'tenant_id, expires_at'),
        ('refresh_tokens', 'tenant_id, expires_at, revoked_at'),
        ('communities', 'tenant_id, id')) AS v (name, columns)
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS platform_reads ON %I', t.name);
        EXECUTE format('CREATE POLICY platform_reads ON %I FOR SELECT TO rialto_platform USING (true)', t.name);
        EXECUTE format('GRANT SELECT (%s) ON %I TO rialto_platform', t.columns, t.name);
    END LOOP;
END $$;

-- History is history: nobody rewrites the audit log.
REVOKE UPDATE, DELETE ON audit FROM rialto_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON signing_keys TO rialto_platform;
GRANT SELECT ON _sqlx_migrations TO rialto_app, rialto_platform;
GRANT USAGE ON SCHEMA public TO rialto_app, rialto_platform;
