*
unread:12e8px€