-- Every room that one person reads, with what waits there. $1 tenant, $2 person, $3 names that call the person (user:<id>, here,
-- role:<tenant role>), $4 the most that is counted, $5 the most rooms. Begins with the columns of rooms_by_id.sql.
--
-- Written so that each room costs a few index look-ups whatever the planner believes about sizes. To it a tenant that came after the
-- last ANALYZE has no rows, and any index that begins with tenant_id is as good as another: so messages are asked for in the order that
-- only their primary key has, even where one is meant. `seen` is a column before it is compared, because under row-level security
-- COALESCE counts as leaky and would keep the comparison out of the index.
WITH mine AS MATERIALIZED (
    SELECT r.*, m.role AS member_role, m.muted_until, r.kind = 'private' AS in_room
      FROM community_members m
      JOIN rooms r ON r.tenant_id = $1 AND r.community_id = m.community_id
     WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.state = 'active'
       AND (r.kind <> 'private' OR EXISTS (SELECT 1 FROM room_members x
                                            WHERE x.tenant_id = $1 AND x.room_id = r.id AND x.user_id = $2))
     UNION ALL
    SELECT r.*, NULL, NULL, true
      FROM room_members x
     CROSS JOIN LATERAL (SELECT * FROM rooms WHERE tenant_id = $1 AND id = x.room_id LIMIT 1) r
     WHERE x.tenant_id = $1 AND x.user_id = $2 AND r.community_id IS NULL
), placed AS MATERIALIZED (
    SELECT mine.*, s.epoch, s.last_offset, coalesce(w.read_offset, 0) AS seen, coalesce(w.muted, false) AS muted
      FROM mine
     CROSS JOIN LATERAL (SELECT epoch, last_offset FROM streams WHERE tenant_id = $1 AND id = mine.id LIMIT 1) s
      LEFT JOIN LATERAL (SELECT read_offset, muted FROM read_states
                          WHERE tenant_id = $1 AND user_id = $2 AND room_id = mine.id LIMIT 1) w ON true
)
SELECT r.id AS "id!: RoomId", r.community_id AS "community_id: CommunityId", r.kind AS "kind!", r.name AS "name!", r.topic AS "topic!",
       r.slow_mode_s AS "slow_mode_s!", r.archived_at IS NOT NULL AS "archived!", r.created_by AS "created_by!: UserId",
       r.created_at AS "created_at!", r.epoch AS "epoch!", r.last_offset AS "last_offset!",
       r.member_role AS "member_role?", r.muted_until AS "muted_until?", r.in_room AS "in_room!",
       p.ids AS "people_ids: Vec<UserId>", p.handles AS people_handles, p.names AS people_names,
       r.seen AS "read_offset!", r.muted AS "muted!", n.unread AS "unread!", c.mentions AS "mentions!"
  FROM placed r
  LEFT JOIN LATERAL (
       SELECT array_agg(u.id ORDER BY u.handle) AS ids, array_agg(u.handle ORDER BY u.handle) AS handles,
              array_agg(u.display_name ORDER BY u.handle) AS names
         FROM room_members y
        CROSS JOIN LATERAL (SELECT id, handle, display_name FROM users WHERE tenant_id = $1 AND id = y.user_id LIMIT 1) u
        WHERE r.kind IN ('direct', 'group') AND y.tenant_id = $1 AND y.room_id = r.id) p ON true
 CROSS JOIN LATERAL (
       SELECT count(*) AS unread
         FROM (SELECT 1 FROM messages t
                WHERE t.tenant_id = $1 AND t.room_id = r.id AND t.event_offset > r.seen
                  AND t.author_id <> $2 AND t.deleted_at IS NULL
                ORDER BY t.event_offset LIMIT $4) counted) n
 CROSS JOIN LATERAL (
       SELECT least(count(DISTINCT called.event_offset), $4) AS mentions
         FROM unnest($3::text[] || ('role:' || r.member_role)) AS a (target)
        CROSS JOIN LATERAL (
              SELECT k.event_offset FROM mentions k
               WHERE k.tenant_id = $1 AND k.room_id = r.id AND k.target = a.target AND k.event_offset > r.seen
                 AND (SELECT t.event_offset = k.event_offset AND t.author_id <> $2 AND t.deleted_at IS NULL FROM messages t
                       WHERE t.tenant_id = $1 AND t.room_id = r.id AND t.event_offset >= k.event_offset
                       ORDER BY t.event_offset LIMIT 1)
               ORDER BY k.event_offset LIMIT $4) called) c
 ORDER BY r.id
 LIMIT $5
