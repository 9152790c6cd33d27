z
room:1t3