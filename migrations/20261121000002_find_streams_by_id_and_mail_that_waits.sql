-- Answering "not found" asks whether the id is another tenant's (that is audited); the key begins with tenant_id and can not tell.
CREATE INDEX streams_id_idx ON streams (id);

-- The sender looks every second for mail that waits, across tenants.
CREATE INDEX mails_waiting_idx ON mails (created_at) WHERE sent_at IS NULL;
