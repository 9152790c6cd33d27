-- What a stored post costs is mostly indexes and rows; these two were not needed.

-- The first event of a message stands at messages.event_offset; only the later ones (edits, reactions, pins) are looked for by message.
DROP INDEX events_message_idx;
CREATE INDEX events_message_idx ON events (tenant_id, message_id) WHERE message_id IS NOT NULL AND kind <> 'message.created';

-- A batch of posts is one row of the outbox: which streams got an event, and at which offset, position by position.
-- (For this transaction the owner sees all tenants' rows.)
ALTER TABLE outbox NO FORCE ROW LEVEL SECURITY;
ALTER TABLE outbox ADD COLUMN subject_ids uuid[], ADD COLUMN event_offsets bigint[];
UPDATE outbox SET subject_ids = ARRAY[subject_id], event_offsets = CASE WHEN event_offset IS NOT NULL THEN ARRAY[event_offset] END;
ALTER TABLE outbox DROP COLUMN subject_id, DROP COLUMN event_offset, ALTER COLUMN subject_ids SET NOT NULL;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;

-- Its answer has another shape now (migrations/replaceable/functions.sql), which CREATE OR REPLACE can not change.
DROP FUNCTION IF EXISTS post_messages(uuid, timestamptz, uuid[], uuid[], uuid[], uuid[], text[], text[], uuid[], text[], text[]);
