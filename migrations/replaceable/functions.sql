-- The append functions: the only places that give an event its offset. Rebuilt after every migration.
--
-- R1/R2: the offset is taken, and event, message and outbox row are written, under the lock of the stream's row in one transaction.
-- R4: idempotency is looked up after that lock is held; before it, two concurrent sends of one client id would both find nothing.

-- Appends one event to one stream inside the caller's transaction. Returns its offset; null when the stream is not this tenant's.
CREATE OR REPLACE FUNCTION append_event(
    p_tenant uuid, p_stream uuid, p_kind text, p_actor uuid, p_message uuid, p_at timestamptz, p_body text
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_offset bigint;
    v_topic text;
BEGIN
    UPDATE streams s SET last_offset = s.last_offset + 1
     WHERE s.tenant_id = p_tenant AND s.id = p_stream
    RETURNING s.last_offset, s.kind INTO v_offset, v_topic;
    IF v_offset IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO events (tenant_id, stream_id, event_offset, kind, actor_id, message_id, at, body)
    VALUES (p_tenant, p_stream, v_offset, p_kind, p_actor, p_message, p_at, p_body);
    INSERT INTO outbox (tenant_id, topic, subject_id, event_offset) VALUES (p_tenant, v_topic, p_stream, v_offset);
    RETURN v_offset;
END $$;

-- Stores a batch of posts of one tenant, in its own transaction (it names the tenant itself). Answers every row, in order:
-- either a refusal code, or id, offset and whether the post had been stored before. One bad post never fails a batch.
-- `heads` are bodies up to the message's text; the tail (mentions, reply) is resolved here and comes back where it is not the empty one.
-- Rows with `recipient` set are not answers: they are events put into the personal streams of people who were called or written to.
CREATE OR REPLACE FUNCTION post_messages(
    p_tenant uuid, p_at timestamptz, p_ids uuid[], p_rooms uuid[], p_authors uuid[], p_client_ids uuid[], p_texts text[],
    p_heads text[], p_reply_tos uuid[], p_handles text[], p_groups text[]
) RETURNS TABLE (
    ord integer, refusal text, retry_after_s integer, message_id uuid, event_offset bigint, duplicate boolean, tail text,
    recipient uuid, body text
)
LANGUAGE plpgsql
-- Planned once, while tables may be empty, and kept: only index look-ups per row are right at every later size.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true);

    PERFORM 1 FROM streams s
      WHERE s.tenant_id = p_tenant AND s.id = ANY (p_rooms)
      ORDER BY s.id FOR UPDATE;

    RETURN QUERY
    WITH input AS (
        SELECT i.*
          FROM unnest(p_ids, p_rooms, p_authors, p_client_ids, p_texts, p_heads, p_reply_tos, p_handles, p_groups)
               WITH ORDINALITY AS i (id, room_id, author_id, client_id, text, head, reply_to, handles, groups, ord)
    ), known AS (
        SELECT i.*,
               min(i.ord) OVER (PARTITION BY i.room_id, i.author_id, i.client_id) AS first_ord,
               m.id AS stored_id, m.event_offset AS stored_offset,
               s.last_offset, r.kind, r.archived_at, r.slow_mode_s,
               t.state AS tenant_state, u.state AS user_state, u.role AS user_role,
               c.role AS community_role, c.muted_until,
               q.event_offset AS reply_offset,
               w.posted_at,
               CASE WHEN r.kind IN ('public', 'announcement') THEN c.user_id IS NOT NULL
                    WHEN r.kind = 'private' THEN c.user_id IS NOT NULL AND rm.user_id IS NOT NULL
                    ELSE rm.user_id IS NOT NULL END AS may_read,
               (c.role IN ('moderator', 'admin', 'owner') OR u.role IN ('moderator', 'tenant_admin')) AS moderates
          FROM input i
          JOIN tenants t ON t.id = p_tenant
          LEFT JOIN rooms r ON r.tenant_id = p_tenant AND r.id = i.room_id
          LEFT JOIN streams s ON s.tenant_id = p_tenant AND s.id = i.room_id
          LEFT JOIN users u ON u.tenant_id = p_tenant AND u.id = i.author_id
          LEFT JOIN community_members c
            ON c.tenant_id = p_tenant AND c.community_id = r.community_id AND c.user_id = i.author_id AND c.state = 'active'
          LEFT JOIN room_members rm ON rm.tenant_id = p_tenant AND rm.room_id = i.room_id AND rm.user_id = i.author_id
          LEFT JOIN LATERAL (
                SELECT x.id, x.event_offset FROM messages x
                 WHERE x.tenant_id = p_tenant AND x.room_id = i.room_id AND x.author_id = i.author_id AND x.client_id = i.client_id
                 LIMIT 1) m ON true
          LEFT JOIN LATERAL (
                SELECT x.event_offset FROM messages x
                 WHERE i.reply_to IS NOT NULL AND x.tenant_id = p_tenant AND x.id = i.reply_to AND x.room_id = i.room_id
                   AND x.deleted_at IS NULL
                 LIMIT 1) q ON true
          LEFT JOIN read_states w
            ON r.slow_mode_s > 0 AND w.tenant_id = p_tenant AND w.user_id = i.author_id AND w.room_id = i.room_id
    ), judged AS (
        SELECT k.*,
               CASE
                   WHEN k.tenant_state <> 'active' THEN 'tenant_suspended'
                   WHEN k.user_state IS DISTINCT FROM 'active' THEN 'banned'
                   WHEN k.last_offset IS NULL OR k.may_read IS NOT TRUE THEN 'not_found'
                   WHEN k.stored_id IS NOT NULL THEN NULL
                   WHEN k.archived_at IS NOT NULL THEN 'archived'
                   WHEN k.muted_until > p_at THEN 'muted'
                   WHEN k.user_role = 'guest' THEN 'read_only'
                   WHEN k.kind = 'announcement' AND k.moderates IS NOT TRUE THEN 'read_only'
                   WHEN k.reply_to IS NOT NULL AND k.reply_offset IS NULL THEN 'reply_not_found'
                   WHEN k.slow_mode_s > 0 AND k.moderates IS NOT TRUE
                        AND (k.posted_at + make_interval(secs => k.slow_mode_s) > p_at
                             OR dense_rank() OVER (PARTITION BY k.room_id, k.author_id ORDER BY k.first_ord) > 1) THEN 'slow_mode'
               END AS refusal
          FROM known k
    ), judged_fresh AS (
        SELECT j.*, (j.refusal IS NULL AND j.stored_id IS NULL AND j.ord = j.first_ord) AS fresh FROM judged j
    ), placed AS (
        SELECT j.*, j.last_offset + count(*) FILTER (WHERE j.fresh) OVER (PARTITION BY j.room_id ORDER BY j.ord) AS new_offset
          FROM judged_fresh j
    ), accepted AS (
        SELECT * FROM placed WHERE fresh
    ), called AS (
        SELECT a.ord, array_agg(u.id ORDER BY u.id) AS user_ids
          FROM accepted a
         CROSS JOIN LATERAL unnest(string_to_array(a.handles, ',')) AS h (handle)
          JOIN users u ON u.tenant_id = p_tenant AND u.handle = h.handle AND u.state = 'active'
          JOIN rooms r ON r.tenant_id = p_tenant AND r.id = a.room_id
         WHERE a.handles <> ''
           AND CASE WHEN r.kind IN ('public', 'announcement')
                    THEN EXISTS (SELECT 1 FROM community_members c
                                  WHERE c.tenant_id = p_tenant AND c.community_id = r.community_id AND c.user_id = u.id AND c.state = 'active')
                    ELSE EXISTS (SELECT 1 FROM room_members rm
                                  WHERE rm.tenant_id = p_tenant AND rm.room_id = r.id AND rm.user_id = u.id) END
         GROUP BY a.ord
    ), written AS (
        SELECT a.*, coalesce(c.user_ids, '{}') AS mentioned,
               CASE WHEN c.user_ids IS NOT NULL OR a.reply_to IS NOT NULL THEN
                   ',"mentions":' || coalesce(array_to_json(c.user_ids)::text, '[]')
                   || ',"reply_to":' || CASE WHEN a.reply_to IS NULL THEN 'null'
                        ELSE '{"id":"' || a.reply_to || '","offset":' || a.reply_offset || '}' END
                   || '}}' END AS new_tail
          FROM accepted a LEFT JOIN called c ON c.ord = a.ord
    ), write_events AS (
        INSERT INTO events (tenant_id, stream_id, event_offset, kind, actor_id, message_id, at, body)
        SELECT p_tenant, w.room_id, w.new_offset, 'message.created', w.author_id, w.id, p_at,
               w.head || coalesce(w.new_tail, ',"mentions":[],"reply_to":null}}')
          FROM written w
    ), write_messages AS (
        INSERT INTO messages (tenant_id, room_id, event_offset, id, author_id, client_id, text, reply_to, mentioned, created_at)
        SELECT p_tenant, w.room_id, w.new_offset, w.id, w.author_id, w.client_id, w.text, w.reply_to, w.mentioned, p_at FROM written w
    ), write_mentions AS (
        INSERT INTO mentions (tenant_id, room_id, target, event_offset)
        SELECT p_tenant, w.room_id, 'user:' || x.user_id, w.new_offset
          FROM written w CROSS JOIN LATERAL unnest(w.mentioned) AS x (user_id)
         UNION
        SELECT p_tenant, w.room_id, g.target, w.new_offset
          FROM written w CROSS JOIN LATERAL unnest(string_to_array(w.groups, ',')) AS g (target)
         WHERE w.groups <> '' AND w.moderates
    ), write_outbox AS (
        INSERT INTO outbox (tenant_id, topic, subject_id, event_offset) SELECT p_tenant, 'room', w.room_id, w.new_offset FROM written w
    ), write_slow_mode AS (
        INSERT INTO read_states (tenant_id, user_id, room_id, posted_at, updated_at)
        SELECT DISTINCT ON (w.author_id, w.room_id) p_tenant, w.author_id, w.room_id, p_at, p_at FROM written w WHERE w.slow_mode_s > 0
        ON CONFLICT ON CONSTRAINT read_states_pkey DO UPDATE SET posted_at = excluded.posted_at
    ), write_streams AS (
        UPDATE streams s SET last_offset = n.top
          FROM (SELECT w.room_id, max(w.new_offset) AS top FROM written w GROUP BY w.room_id) n
         WHERE s.tenant_id = p_tenant AND s.id = n.room_id
    )
    -- Windows, not joins: with only nested loops allowed, joining the batch to itself would cost its square.
    SELECT j.ord::integer, j.refusal,
           CASE WHEN j.refusal = 'slow_mode'
                THEN greatest(1, ceil(extract(epoch FROM coalesce(j.posted_at, p_at) + make_interval(secs => j.slow_mode_s) - p_at)))::integer END,
           coalesce(j.stored_id, first_value(CASE WHEN j.fresh THEN j.id END) OVER sends),
           coalesce(j.stored_offset, first_value(CASE WHEN j.fresh THEN j.new_offset END) OVER sends),
           (j.stored_id IS NOT NULL OR j.ord <> j.first_ord),
           CASE WHEN j.fresh AND (j.handles <> '' OR j.reply_to IS NOT NULL)
                THEN (SELECT w.new_tail FROM written w WHERE w.ord = j.ord) END,
           NULL::uuid, NULL::text
      FROM placed j
    WINDOW sends AS (PARTITION BY j.room_id, j.author_id, j.client_id ORDER BY j.ord)
     ORDER BY j.ord;

    -- Personal streams are locked after all rooms, in id order too, so that batches can not wait for each other in a circle.
    IF EXISTS (SELECT 1 FROM unnest(p_handles) AS h (handles) WHERE h.handles <> '')
       OR EXISTS (SELECT 1 FROM rooms r WHERE r.tenant_id = p_tenant AND r.id = ANY (p_rooms) AND r.kind IN ('direct', 'group'))
    THEN
        PERFORM 1 FROM streams s
          WHERE s.tenant_id = p_tenant
            AND s.id IN (SELECT a.recipient FROM addressed_by(p_tenant, p_ids) a)
          ORDER BY s.id FOR UPDATE;

        RETURN QUERY
        WITH numbered AS (
            SELECT a.*, s.last_offset + row_number() OVER (PARTITION BY a.recipient ORDER BY a.room_id, a.room_offset) AS new_offset
              FROM addressed_by(p_tenant, p_ids) a
              JOIN streams s ON s.tenant_id = p_tenant AND s.id = a.recipient
        ), described AS (
            SELECT n.*, '{"v":1,"type":"' || n.kind || '","room_id":"' || n.room_id || '","message_id":"' || n.message_id
                        || '","offset":' || n.room_offset || ',"actor_id":"' || n.author_id || '"}' AS body
              FROM numbered n
        ), write_events AS (
            INSERT INTO events (tenant_id, stream_id, event_offset, kind, actor_id, message_id, at, body)
            SELECT p_tenant, d.recipient, d.new_offset, d.kind, d.author_id, d.message_id, p_at, d.body FROM described d
        ), write_outbox AS (
            INSERT INTO outbox (tenant_id, topic, subject_id, event_offset) SELECT p_tenant, 'user', d.recipient, d.new_offset FROM described d
        ), write_streams AS (
            UPDATE streams s SET last_offset = n.top
              FROM (SELECT d.recipient, max(d.new_offset) AS top FROM described d GROUP BY d.recipient) n
             WHERE s.tenant_id = p_tenant AND s.id = n.recipient
        )
        SELECT 0, NULL::text, NULL::integer, d.message_id, d.new_offset, false, d.kind, d.recipient, d.body
          FROM described d ORDER BY d.recipient, d.new_offset;
    END IF;
