-- When the next attempt is due; 'infinity' when there is none. Mail that waits long must not stand in the way of mail that is due.
ALTER TABLE mails ADD COLUMN due_at timestamptz NOT NULL DEFAULT '-infinity';
DROP INDEX mails_waiting_idx;
CREATE INDEX mails_due_idx ON mails (due_at) WHERE sent_at IS NULL;
