-- Its answer has one array more now (migrations/replaceable/functions.sql), which CREATE OR REPLACE can not change.
DROP FUNCTION IF EXISTS post_messages(uuid, timestamptz, boolean, uuid[], uuid[], uuid[], uuid[], text[], text[], uuid[], text[], text[]);
