."*
t.o.k{"a":1}
user:12e8"js*1*
room:12abcd8¨p*

presence:1pxÄêd!*

presence:12e8pxÄäk9*
unread:12e8pxÄ2
room:1