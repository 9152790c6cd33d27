*
room:12abcd8¬p