END $$;

-- Who is personally addressed by these freshly stored messages: people mentioned, and the others in a direct or group room.
CREATE OR REPLACE FUNCTION addressed_by(p_tenant uuid, p_ids uuid[])
RETURNS TABLE (message_id uuid, room_id uuid, room_offset bigint, author_id uuid, recipient uuid, kind text)
LANGUAGE sql STABLE AS $$
    SELECT m.id, m.room_id, m.event_offset, m.author_id, x.user_id, 'mention'
      FROM messages m
      JOIN rooms r ON r.tenant_id = p_tenant AND r.id = m.room_id AND r.kind NOT IN ('direct', 'group')
     CROSS JOIN LATERAL unnest(m.mentioned) AS x (user_id)
     WHERE m.tenant_id = p_tenant AND m.id = ANY (p_ids) AND x.user_id <> m.author_id
     UNION ALL
    SELECT m.id, m.room_id, m.event_offset, m.author_id, rm.user_id, 'direct.message'
      FROM messages m
      JOIN rooms r ON r.tenant_id = p_tenant AND r.id = m.room_id AND r.kind IN ('direct', 'group')
      JOIN room_members rm ON rm.tenant_id = p_tenant AND rm.room_id = m.room_id AND rm.user_id <> m.author_id
     WHERE m.tenant_id = p_tenant AND m.id = ANY (p_ids)
$$;
